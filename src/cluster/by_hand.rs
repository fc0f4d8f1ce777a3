//! Lines to be typed into a shell: they lead to the cluster that is looked at, and nothing in a name is more than a name.

use std::borrow::Cow;

use super::Snapshot;

/// A word as a POSIX shell takes it: in single quotes unless nothing in it means anything to a shell.
pub fn shell(word: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

/// A command as a shell takes it.
pub fn words(command: &[String]) -> String {
    command.iter().map(|word| shell(word)).collect::<Vec<_>>().join(" ")
}

/// A program and its arguments as a shell takes them.
pub fn line<'a>(program: &'a str, arguments: impl IntoIterator<Item = &'a str>) -> String {
    let words = std::iter::once(program).chain(arguments).map(shell);
    words.collect::<Vec<_>>().join(" ")
}

/// `kubectl`, with the flags that lead it to this cluster, and to a namespace where one is given.
pub fn kubectl(seen: &Snapshot, namespace: Option<&str>) -> String {
    let mut line = program("kubectl", seen);
    if let Some(namespace) = namespace {
        line += &format!(" -n {}", shell(namespace));
    }
    line
}

/// `wheelhouse`, with the flags that lead it to this cluster.
pub fn wheelhouse(seen: &Snapshot) -> String {
    program("wheelhouse", seen)
}

fn program(name: &str, seen: &Snapshot) -> String {
    line(name, seen.api.flags.iter().map(|flag| &**flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_more_than_a_word() {
        for (word, quoted) in [
            ("acme", "acme"),
            ("arn:aws:eks:eu-1:1:cluster/prod", "arn:aws:eks:eu-1:1:cluster/prod"),
            ("admin@prod", "admin@prod"),
            ("my cluster", "'my cluster'"),
            ("it's; rm -rf $HOME", r"'it'\''s; rm -rf $HOME'"),
            ("~/kc", "'~/kc'"),
            ("é", "'é'"),
            ("", "''"),
        ] {
            assert_eq!(shell(word), quoted);
        }
    }

    #[test]
    fn the_flags_that_lead_to_the_cluster_stand_in_the_line() {
        let mut seen = Snapshot::default();
        assert_eq!(kubectl(&seen, Some("acme")), "kubectl -n acme");
        seen.api.flags = ["--context", "our cluster"].map(Into::into).into();
        assert_eq!(kubectl(&seen, None), "kubectl --context 'our cluster'");
        assert_eq!(wheelhouse(&seen), "wheelhouse --context 'our cluster'");
    }
}
