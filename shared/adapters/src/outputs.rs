//! What is kept of an answer: a few named values, within bounds

use crate::Failed;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The most values that one job keeps
pub const COUNT_MAX: usize = 20;
/// The largest value, in bytes of JSON
pub const VALUE_MAX: usize = 2 * 1024;
/// The longest name, in bytes
pub const NAME_MAX: usize = 64;

/// What to keep: name → JSON pointer into the answer
pub type Wanted = BTreeMap<String, String>;

/// That no more is wanted than can be kept, said before anything is called
pub fn check(wanted: &Wanted) -> Result<(), Failed> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if wanted.len() > COUNT_MAX {
        return Err(Failed::terminal("bad_inputs", format!("at most {COUNT_MAX} outputs are kept")));
    }
    for (name, pointer) in wanted {
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(plain) {
            let message = "an output's name has small letters, digits and `_`, at most 64";
            return Err(Failed::terminal("bad_inputs", message));
        }
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(Failed::terminal("bad_inputs", format!("the output `{name}` is no JSON pointer")));
        }
    }
    Ok(())
}

/// The wanted values in `answer`
pub fn pick(wanted: &Wanted, answer: &[u8]) -> Result<Map<String, Value>, Failed> {
    if wanted.is_empty() {
        return Ok(Map::new());
    }
    let answer: Value = serde_json::from_slice(answer)
        .map_err(|_| Failed::terminal("output_missing", "the answer is no JSON"))?;
    pick_from(wanted, &answer)
}

/// The wanted values in `answer`
pub fn pick_from(wanted: &Wanted, answer: &Value) -> Result<Map<String, Value>, Failed> {
    let mut kept = Map::new();
    for (name, pointer) in wanted {
        let missing = || Failed::terminal("output_missing", format!("the answer has no `{pointer}`"));
        let value = answer.pointer(pointer).ok_or_else(missing)?;
        if value.to_string().len() > VALUE_MAX {
            let message = format!("the output `{name}` has more than {VALUE_MAX} bytes");
            return Err(Failed::terminal("output_too_large", message));
        }
        kept.insert(name.clone(), value.clone());
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn wanted(pairs: &[(&str, &str)]) -> Wanted {
        pairs.iter().map(|(name, pointer)| ((*name).to_owned(), (*pointer).to_owned())).collect()
    }

    #[test]
    fn what_is_wanted_is_kept_and_nothing_else() {
        let answer = json!({ "id": 7, "deep": { "list": ["a"] }, "rest": true }).to_string();
        let kept = pick(&wanted(&[("id", "/id"), ("first", "/deep/list/0")]), answer.as_bytes()).unwrap();
        assert_eq!(Value::from(kept), json!({ "id": 7, "first": "a" }));
        assert_eq!(pick(&Wanted::new(), b"no json").unwrap(), Map::new());
    }

    #[test]
    fn what_cannot_be_kept_fails_for_good() {
        let long = json!({ "a": "x".repeat(VALUE_MAX) }).to_string();
        for (pointer, answer, code) in [
            ("/b", r#"{"a": 1}"#, "output_missing"),
            ("/a", "no json", "output_missing"),
            ("/a", long.as_str(), "output_too_large"),
        ] {
            let failed = pick(&wanted(&[("a", pointer)]), answer.as_bytes()).unwrap_err();
            assert_eq!((failed.code, failed.retryable), (code, false), "{pointer}");
        }
        for pairs in [[("A", "/a")], [("", "/a")], [("a", "a")]] {
            assert_eq!(check(&wanted(&pairs)).unwrap_err().code, "bad_inputs", "{pairs:?}");
        }
        let many: Wanted = (0..=COUNT_MAX).map(|n| (format!("n{n}"), "/a".to_owned())).collect();
        assert!(check(&many).is_err());
    }
}
