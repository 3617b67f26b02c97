//! Reading a request strictly: what is not asked for is refused, and the answer says where

mod strings;

use crate::{Auth, Kind, Problem};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use std::collections::BTreeMap;

/// `text` with its `%XX` decoded, if that is UTF-8 without control characters
pub fn percent(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            out.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok().filter(|text| !text.contains(char::is_control))
}

/// The pairs of a query string or a form, each name with its values in order
pub fn pairs(text: &str) -> Option<BTreeMap<String, Vec<String>>> {
    let mut pairs = BTreeMap::<String, Vec<String>>::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let read = |text: &str| percent(&text.replace('+', " "));
        pairs.entry(read(name)?).or_default().push(read(value)?);
    }
    Some(pairs)
}

/// What a route's `{…}` stand for
pub fn path<T: DeserializeOwned>(found: Vec<(String, String)>) -> Result<T, Problem> {
    let found = found.into_iter().map(|(name, value)| (name, vec![value])).collect();
    strings::read(found).map_err(|(_, message)| Problem::new(Kind::InvalidId, message))
}

/// The query string
pub fn query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let pairs = pairs(text).ok_or_else(|| {
        Problem::new(
            Kind::InvalidQuery,
            "the query string is not percent-encoded UTF-8 without control characters",
        )
    })?;
    strings::read(pairs).map_err(|(pointer, message)| {
        Problem::new(Kind::InvalidQuery, format!("the query string was refused: {message}"))
            .at(pointer, message)
    })
}

/// The body: JSON, or Slack's form
pub fn body<T: DeserializeOwned>(auth: Auth, media_type: Option<&str>, bytes: &[u8]) -> Result<T, Problem> {
    let wanted = match auth {
        Auth::SlackSignature => "application/x-www-form-urlencoded",
        Auth::Bearer | Auth::Agent | Auth::Registration | Auth::Callback | Auth::Public => "application/json",
    };
    let given = media_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if !bytes.is_empty() && !given.eq_ignore_ascii_case(wanted) {
        return Err(Problem::new(
            Kind::UnsupportedMediaType,
            format!("the body's `Content-Type` must be `{wanted}`"),
        ));
    }
    match auth {
        Auth::SlackSignature => form(bytes),
        Auth::Bearer | Auth::Agent | Auth::Registration | Auth::Callback | Auth::Public => json(bytes),
    }
}

fn form<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let pairs = std::str::from_utf8(bytes).ok().and_then(pairs);
    let pairs = pairs.ok_or_else(|| Problem::new(Kind::InvalidBody, "the body is not a form"))?;
    strings::read(pairs).map_err(|(pointer, message)| refused(&pointer, &message))
}

fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    // serde also reads structs from lists, field by field; a caller who sends a list meant something else.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|error| not_json(&error))?;
        return Err(refused("", "a list, expected an object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let pointer = pointer(error.path());
        let inner = error.into_inner();
        if inner.is_data() { refused(&pointer, &humane(&inner.to_string())) } else { not_json(&inner) }
    })?;
    reader.end().map_err(|error| not_json(&error))?;
    Ok(read)
}

fn refused(pointer: &str, message: &str) -> Problem {
    let place = if pointer.is_empty() { "its top" } else { pointer };
    Problem::new(Kind::InvalidBody, format!("the body was refused at `{place}`: {message}"))
        .at(pointer, message)
}

fn not_json(error: &serde_json::Error) -> Problem {
    let detail = format!("the body stops being JSON at line {}, column {}", error.line(), error.column());
    Problem::new(Kind::InvalidJson, detail)
}

/// A place in a document as a JSON pointer (RFC 6901)
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part);
    }
    pointer
}

/// The library's message in words that name no type of ours and no place that the pointer names better
fn humane(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let Some((found, expected)) = message.rsplit_once(", expected ") else { return message.to_owned() };
    let first = expected.split(' ').next().unwrap_or_default();
    let words = match first {
        "struct" | "map" => "an object",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "enum" | "variant" => "one of the documented values",
        _ if expected == "a sequence" => "a list",
        _ if expected == "a map" => "an object",
        _ => expected,
    };
    format!("{found}, expected {words}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use weir_domain::id::ReleaseId;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        size: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Whole {
        name: String,
        #[serde(default)]
        parts: Vec<Part>,
        #[serde(default)]
        release: Option<ReleaseId>,
    }

    fn refusal(body: &str) -> String {
        let problem = json::<Whole>(body.as_bytes()).unwrap_err();
        let places: String =
            problem.errors.iter().map(|e| format!(" [{}] {}", e.pointer, e.message)).collect();
        format!("{}{places}", problem.kind.slug())
    }

    #[test]
    fn a_body_that_is_refused_is_refused_at_its_place_and_in_plain_words() {
        for (body, expected) in [
            ("{", "invalid-json"),
            (r#"{"name":"a"} x"#, "invalid-json"),
            ("", "invalid-body [] missing field `name`"),
            ("[", "invalid-json"),
            (r#"["a"]"#, "invalid-body [] a list, expected an object"),
            (r#"{"name":1}"#, "invalid-body [/name] invalid type: integer `1`, expected a string"),
            (
                r#"{"name":"a","parts":[{"size":1},{"size":"x"}]}"#,
                "invalid-body [/parts/1/size] invalid type: string \"x\", expected a whole number, not negative",
            ),
            (r#"{"name":"a","parts":3}"#, "invalid-body [/parts] invalid type: integer `3`, expected a list"),
            (
                r#"{"name":"a","parts":[3]}"#,
                "invalid-body [/parts/0] invalid type: integer `3`, expected an object",
            ),
            (
                r#"{"name":"a","a/b":1}"#,
                "invalid-body [/a~1b] unknown field `a/b`, expected one of `name`, `parts`, `release`",
            ),
            (r#"{"name":"a","name":"b"}"#, "invalid-body [] duplicate field `name`"),
            (
                r#"{"name":"a","release":"pln_01ARZ3NDEKTSV4RRFFQ69G5FAV"}"#,
                "invalid-body [/release] `pln_01ARZ3NDEKTSV4RRFFQ69G5FAV` is not a release id: expected `rel_` and 26 letters or digits",
            ),
        ] {
            assert_eq!(refusal(body), expected, "{body}");
        }
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        Red,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Search {
        limit: Option<u32>,
        #[serde(default)]
        colour: Vec<Colour>,
        release: Option<ReleaseId>,
        deep: Option<bool>,
    }

    #[test]
    fn a_query_string_is_as_strict_as_a_body() {
        let found: Search = query("limit=5&colour=red&colour=red&deep=true").unwrap();
        assert_eq!(
            found,
            Search {
                limit: Some(5),
                colour: vec![Colour::Red, Colour::Red],
                release: None,
                deep: Some(true)
            }
        );
        for text in [
            "limit=x",
            "limit=-1",
            "limit=1&limit=2",
            "color=red",
            "colour=blue",
            "release=pln_1",
            "deep=1",
            "a=%ff",
        ] {
            let problem = query::<Search>(text).unwrap_err();
            assert_eq!(problem.kind, Kind::InvalidQuery, "{text}");
        }
    }

    #[test]
    fn an_id_of_another_kind_is_told_from_a_missing_one() {
        #[derive(Debug, Deserialize)]
        struct Wanted {
            #[expect(dead_code, reason = "only read")]
            release: ReleaseId,
        }
        let problem = path::<Wanted>(vec![("release".to_owned(), "pln_1".to_owned())]).unwrap_err();
        assert_eq!((problem.kind, problem.detail.contains("expected `rel_`")), (Kind::InvalidId, true));
    }
}
