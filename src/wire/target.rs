//! Which cluster: a context of the kubeconfig, or the cluster we run in.

use std::{
    env,
    path::{Path, PathBuf},
};

use kube::{
    Config,
    config::{ExecInteractiveMode, KubeConfigOptions, Kubeconfig},
};

/// Which cluster is meant. Nothing given: the current context of `KUBECONFIG` or `~/.kube/config`; without such a
/// file, the cluster whose service account we have.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// A kubeconfig file.
    pub kubeconfig: Option<PathBuf>,
    /// One of its contexts.
    pub context: Option<String>,
    /// The namespace to use instead of the context's.
    pub namespace: Option<String>,
}

impl Target {
    /// The context's name (`None`: the cluster we run in) and its settings. Reads files only.
    pub(super) async fn resolve(&self) -> Result<(Option<String>, Config), String> {
        let (mut config, context) = match self.read()? {
            Some((kubeconfig, place)) => {
                let context = self.context_of(&kubeconfig, &place)?;
                let options =
                    KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
                let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
                (
                    config.map_err(|e| format!("context `{context}` of {place} cannot be used: {e}"))?,
                    Some(context),
                )
            }
            None => {
                let config = Config::incluster().map_err(|_| {
                    "no cluster is configured: there is no ~/.kube/config and no KUBECONFIG; \
                     give --kubeconfig FILE, or try `wheelhouse demo`"
                })?;
                (config, None)
            }
        };
        // A plugin that asks on the terminal would fight the screen for it: it has to work alone.
        if let Some(exec) = &mut config.auth_info.exec {
            exec.interactive_mode = Some(ExecInteractiveMode::Never);
        }
        if let Some(namespace) = &self.namespace {
            config.default_namespace = namespace.clone();
        }
        Ok((context, config))
    }

    /// The kubeconfig and where it came from; `None` when none was named and none is in its usual place.
    fn read(&self) -> Result<Option<(Kubeconfig, String)>, String> {
        if let Some(file) = &self.kubeconfig {
            return Ok(Some((read_file(file)?, file.display().to_string())));
        }
        if let Some(list) = env::var_os("KUBECONFIG").filter(|v| !v.is_empty()) {
            // As kubectl does: files of the list that do not exist are passed over.
            let files: Vec<_> = env::split_paths(&list).filter(|f| f.exists()).collect();
            if files.is_empty() {
                return Err(format!("no file of KUBECONFIG ({}) exists", list.to_string_lossy()));
            }
            let mut all = Kubeconfig::default();
            for file in &files {
                all = all.merge(read_file(file)?).map_err(|e| format!("{}: {e}", file.display()))?;
            }
            return Ok(Some((all, "KUBECONFIG".to_owned())));
        }
        let usual = env::home_dir().map(|home| home.join(".kube").join("config")).filter(|f| f.exists());
        match usual {
            Some(file) => Ok(Some((read_file(&file)?, file.display().to_string()))),
            None if self.context.is_some() => Err(format!(
                "context `{}` is not known: there is no kubeconfig; give --kubeconfig FILE",
                self.context.as_deref().unwrap_or_default()
            )),
            None => Ok(None),
        }
    }

    fn context_of(&self, kubeconfig: &Kubeconfig, place: &str) -> Result<String, String> {
        let mut known: Vec<_> = kubeconfig.contexts.iter().map(|c| c.name.as_str()).collect();
        known.sort_unstable();
        let known =
            if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
        let current = kubeconfig.current_context.as_ref().filter(|c| !c.is_empty());
        let Some(name) = self.context.as_ref().or(current) else {
            return Err(format!("{place} names no current context: give --context ({known})"));
        };
        if kubeconfig.contexts.iter().any(|c| c.name == *name) {
            Ok(name.clone())
        } else {
            Err(format!("{place} has no context `{name}`: {known}"))
        }
    }
}

fn read_file(file: &Path) -> Result<Kubeconfig, String> {
    Kubeconfig::read_from(file).map_err(|e| {
        use kube::config::KubeconfigError::{Parse, ReadConfig};
        match e {
            ReadConfig(why, _) => format!("the kubeconfig {} cannot be read: {why}", file.display()),
            Parse(why) => {
                format!("the kubeconfig {} is not valid: {}", file.display(), first_line(&why.to_string()))
            }
            other => format!("the kubeconfig {}: {other}", file.display()),
        }
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}
