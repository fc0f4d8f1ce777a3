//! A command in a container, over the API server: what `kubectl exec` does.

use bytes::Bytes;
use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, api::AttachParams, core::Request};
use serde_json::Value;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::mpsc,
    time::{Duration, timeout},
};

use super::{
    CONNECT_WITHIN, Wire,
    frames::{Frames, Out},
    sentence::{one_line, sentence},
};

/// The channels of a frame.
const INPUT: u8 = 0;
const OUTPUT: u8 = 1;
const ERRORS: u8 = 2;
const END: u8 = 3;
const SIZE: u8 = 4;

/// How long the first word of a command is waited for, so that one that cannot be started is known before a terminal is
/// given to it.
const FIRST_WORD: Duration = Duration::from_millis(700);

/// What container runtimes say of a program that is not there.
const NO_PROGRAM: &str = "executable file not found in $PATH";

/// What is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The namespace of the pod.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The command and its arguments; none: a shell, the best there is.
    pub command: Vec<String>,
    /// It reads what is typed or piped in.
    pub stdin: bool,
    /// It runs on a terminal.
    pub tty: bool,
}

/// Of the shells a container may have, the better one.
const SHELL: [&str; 3] = ["sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash || exec sh"];

/// A command that runs.
pub struct Exec {
    wanted: Wanted,
    frames: Frames,
    first: Option<(u8, Bytes)>,
}

/// What goes to a command while it runs.
pub struct Input {
    /// What is typed or piped in; it has ended when the sender is gone.
    pub typed: mpsc::Receiver<Vec<u8>>,
    /// Columns and lines of the terminal.
    pub sizes: mpsc::Receiver<(u16, u16)>,
}

impl Exec {
    /// Asks the API server to run it.
    ///
    /// # Errors
    /// One sentence: a right is missing, the pod is gone, the container does not run or has no such program.
    pub async fn open(wire: &Wire, wanted: Wanted) -> Result<Self, String> {
        let client = wire.writer().await?;
        let place = wanted.place();
        let path = Pod::url_path(&(), Some(&wanted.namespace));
        let params = AttachParams {
            container: Some(wanted.container.clone()),
            stdin: wanted.stdin,
            stdout: true,
            // On a terminal both are one.
            stderr: !wanted.tty,
            tty: wanted.tty,
            ..AttachParams::default()
        };
        let shell = SHELL.map(str::to_owned);
        let command = if wanted.command.is_empty() { shell.as_slice() } else { wanted.command.as_slice() };
        let request = Request::new(path)
            .exec(&wanted.pod, command.iter().cloned(), &params)
            .map_err(|why| format!("{place}: {why}"))?;
        let mut frames = match timeout(CONNECT_WITHIN * 2, Frames::open(&client, request)).await {
            Ok(Ok(frames)) => frames,
            Ok(Err(error)) => {
                if let kube::Error::Api(status) = &error {
                    match status.code {
                        401 => wire.renew().await,
                        404 => return Err(format!("there is no pod {} any more", wanted.pod)),
                        _ => {}
                    }
                    if status.message.contains("container not found") {
                        return Err(wanted.does_not_run());
                    }
                }
                return Err(format!("{place}: {}", sentence(&error)));
            }
            Err(_) => {
                let seconds = (CONNECT_WITHIN * 2).as_secs();
                return Err(format!("{place}: the API server has not answered within {seconds} s"));
            }
        };
        let first = match timeout(FIRST_WORD, frames.next()).await {
            Err(_) => None,
            Ok(Ok(Some((END, status)))) if wanted.never_started(&status).is_some() => {
                return Err(wanted.never_started(&status).unwrap_or_default());
            }
            // Some runtimes say it as if the command did, and end with its exit code.
            Ok(Ok(Some((_, said)))) if String::from_utf8_lossy(&said).contains(NO_PROGRAM) => {
                return Err(wanted.has_none());
            }
            Ok(Ok(Some(frame))) => Some(frame),
            Ok(Ok(None)) => return Err(format!("{place}: the connection was closed before anything ran")),
            Ok(Err(why)) => return Err(format!("{place}: {why}")),
        };
        Ok(Self { wanted, frames, first })
    }

    /// `POD/CONTAINER`.
    pub fn place(&self) -> String {
        self.wanted.place()
    }

    /// Carries both ways until the command has ended. Returns its exit code.
    ///
    /// # Errors
    /// One sentence: the connection was lost, the command could not be started, or what it says cannot be written.
    pub async fn run(
        mut self,
        input: Input,
        mut out: impl AsyncWrite + Unpin,
        mut errors: impl AsyncWrite + Unpin,
    ) -> Result<i32, String> {
        let to = self.frames.out();
        let sending = send(input, to);
        tokio::pin!(sending);
        let receiving = async {
            loop {
                let frame = match self.first.take() {
                    Some(frame) => Some(frame),
                    None => self.frames.next().await.map_err(|why| self.wanted.lost(&why))?,
                };
                let cannot = |why| format!("what the command says cannot be written: {why}");
                match frame {
                    Some((OUTPUT, bytes)) => {
                        out.write_all(&bytes).await.map_err(cannot)?;
                        out.flush().await.map_err(cannot)?;
                    }
                    Some((ERRORS, bytes)) => {
                        errors.write_all(&bytes).await.map_err(cannot)?;
                        errors.flush().await.map_err(cannot)?;
                    }
                    Some((END, status)) => return self.wanted.ended(&status),
                    Some(_) => {}
                    None => return Err(self.wanted.lost("it was closed before the command had ended")),
                }
            }
        };
        tokio::pin!(receiving);
        let mut sent = false;
        loop {
            tokio::select! {
                biased;
                ended = &mut receiving => return ended,
                () = &mut sending, if !sent => sent = true,
            }
        }
    }
}

