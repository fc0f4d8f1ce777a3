//! One handle to the API server: connections, no meaning.

use std::path::PathBuf;

/// Which cluster.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The kubeconfig file; otherwise the usual ones.
    pub kubeconfig: Option<PathBuf>,
    /// The context; otherwise the current one.
    pub context: Option<String>,
    /// The namespace; otherwise the context's.
    pub namespace: Option<String>,
}

/// A cheap handle.
#[derive(Clone)]
pub struct Wire {
    context: String,
    config: kube::Config,
}

impl Wire {
    /// Reads the kubeconfig; does not touch the network.
    pub async fn connect_lazily(target: &Target) -> Result<Self, String> {
        let path = target.kubeconfig.as_ref().ok_or("no kubeconfig")?;
        let file = kube::config::Kubeconfig::read_from(path).map_err(|e| e.to_string())?;
        let context = file.current_context.clone().unwrap_or_default();
        let options = kube::config::KubeConfigOptions::default();
        let config =
            kube::Config::from_custom_kubeconfig(file, &options).await.map_err(|e| e.to_string())?;
        Ok(Self { context, config })
    }

    /// For mutations: nothing is retried behind our back.
    pub async fn writer(&self) -> Result<kube::Client, String> {
        let mut config = self.config.clone();
        config.default_retry = false;
        kube::Client::try_from(config).map_err(|e| e.to_string())
    }

    /// The context's name.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// The server's address.
    pub fn server(&self) -> String {
        self.config.cluster_url.to_string()
    }
}

/// An error as one sentence.
pub fn sentence(error: &kube::Error) -> String {
    error.to_string()
}
