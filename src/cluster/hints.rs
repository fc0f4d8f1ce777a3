//! What a workload says of itself about sizes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Memory, Mounted, Shared};

/// What a workload says of itself in its annotations, and the ConfigMaps its template mounts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hints {
    /// Annotation `wheelhouse.dev/request-memory`.
    pub request_memory: Option<Memory>,
    /// Annotation `wheelhouse.dev/max-children`.
    pub max_children: Option<u32>,
    /// Annotations that are there and not understood, one sentence each: they are passed over.
    pub misread: Vec<Arc<str>>,
    /// The ConfigMaps among the template's volumes, by mount.
    pub config_maps: Shared<Vec<Mounted>>,
}

impl Hints {
    /// Reads the annotations as written.
    pub fn read(request_memory: Option<&str>, max_children: Option<&str>) -> Self {
        let mut hints = Self::default();
        if let Some(text) = request_memory {
            match text.parse::<Memory>() {
                Ok(memory) if memory > Memory::ZERO => hints.request_memory = Some(memory),
                _ => hints.misread.push(
                    format!("wheelhouse.dev/request-memory `{text}` is not an amount such as 80Mi").into(),
                ),
            }
        }
        if let Some(text) = max_children {
            match text.trim().parse::<u32>() {
                Ok(children) if children > 0 => hints.max_children = Some(children),
                _ => hints
                    .misread
                    .push(format!("wheelhouse.dev/max-children `{text}` is not a number above 0").into()),
            }
        }
        hints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_that_are_not_understood_are_told_and_passed_over() {
        let hints = Hints::read(Some("96Mi"), Some("12"));
        assert_eq!((hints.request_memory, hints.max_children), (Some(Memory(96 << 20)), Some(12)));
        assert!(hints.misread.is_empty());
        let hints = Hints::read(Some("much"), Some("-1"));
        assert_eq!((hints.request_memory, hints.max_children, hints.misread.len()), (None, None, 2));
        assert!(hints.misread[0].contains("much") && hints.misread[0].contains("80Mi"));
        assert!(Hints::read(Some("0"), Some("0")).misread.len() == 2);
    }
}
