//! Profiles: which server, with which token, so that neither has to be given with every command
//!
//! `weir/config.json` in the folder of the user's settings:
//!
//! ```json
//! { "default": "local",
//!   "profiles": { "local": { "server": "http://127.0.0.1:8080", "token_file": "token", "tenant": "acme" } } }
//! ```
//!
//! A token stands in a file of its own, so that this one can be shown and shared.

use super::{exit::Failure, style::plain};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, io, path::Path};
use weir_edge::wire::secret::Secret;

/// The file of profiles, below the folder of the user's settings
pub const FILE: &str = "weir/config.json";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    profiles: BTreeMap<String, Profile>,
}

/// One server, and who one is there
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its address
    pub server: String,
    /// A file that holds the token, from the folder of the profiles
    #[serde(default)]
    pub token_file: Option<String>,
    /// The tenant that commands are about
    #[serde(default)]
    pub tenant: Option<String>,
}

/// The profile that is called `name`, or the default one; none if there is no file and none was asked for
pub fn find(config_dir: Option<&Path>, name: Option<&str>) -> Result<Option<Profile>, Failure> {
    let Some(path) = config_dir.map(|dir| dir.join(FILE)) else {
        return missing(name, "this user has no folder of settings (HOME is not set)");
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return missing(name, &format!("`{}` does not exist", path.display()));
        }
        Err(error) => return Err(Failure::file(path, &error)),
    };
    let mut file: File = serde_json::from_str(&text)
        .map_err(|error| Failure::File { path: path.clone(), reason: error.to_string() })?;
    let Some(name) = name.or(file.default.as_deref()) else { return Ok(None) };
    match file.profiles.remove(name) {
        Some(profile) => Ok(Some(profile)),
        None => {
            let known: Vec<_> = file.profiles.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            Err(Failure::Usage(format!(
                "there is no profile `{}` in `{}`: there is {known}",
                plain(name),
                path.display()
            )))
        }
    }
}

fn missing(name: Option<&str>, why: &str) -> Result<Option<Profile>, Failure> {
    match name {
        None => Ok(None),
        Some(name) => Err(Failure::Usage(format!("there is no profile `{}`: {why}", plain(name)))),
    }
}

impl Profile {
    /// The token, read from its file
    pub fn token(&self, config_dir: Option<&Path>) -> Result<Option<Secret>, Failure> {
        let Some(file) = &self.token_file else { return Ok(None) };
        let folder = config_dir.map(|dir| dir.join(FILE)).and_then(|path| path.parent().map(Path::to_owned));
        let path = folder.unwrap_or_default().join(file);
        let text = fs::read_to_string(&path).map_err(|error| Failure::file(&path, &error))?;
        Ok(Some(Secret::new(text.trim())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(text: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("weir")).unwrap();
        fs::write(dir.path().join(FILE), text).unwrap();
        fs::write(dir.path().join("weir/token"), "t0ken\n").unwrap();
        dir
    }

    #[test]
    fn the_default_profile_is_taken_where_none_is_named() {
        let dir = dir(
            r#"{"default": "a", "profiles": {"a": {"server": "http://a", "token_file": "token"}, "b": {"server": "http://b"}}}"#,
        );
        let found = |name| find(Some(dir.path()), name).unwrap().unwrap();
        assert_eq!(found(None).server, "http://a");
        assert_eq!(found(Some("b")).server, "http://b");
        assert_eq!(found(None).token(Some(dir.path())).unwrap().unwrap().expose(), "t0ken");
        let wrong = find(Some(dir.path()), Some("c")).unwrap_err().to_string();
        assert!(wrong.contains("no profile `c`") && wrong.ends_with("there is a, b"), "{wrong}");
    }

    #[test]
    fn no_file_is_no_profile_unless_one_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(find(Some(dir.path()), None).unwrap(), None);
        assert!(find(Some(dir.path()), Some("a")).is_err());
        assert_eq!(find(None, None).unwrap(), None);
    }

    #[test]
    fn a_misspelt_field_is_an_error() {
        let dir = dir(r#"{"profiles": {"a": {"server": "http://a", "tokenfile": "x"}}}"#);
        let wrong = find(Some(dir.path()), None).unwrap_err().to_string();
        assert!(wrong.contains("tokenfile"), "{wrong}");
    }
}
