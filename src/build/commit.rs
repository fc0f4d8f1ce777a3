/// The commit that is checked out below a folder, and the files that say so; `None`: it is no repository, or not understood.
fn commit(root: &Path) -> Option<(String, Vec<std::path::PathBuf>)> {
    let dot = root.join(".git");
    // A work tree beside its repository has a file there that says where.
    let git = match fs::read_to_string(&dot) {
        Ok(text) => root.join(text.strip_prefix("gitdir:")?.trim()),
        Err(_) => dot,
    };
    let shared = fs::read_to_string(git.join("commondir")).map_or_else(|_| git.clone(), |text| git.join(text.trim()));
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let mut files = vec![git.join("HEAD")];
    let Some(name) = head.trim().strip_prefix("ref:").map(str::trim) else {
        return is_commit(head.trim()).then(|| (head.trim().to_owned(), files));
    };
    for file in [git.join(name), shared.join(name)] {
        if let Ok(text) = fs::read_to_string(&file) {
            files.push(file);
            return is_commit(text.trim()).then(|| (text.trim().to_owned(), files));
        }
    }
    let packed = shared.join("packed-refs");
    let text = fs::read_to_string(&packed).ok()?;
    let found = text.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' ').filter(|commit| is_commit(commit)));
    files.push(packed);
    found.map(|commit| (commit.to_owned(), files))
}

fn is_commit(text: &str) -> bool {
    text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
