//! Image references: another tag of the same image, and whether one is known to exist.

use std::sync::Arc;

use super::{Check, Verdict};
use crate::cluster::{PodState, Snapshot};

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
    let fits = match wanted.contains(['/', ':', '@']) {
        true => is_reference(wanted, tag),
        false => tag(wanted),
    };
    (!fits).then(|| format!("`{wanted}` is no tag of an image, such as 2.5.0, and no whole reference"))
}

/// A whole reference: a host, a path in small letters, a tag and a digest, of which only the path has to be there.
fn is_reference(text: &str, is_tag: impl Fn(&str) -> bool) -> bool {
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    let hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let whole = |digest: &str| match digest.split_once(':') {
        Some(("sha256", sum)) => hex(sum, 64),
        Some(("sha512", sum)) => hex(sum, 128),
        _ => false,
    };
    let (name, label) = match rest.rsplit_once(':') {
        Some((name, label)) if !label.contains('/') => (name, Some(label)),
        _ => (rest, None),
    };
    let (host, path) = match name.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (Some(first), path),
        _ => (None, name),
    };
    let part = |part: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        ends(part.chars().next())
            && ends(part.chars().last())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
    };
    let server = |host: &str| {
        host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c))
    };
    digest.is_none_or(whole)
        && label.is_none_or(is_tag)
        && host.is_none_or(server)
        && path.split('/').all(part)
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
        for bad in [
            "",
            " 2.5.0",
            "2.5 0",
            "-2",
            "2.5.0/",
            "a:b c",
            ":latest",
            "app@sha256:abc",
            "r.example/app:2.4.1@",
            "r.example/UPPER:1",
            "r.example/:1",
            "/app",
            "app:",
            "@sha256:01",
        ] {
            assert!(misspelt(bad).is_some(), "{bad}");
        }
        let digest = format!("app@sha256:{}", "0123456789abcdef".repeat(4));
        for good in
            ["2.5.0", "v2_1-rc.1", "registry:5000/app:2.5.0", &digest, "r/app", "R.example/a/b-c__d:x"]
        {
            assert_eq!(misspelt(good), None, "{good}");
        }
    }
}
