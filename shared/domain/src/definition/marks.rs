//! Texts of a plan in which names still stand, `${TOKEN}` or `${outputs.id}`, beside texts that only look like that
//!
//! Of the dollars before a brace that are nothing but text there are twice as many, so that `$${TOKEN}` stands for
//! `${TOKEN}` and names nothing: whatever somebody gave is never taken for what the recipe says. Whoever sends the text
//! reads it in the same way (`weir_adapters::Secrets`).

use super::spec::SecretRef;
use serde_json::Value;

/// One part of such a text
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// As it is
    Text(String),
    /// What stands between `${` and `}`, to be filled in
    Name(String),
}

/// `text` in parts; what `is_name` does not know is a text
pub(super) fn read(text: &str, is_name: impl Fn(&str) -> bool) -> Vec<Part> {
    let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let words = before.trim_end_matches('$');
        let dollars = before.len() - words.len() + 1;
        plain.push_str(words);
        plain.push_str(&"$".repeat(dollars / 2));
        let named = after.split_once('}').filter(|(name, _)| dollars % 2 == 1 && is_name(name));
        rest = match named {
            Some((name, tail)) => {
                parts.push(Part::Text(std::mem::take(&mut plain)));
                parts.push(Part::Name(name.to_owned()));
                tail
            }
            None => {
                plain.push_str(if dollars % 2 == 1 { "${" } else { "{" });
                after
            }
        };
    }
    plain.push_str(rest);
    parts.push(Part::Text(plain));
    parts.retain(|part| *part != Part::Text(String::new()));
    parts
}

/// The text that reads as `parts`; texts that follow each other are one
pub(super) fn written(parts: &[Part]) -> String {
    let (mut text, mut plain) = (String::new(), String::new());
    for part in parts {
        match part {
            Part::Text(more) => plain.push_str(more),
            Part::Name(name) => {
                text.push_str(&doubled(&std::mem::take(&mut plain), true));
                text.push_str(&format!("${{{name}}}"));
            }
        }
    }
    text.push_str(&doubled(&plain, false));
    text
}

/// `plain` with its dollars before braces doubled, and those at its end where a name follows
fn doubled(plain: &str, is_before_name: bool) -> String {
    let (mut text, mut dollars) = (String::with_capacity(plain.len()), 0);
    for c in plain.chars() {
        if c == '$' {
            dollars += 1;
            continue;
        }
        text.push_str(&"$".repeat(if c == '{' { 2 * dollars } else { dollars }));
        text.push(c);
        dollars = 0;
    }
    text.push_str(&"$".repeat(if is_before_name { 2 * dollars } else { dollars }));
    text
}

/// `value`, in which nothing is a name, so that it reads as what it is
pub(super) fn literal(value: &Value) -> Value {
    texts(value, &|text| doubled(text, false))
}

/// What `value` reads as; names that are left stay
pub(super) fn plain(value: &Value) -> Value {
    let whole = |part| match part {
        Part::Text(text) => text,
        Part::Name(name) => format!("${{{name}}}"),
    };
    texts(value, &|text| read(text, |_| true).into_iter().map(whole).collect())
}

/// Whether `name` is that of a secret
pub(super) fn is_secret(name: &str) -> bool {
    format!("${{{name}}}").parse::<SecretRef>().is_ok()
}

/// `value` with each of its texts as `change` makes it; names of fields stay as they are
fn texts(value: &Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(text)),
        Value::Array(items) => items.iter().map(|item| texts(item, change)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), texts(value, change))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_text_that_looks_like_a_name_is_told_from_one() {
        for (parts, expected) in [
            (vec![Part::Text("${A}".to_owned())], "$${A}"),
            (vec![Part::Text("US$".to_owned()), Part::Name("A".to_owned())], "US$$${A}"),
            (vec![Part::Text("$".to_owned()), Part::Text("{A}".to_owned())], "$${A}"),
            (vec![Part::Text("$5 {x} $".to_owned())], "$5 {x} $"),
        ] {
            assert_eq!(written(&parts), expected);
        }
        assert_eq!(read("${a ${B}", is_secret), [Part::Text("${a ".to_owned()), Part::Name("B".to_owned())]);
        let value = json!({ "${A}": ["${A} $${B}", 1] });
        assert_eq!(literal(&value), json!({ "${A}": ["$${A} $$$${B}", 1] }));
        assert_eq!(plain(&literal(&value)), value);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(
            parts in proptest::collection::vec(
                prop_oneof!["[${}A]{0,5}".prop_map(Part::Text), "[AB]".prop_map(Part::Name)], 0..6
            )
        ) {
            let whole = |parts: &[Part]| parts.iter().fold((String::new(), Vec::new()), |(text, mut names), part| match part {
                Part::Text(more) => (text + more, names),
                Part::Name(name) => { names.push((text.len(), name.clone())); (text, names) }
            });
            prop_assert_eq!(whole(&read(&written(&parts), is_secret)), whole(&parts));
        }
    }
}