/// Sends what is typed and the sizes, each as it comes, until nothing more can come or go.
async fn send(mut input: Input, to: Out) {
    let (mut types, mut sizes) = (true, true);
    while types || sizes {
        let taken = tokio::select! {
            size = input.sizes.recv(), if sizes => match size {
                Some((width, height)) => {
                    let size = serde_json::json!({"Width": width, "Height": height}).to_string();
                    to.send(SIZE, size.as_bytes()).await
                }
                None => { sizes = false; true }
            },
            typed = input.typed.recv(), if types => match typed {
                Some(bytes) => to.send(INPUT, &bytes).await,
                None => { types = false; to.end(INPUT).await; true }
            },
        };
        if !taken {
            return;
        }
    }
}

impl Wanted {
    fn place(&self) -> String {
        format!("{}/{}", self.pod, self.container)
    }

    fn does_not_run(&self) -> String {
        format!("container {} of {} does not run at present", self.container, self.pod)
    }

    fn lost(&self, why: &str) -> String {
        format!("the connection to {} is lost: {why}; what ran there may still run", self.place())
    }

    fn has_none(&self) -> String {
        let program = self.command.first();
        let what = program.map_or("shell".to_owned(), |program| format!("program `{}`", one_line(program)));
        format!("container {} of {} has no {what}", self.container, self.pod)
    }

    /// Why a command never ran, by what is said at its end.
    fn never_started(&self, status: &[u8]) -> Option<String> {
        let status: Value = serde_json::from_slice(status).ok()?;
        let message = status["message"].as_str().unwrap_or_default();
        let absent = message.contains(NO_PROGRAM) || message.contains("no such file or directory");
        (status["status"] != "Success" && absent && message.contains("exec")).then(|| self.has_none())
    }

    /// What the end of a command comes to: its exit code.
    fn ended(&self, bytes: &[u8]) -> Result<i32, String> {
        if let Some(why) = self.never_started(bytes) {
            return Err(why);
        }
        let status: Value = serde_json::from_slice(bytes)
            .map_err(|_| format!("{}: how the command has ended is not understood", self.place()))?;
        if status["status"] == "Success" {
            return Ok(0);
        }
        let causes = status["details"]["causes"].as_array().into_iter().flatten();
        let code =
            causes.filter(|cause| cause["reason"] == "ExitCode").find_map(|cause| cause["message"].as_str());
        match code.and_then(|code| code.parse().ok()) {
            Some(code) => Ok(code),
            None => {
                let message = one_line(status["message"].as_str().unwrap_or("it does not say why"));
                if message.contains("container not found") {
                    return Err(self.does_not_run());
                }
                Err(format!("{}: the command was not run: {message}", self.place()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(command: &[&str]) -> Wanted {
        Wanted {
            namespace: "acme".into(),
            pod: "acme-1".into(),
            container: "php-fpm".into(),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            stdin: true,
            tty: true,
        }
    }

    #[test]
    fn how_a_command_ended_is_its_exit_code_or_a_sentence() {
        let end = |status: Value| wanted(&[]).ended(status.to_string().as_bytes());
        assert_eq!(end(json!({"metadata": {}, "status": "Success"})), Ok(0));
        let code = json!({"status": "Failure", "reason": "NonZeroExitCode", "message": "exit status 3",
            "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}});
        assert_eq!(end(code), Ok(3));
        // containerd, and the runtimes that give the code 126 or 127
        let containerd = "error executing command in container: failed to exec in container: failed to start exec \
            \"4a8\": OCI runtime exec failed: exec failed: unable to start container process: exec: \"sh\": \
            executable file not found in $PATH: unknown";
        let none =
            json!({"status": "Failure", "reason": "InternalError", "message": containerd, "code": 500});
        assert_eq!(end(none.clone()), Err("container php-fpm of acme-1 has no shell".into()));
        let told = wanted(&["psql"]).ended(none.to_string().as_bytes());
        assert_eq!(told, Err("container php-fpm of acme-1 has no program `psql`".into()));
        let other = json!({"status": "Failure", "message": "container is\nin the wrong state"});
        assert_eq!(
            end(other),
            Err("acme-1/php-fpm: the command was not run: container is in the wrong state".into())
        );
        assert!(wanted(&[]).ended(b"{").unwrap_err().contains("not understood"));
    }
}
