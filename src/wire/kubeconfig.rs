//! Reading kubeconfig files as kubectl does: merged, each entry by itself, and in words for what cannot be used.
//!
//! Only what a context needs is looked at closely: a broken entry of another cluster is nobody's business. As in Go,
//! `null` and an empty text are as good as nothing, and base64 may be wrapped.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use base64::Engine;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::sentence::one_line;

/// The entries of all files; of two with one name that of the first file counts.
#[derive(Debug, Default)]
pub(super) struct Kubeconfig {
    /// What to call it in a sentence.
    pub place: String,
    /// The first that is set.
    pub current: Option<String>,
    pub contexts: BTreeMap<String, Entry>,
    pub clusters: BTreeMap<String, Entry>,
    pub users: BTreeMap<String, Entry>,
}

/// One cluster, user or context.
#[derive(Debug)]
pub(super) struct Entry {
    /// ``cluster `lab` of /home/me/.kube/config``.
    pub name: String,
    /// The folder its paths are relative to.
    folder: PathBuf,
    fields: Map<String, Value>,
}

impl Kubeconfig {
    /// Reads and merges files.
    ///
    /// # Errors
    /// One sentence: which file, what is wrong with it and where.
    pub fn read(files: &[PathBuf]) -> Result<Self, String> {
        let names: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
        let mut all = Self { place: format!("the kubeconfig {}", names.join(" and ")), ..Self::default() };
        for file in files {
            all.take(file)?;
        }
        Ok(all)
    }

    /// It names nothing at all.
    pub fn is_empty(&self) -> bool {
        self.current.is_none()
            && self.contexts.is_empty()
            && self.clusters.is_empty()
            && self.users.is_empty()
    }

    fn take(&mut self, file: &Path) -> Result<(), String> {
        let what = format!("the kubeconfig {}", file.display());
        let text = text_of(file).map_err(|why| format!("{what} cannot be read: {why}"))?;
        for document in documents(&text).map_err(|why| format!("{what} is not valid YAML: {why}"))? {
            let Value::Object(mut fields) = without_nothing(document) else {
                return Err(format!("{what} holds no kubeconfig: it is not a list of fields"));
            };
            if let Some(kind) = fields.get("kind").and_then(Value::as_str).filter(|kind| *kind != "Config") {
                return Err(format!("{what} holds a {}, not a Config", one_line(kind)));
            }
            let current = fields.remove("current-context");
            match current {
                Some(Value::String(name)) => _ = self.current.get_or_insert(name),
                Some(_) => return Err(format!("{what}: current-context is not a name")),
                None => {}
            }
            for (list, one, into) in [
                ("clusters", "cluster", &mut self.clusters),
                ("users", "user", &mut self.users),
                ("contexts", "context", &mut self.contexts),
            ] {
                for (name, entry) in entries(fields.remove(list), list, one, file)? {
                    into.entry(name).or_insert(entry);
                }
            }
        }
        Ok(())
    }
}

