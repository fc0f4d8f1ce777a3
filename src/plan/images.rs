//! Image references: another tag of the same image, and whether one is known to exist.

use std::sync::Arc;

use super::{Check, Verdict};
use crate::cluster::{PodState, Snapshot, image_tag};

/// The rule that an image exists.
pub const IMAGE: &str = "image";

/// The image with another tag, or another image where a whole reference is given (`registry/app:2.5.0`, a digest).
pub fn retagged(image: &str, wanted: &str) -> Arc<str> {
    let whole = wanted.contains(['/', ':', '@']);
    if whole {
        return wanted.into();
    }
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let (folder, last) = name.rsplit_once('/').map_or(("", name), |(folder, last)| (folder, last));
    let last = last.split_once(':').map_or(last, |(last, _)| last);
    match folder {
        "" => format!("{last}:{wanted}").into(),
        _ => format!("{folder}/{last}:{wanted}").into(),
    }
}

/// Why that is no tag and no reference of an image, if so.
///
/// Source: the grammar of `distribution/reference`; only what a mistyped one breaks is asked for.
pub(super) fn misspelt(wanted: &str) -> Option<String> {
    let tag = |text: &str| {
        let first = text.chars().next();
        first.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
            && text.len() <= 128
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    let odd = wanted.is_empty()
        || wanted.split('/').any(str::is_empty)
        || wanted.chars().any(|c| c.is_whitespace() || c.is_control());
    let fits = match wanted.contains(['/', ':', '@']) {
        _ if odd => false,
        true => wanted.contains('@') || tag(image_tag(wanted)),
        false => tag(wanted),
    };
    (!fits).then(|| format!("`{wanted}` is no tag of an image, such as 2.5.0, and no whole reference"))
}

/// Whether an image is known to exist: a pod runs it, or a node has it.
pub(super) fn exists(seen: &Snapshot, image: &str) -> Check {
    let runs = seen.pods.values().find(|pod| {
        let has = pod.spec.containers.iter().any(|c| &*c.image == image);
        has && matches!(seen.state_of(pod), PodState::Ready)
    });
    if let Some(pod) = runs {
        return Check::new(IMAGE, Verdict::Ok, format!("{image} exists: {} runs it", pod.key));
    }
    let has = |names: &[String]| names.iter().any(|name| name == image);
    let on = seen.nodes.values().find(|node| node.images.iter().any(|(names, _)| has(names)));
    match on {
        Some(node) => Check::new(IMAGE, Verdict::Ok, format!("{image} exists: {} has it", node.name)),
        None => {
            let text = format!("no pod runs {image}, and no node has it: the rehearsal asks its registry");
            Check::new(IMAGE, Verdict::Warn, text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_replaces_tag_and_digest_and_a_reference_replaces_all() {
        for (image, wanted, then) in [
            ("registry:5000/app", "2.5.0", "registry:5000/app:2.5.0"),
            ("registry.example/app:2.4.1", "2.5.0", "registry.example/app:2.5.0"),
            ("registry.example/app:2.4.1@sha256:0123", "2.5.0", "registry.example/app:2.5.0"),
            ("app", "2.5.0", "app:2.5.0"),
            ("app:1", "other/app:2", "other/app:2"),
            ("app:1", "app@sha256:01", "app@sha256:01"),
        ] {
            assert_eq!(&*retagged(image, wanted), then);
        }
        for bad in ["", " 2.5.0", "2.5 0", "-2", "2.5.0/", "a:b c"] {
            assert!(misspelt(bad).is_some(), "{bad}");
        }
        for good in ["2.5.0", "v2_1-rc.1", "registry:5000/app:2.5.0", "app@sha256:01", "r/app"] {
            assert_eq!(misspelt(good), None, "{good}");
        }
    }
}
