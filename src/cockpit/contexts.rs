//! From one cluster to another without leaving: what is looked at next, and which contexts were looked at before.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::shared;
use crate::{
    app::{Destination, Setup},
    config::{self, Config, LabelColour, Layers, Origin},
    ui::Role,
    wire::{Target, Wire},
};

/// So many names of contexts are remembered.
const REMEMBERED: usize = 50;

/// What a cockpit looks at, and by which configuration.
#[derive(Clone)]
pub struct Look {
    /// The configuration in its layers, for other contexts.
    pub layers: Layers,
    /// What is in force here.
    pub config: Config,
    /// How the cockpit is to look.
    pub setup: Setup,
    /// The cluster.
    pub wire: Wire,
}

/// Which cluster a configuration names.
pub fn target(config: &Config) -> Target {
    Target {
        kubeconfig: config.kubeconfig.as_deref().map(config::at_home),
        context: config.context.clone(),
        namespace: config.namespace.clone(),
    }
}

impl Look {
    /// At the cluster of a configuration.
    ///
    /// # Errors
    /// One sentence: the theme is not known, or the kubeconfig cannot be used.
    pub async fn at(layers: Layers, config: Config, state_dir: &Path) -> Result<Self, String> {
        let mut setup = shared::setup(&config, state_dir)?;
        let target = target(&config);
        let wire = Wire::connect_lazily(&target).await?;
        setup.contexts = sorted(target.contexts(), &remembered(state_dir));
        setup.label = config.label.clone().map(|label| (label, role(config.label_colour)));
        // A flag is about this session; what the file says can be lifted for a while.
        let said = layers.in_force(Some(wire.context())).map_err(|why| why.to_string())?;
        setup.fixed = config.read_only
            && said.iter().any(|one| {
                one.setting == "read-only" && matches!(one.from, Origin::Flag(_) | Origin::Environment(_))
            });
        Ok(Self { layers, config, setup, wire })
    }

    /// Somewhere else, with what was typed so far. Reads files only.
    ///
    /// # Errors
    /// One sentence: the configuration or the kubeconfig of that context cannot be used.
    pub(super) async fn go(&self, to: &Destination, state_dir: &Path) -> Result<Self, String> {
        let (layers, config) = match to {
            Destination::Namespace(namespace) => {
                (self.layers.clone(), Config { namespace: namespace.clone(), ..self.config.clone() })
            }
            Destination::Context(name) => {
                let layers = self.layers.elsewhere();
                let config = layers.config(Some(name)).map_err(|why| why.to_string())?;
                let (kubeconfig, context) = (self.config.kubeconfig.clone(), Some(name.clone()));
                (layers, Config { kubeconfig, context, ..config })
            }
        };
        let mut look = Self::at(layers, config, state_dir).await?;
        if matches!(to, Destination::Namespace(_)) {
            look.setup.passing = self.setup.passing;
            look.setup.onlooker = self.setup.onlooker.clone();
            look.setup.label = self.setup.label.clone();
        }
        Ok(look)
    }
}

fn role(colour: LabelColour) -> Role {
    match colour {
        LabelColour::Red => Role::Danger,
        LabelColour::Yellow => Role::Warn,
        LabelColour::Green => Role::Ok,
        LabelColour::Blue => Role::Accent,
    }
}

/// Those used last first, the others by name.
fn sorted(mut contexts: Vec<String>, recent: &[String]) -> Vec<String> {
    let rank = |name: &String| recent.iter().position(|known| known == name).unwrap_or(usize::MAX);
    contexts.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.cmp(b)));
    contexts
}

fn file(state_dir: &Path) -> PathBuf {
    state_dir.join("contexts")
}

/// The contexts that were looked at, the last first; none where nothing can be read.
fn remembered(state_dir: &Path) -> Vec<String> {
    let text = fs::read_to_string(file(state_dir)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Remembers that a context was looked at. That this cannot be written hinders nobody.
pub(super) fn remember(state_dir: &Path, context: &str) {
    let mut names = remembered(state_dir);
    names.retain(|name| name != context);
    names.insert(0, context.to_owned());
    names.truncate(REMEMBERED);
    if let Err(error) = super::themes::replace(&file(state_dir), &(names.join("\n") + "\n")) {
        tracing::warn!(%error, "the contexts looked at last cannot be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_used_last_come_first() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["lab", "prod", "lab"] {
            remember(folder.path(), name);
        }
        let all = ["a", "prod", "z", "lab"].map(str::to_owned).to_vec();
        assert_eq!(sorted(all, &remembered(folder.path())), ["lab", "prod", "a", "z"]);
    }
}