/// The named entries of one list of one file.
fn entries(
    list: Option<Value>,
    plural: &str,
    one: &str,
    file: &Path,
) -> Result<BTreeMap<String, Entry>, String> {
    let what = format!("the kubeconfig {}", file.display());
    let list = match list {
        None => return Ok(BTreeMap::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(format!("{what}: {plural} is not a list")),
    };
    let mut found = BTreeMap::new();
    for item in list {
        let Value::Object(mut item) = item else {
            return Err(format!("{what}: {plural} holds something that is not a {one} with a name"));
        };
        let name = match item.remove("name") {
            Some(Value::String(name)) => name,
            Some(Value::Number(name)) => name.to_string(),
            Some(Value::Bool(name)) => name.to_string(),
            // Nothing can refer to it.
            _ => continue,
        };
        let fields = match item.remove(one) {
            None => Map::new(),
            Some(Value::Object(fields)) => fields,
            Some(_) => return Err(format!("{what}: {one} `{}` is not a list of fields", one_line(&name))),
        };
        let entry = Entry {
            name: format!("{one} `{}` of {what}", one_line(&name)),
            folder: file.parent().unwrap_or(Path::new("")).to_owned(),
            fields,
        };
        if found.insert(name.clone(), entry).is_some() {
            let name = one_line(&name);
            return Err(format!("{what} has two {plural} with the name `{name}`: rename or remove one"));
        }
    }
    Ok(found)
}

impl Entry {
    /// A text.
    ///
    /// # Errors
    /// One sentence: it is something else.
    pub fn text(&self, field: &str) -> Result<Option<String>, String> {
        match self.fields.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(Value::Number(_)) => Err(self.wrong(field, "is a number: put it in quotes")),
            Some(_) => Err(self.wrong(field, "is not a text")),
        }
    }

    /// Yes or no; no where nothing is said.
    ///
    /// # Errors
    /// One sentence: it is something else.
    pub fn flag(&self, field: &str) -> Result<bool, String> {
        match self.fields.get(field) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            // YAML 1.1, which kubectl reads, has more words for it.
            Some(Value::String(word)) => match word.to_lowercase().as_str() {
                "true" | "yes" | "on" | "y" => Ok(true),
                "false" | "no" | "off" | "n" => Ok(false),
                _ => Err(self.wrong(field, "is neither true nor false")),
            },
            Some(_) => Err(self.wrong(field, "is neither true nor false")),
        }
    }

    /// Anything with a structure.
    ///
    /// # Errors
    /// One sentence: it has another structure.
    pub fn value<T: DeserializeOwned>(&self, field: &str) -> Result<Option<T>, String> {
        let Some(value) = self.fields.get(field) else { return Ok(None) };
        if let Ok(read) = serde_json::from_value(value.clone()) {
            return Ok(Some(read));
        }
        // The part that is wrong, where it is one of several.
        let mut parts = value.as_object().into_iter().flatten();
        let part = parts.find(|(key, part)| {
            let alone = json!({key.as_str(): part});
            serde_json::from_value::<T>(alone).is_err_and(|why| why.to_string().starts_with("invalid"))
        });
        Err(match part {
            Some((key, _)) => self.wrong(&format!("{field}.{key}"), "is not what it should be"),
            None => self.wrong(field, "is not what it should be"),
        })
    }

    /// A path, from the folder of the file it stands in.
    ///
    /// # Errors
    /// One sentence: it is not a text.
    pub fn path(&self, field: &str) -> Result<Option<PathBuf>, String> {
        Ok(self.text(field)?.map(|path| self.folder.join(path)))
    }

    /// A command: looked for where programs are, or a path from the folder of the file it stands in.
    pub fn command(&self, command: &str) -> String {
        if command.contains('/') {
            self.folder.join(command).display().to_string()
        } else {
            command.to_owned()
        }
    }

    /// The bytes of `FIELD-data` (base64, wrapped or not), or else those of the file that `FIELD` names.
    ///
    /// # Errors
    /// One sentence: it is not base64, or the file cannot be read.
    pub fn bytes(&self, field: &str) -> Result<Option<Vec<u8>>, String> {
        let data = format!("{field}-data");
        if let Some(text) = self.text(&data)? {
            let whole: String = text.split_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(whole);
            return bytes.map(Some).map_err(|_| self.wrong(&data, "is not base64"));
        }
        let Some(path) = self.path(field)? else { return Ok(None) };
        let bytes = fs::read(&path);
        let unread = |why| {
            self.wrong(field, &format!("names {}, which cannot be read: {}", path.display(), plain(&why)))
        };
        bytes.map(Some).map_err(unread)
    }

    /// A sentence about one of its fields.
    pub fn wrong(&self, field: &str, what: &str) -> String {
        format!("{field} of {} {what}", self.name)
    }
}

/// The text of a file, with or without a byte order mark, in UTF-8 or in the UTF-16 that PowerShell writes.
fn text_of(file: &Path) -> Result<String, String> {
    let bytes = fs::read(file).map_err(|why| plain(&why))?;
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let pairs = bytes.chunks_exact(2);
        let whole = pairs.remainder().is_empty();
        let units: Vec<_> = pairs.map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok().filter(|_| whole)
    };
    let text = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        rest => String::from_utf8(rest.to_vec()).ok(),
    };
    text.ok_or_else(|| "it is not text in UTF-8".to_owned())
}

/// The documents of a file.
fn documents(text: &str) -> Result<Vec<Value>, String> {
    // JSON first: it may be indented by tabs, which YAML does not allow.
    if text.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str(text)
    {
        return Ok(vec![value]);
    }
    let options = serde_saphyr::options! { duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins };
    let documents: Result<Vec<Value>, _> = serde_saphyr::from_multiple_with_options(text, options);
    let documents = documents.map_err(|why| {
        let first = one_line(why.to_string().lines().next().unwrap_or_default());
        match text.lines().position(|line| line.trim_start_matches(' ').starts_with('\t')) {
            Some(line) => format!("line {} is indented by a tab, use spaces", line + 1),
            None => first,
        }
    })?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// The same without `null` and empty texts.
fn without_nothing(value: Value) -> Value {
    let kept = |value: &Value| !value.is_null() && value.as_str() != Some("");
    match value {
        Value::Object(fields) => Value::Object(
            fields.into_iter().filter(|(_, v)| kept(v)).map(|(k, v)| (k, without_nothing(v))).collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().filter(kept).map(without_nothing).collect()),
        other => other,
    }
}

/// What the system says, without its number.
pub(super) fn plain(why: &io::Error) -> String {
    match why.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "you have no right to read it".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => why.to_string(),
    }
}
