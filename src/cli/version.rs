//! What the program is: its version, and the commit it is built from.

use std::sync::LazyLock;

/// The version, with the commit where that is known: `0.1.0 (1a2b3c4d5e6f)`.
pub(super) fn version() -> &'static str {
    static VERSION: LazyLock<String> = LazyLock::new(|| match option_env!("WHEELHOUSE_COMMIT") {
        Some(commit) => format!("{} ({commit})", env!("CARGO_PKG_VERSION")),
        None => env!("CARGO_PKG_VERSION").to_owned(),
    });
    &VERSION
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    include!("../build/commit.rs");

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn the_commit_is_read_from_a_repository_a_work_tree_and_packed_refs() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let of = |name: &str| commit(&folder.path().join(name)).map(|(commit, _)| commit);
        assert_eq!(of("nothing"), None);
        write("detached/.git/HEAD", &format!("{COMMIT}\n"));
        assert_eq!(of("detached").as_deref(), Some(COMMIT));
        write("plain/.git/HEAD", "ref: refs/heads/main\n");
        assert_eq!(of("plain"), None);
        write("plain/.git/packed-refs", &format!("# pack-refs\n{COMMIT} refs/heads/main\n"));
        assert_eq!(of("plain").as_deref(), Some(COMMIT));
        write("plain/.git/refs/heads/main", &COMMIT.replace('0', "f"));
        assert_eq!(of("plain"), Some(COMMIT.replace('0', "f")));
        write("tree/.git", "gitdir: ../plain/.git/worktrees/tree\n");
        write("plain/.git/worktrees/tree/HEAD", "ref: refs/heads/side\n");
        write("plain/.git/worktrees/tree/commondir", "../..\n");
        write("plain/.git/refs/heads/side", &format!("{COMMIT}\n"));
        assert_eq!(of("tree").as_deref(), Some(COMMIT));
        write("odd/.git/HEAD", "what is this\n");
        assert_eq!(of("odd"), None);
    }
}
