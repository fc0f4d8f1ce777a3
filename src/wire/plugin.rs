//! Credential plug-ins: a program that hands out a token or a certificate (`user.exec` of a kubeconfig).

use std::{collections::HashMap, io, path::PathBuf, process::Stdio, time::Duration};

use jiff::Timestamp;
use kube::config::{ExecConfig, ExecInteractiveMode};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

use super::sentence::one_line;

/// How long one may take.
pub(super) const WITHIN: Duration = Duration::from_secs(30);
/// How long one may take that asks a person.
const ASKED_WITHIN: Duration = Duration::from_secs(300);
const API_VERSION: &str = "client.authentication.k8s.io/v1";

/// A credential plug-in, ready to be run.
#[derive(Clone, Debug)]
pub(super) struct Plugin {
    user: String,
    command: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    /// What it is told about itself and the cluster.
    told: Value,
    hint: Option<String>,
    /// It may want to ask on a terminal, which belongs to the screen.
    asks: bool,
}

/// What a plug-in hands out.
#[derive(Clone, Debug)]
pub(super) struct Issued {
    pub token: Option<SecretString>,
    /// Certificate and key, PEM.
    pub certificate: Option<(String, SecretString)>,
    pub expires: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Reply {
    status: Option<ReplyStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplyStatus {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<String>,
}

impl Plugin {
    /// The plug-in of a user; `cluster` is what it is told where it wants to know (`provideClusterInfo`).
    ///
    /// # Errors
    /// One sentence: no command is named.
    pub fn new(user: &str, exec: &ExecConfig, cluster: impl FnOnce() -> Value) -> Result<Self, String> {
        let command = exec.command.clone().filter(|command| !command.is_empty());
        let command =
            command.ok_or_else(|| format!("user `{user}` has a credential plug-in without a command"))?;
        let variable =
            |one: &HashMap<String, String>| Some((one.get("name")?.clone(), one.get("value")?.clone()));
        // A plug-in that asks on the terminal would fight the screen for it: it has to work alone.
        let mut spec = json!({"interactive": false});
        if exec.provide_cluster_info {
            spec["cluster"] = cluster();
        }
        let version = exec.api_version.as_deref().unwrap_or(API_VERSION);
        Ok(Self {
            user: user.to_owned(),
            command: command.into(),
            arguments: exec.args.clone().unwrap_or_default(),
            variables: exec.env.iter().flatten().filter_map(variable).collect(),
            told: json!({"apiVersion": version, "kind": "ExecCredential", "spec": spec}),
            hint: exec.install_hint.clone(),
            asks: exec.interactive_mode == Some(ExecInteractiveMode::Always),
        })
    }

    /// Whether it says that it must ask on a terminal.
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// Runs it; `on_terminal`: it may ask there.
    ///
    /// # Errors
    /// One sentence: it is not installed, fails, takes too long, or what it says is no credential.
    pub async fn run(&self, on_terminal: bool) -> Result<Issued, String> {
        let mut told = self.told.clone();
        told["spec"]["interactive"] = on_terminal.into();
        let mut command = Command::new(&self.command);
        command
            .args(&self.arguments)
            .envs(self.variables.iter().cloned())
            .env("KUBERNETES_EXEC_INFO", told.to_string());
        command.stdout(Stdio::piped()).kill_on_drop(true);
        if on_terminal {
            command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
        } else {
            command.stdin(Stdio::null()).stderr(Stdio::piped());
        }
        let within = if on_terminal { ASKED_WITHIN } else { WITHIN };
        let output = match timeout(within, async { command.spawn()?.wait_with_output().await }).await {
            Ok(Ok(output)) => output,
            Ok(Err(why)) => return Err(self.not_started(&why)),
            Err(_) => return Err(self.failed(&format!("has not answered within {} s", within.as_secs()))),
        };
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let last =
                words.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it says nothing");
            return Err(self.failed(&format!("failed ({}): {}", output.status, one_line(last))));
        }
        let reply: Reply = serde_saphyr::from_slice(&output.stdout)
            .map_err(|_| self.failed("does not print an ExecCredential"))?;
        self.issued(reply.status)
    }

    fn issued(&self, status: Option<ReplyStatus>) -> Result<Issued, String> {
        let some = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
        let Some(status) = status else { return Err(self.failed("hands out no credentials")) };
        let token = some(status.token);
        let pair = (some(status.client_certificate_data), some(status.client_key_data));
        let certificate = match pair {
            (Some(certificate), Some(key)) => Some((certificate, SecretString::from(key))),
            (None, None) => None,
            (Some(_), None) => return Err(self.failed("hands out a certificate without its key")),
            (None, Some(_)) => return Err(self.failed("hands out a key without its certificate")),
        };
        if token.is_none() && certificate.is_none() {
            return Err(self.failed("hands out no credentials"));
        }
        let expires = match some(status.expiration_timestamp) {
            Some(text) => {
                let odd = |_| self.failed(&format!("says an end that is not a time: {}", one_line(&text)));
                Some(text.parse().map_err(odd)?)
            }
            None => None,
        };
        Ok(Issued { token: token.map(SecretString::from), certificate, expires })
    }

    fn not_started(&self, why: &io::Error) -> String {
        let hint = self.hint.as_deref().map(one_line).filter(|hint| !hint.is_empty());
        match why.kind() {
            io::ErrorKind::NotFound => {
                let hint = hint.map_or(String::new(), |hint| format!("; the kubeconfig says: {hint}"));
                self.failed(&format!("is not installed{hint}"))
            }
            io::ErrorKind::PermissionDenied => self.failed("may not be executed"),
            _ => self.failed(&format!("cannot be started: {why}")),
        }
    }

    fn failed(&self, what: &str) -> String {
        let asks = if self.asks && what.starts_with("failed") {
            "; it wants to ask on a terminal (interactiveMode: Always): :login lets it, or log in with kubectl first"
        } else {
            ""
        };
        format!("the credential plug-in {} of user `{}` {what}{asks}", self.command.display(), self.user)
    }
}
