//! Takes secrets, tokens and addresses of people out of texts that came from outside
//!
//! What an adapter, an agent or a platform says may hold anything. Everything of it that is stored or shown goes
//! through [`sanitise`]. It takes out too much rather than too little, but never an id or digest of ours.

/// Longest sanitised text, in characters
pub const TEXT_MAX: usize = 1_000;

/// What stands in the place of what was taken out
pub const REDACTED: &str = "[redacted]";

/// Parts of a name that say that its value may be a secret
const SECRET_NAMES: [&str; 15] = [
    "secret",
    "token",
    "password",
    "passwd",
    "pwd",
    "credential",
    "authorization",
    "cookie",
    "signature",
    "private_key",
    "privatekey",
    "api_key",
    "apikey",
    "access_key",
    "accesskey",
];

/// What tokens of well-known systems begin with
const TOKEN_STARTS: [&str; 16] = [
    "akia",
    "asia",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "sk-",
    "sk_",
    "rk_",
    "aiza",
    "npm_",
    "wrt_",
];

/// Whether the value of what is called `name` may be a secret
pub fn is_secret_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase().replace('-', "_");
    SECRET_NAMES.iter().any(|part| lower.contains(part))
}

/// `text` on one line, without secrets, tokens and e-mail addresses, of at most 1,000 characters
pub fn sanitise(text: &str) -> String {
    let text = without_keys(text);
    let mut out: Vec<String> = Vec::new();
    let mut secret_follows = false;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let marks = ["bearer", "basic"].contains(&bare(word).to_ascii_lowercase().as_str());
        if secret_follows && !marks && word.chars().any(char::is_alphanumeric) {
            out.push(REDACTED.to_owned());
            secret_follows = false;
            continue;
        }
        let (clean, open) = clean_word(word);
        secret_follows = marks || open || (secret_follows && !word.chars().any(char::is_alphanumeric));
        out.push(clean);
    }
    bounded(&out.join(" "))
}

/// `text` with whole PEM blocks taken out, also those that are cut off
fn without_keys(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, block)) = rest.split_once("-----BEGIN") {
        out.push_str(before);
        out.push_str(REDACTED);
        let end = block.split_once("-----END").and_then(|(_, end)| end.split_once("-----"));
        rest = end.map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

/// A word without its secrets, and whether it names a secret that stands in the next word (`password: hunter2`)
fn clean_word(word: &str) -> (String, bool) {
    let word = without_login(word);
    let mut out = String::new();
    let mut redact_next = false;
    let mut rest = word.as_str();
    while !rest.is_empty() {
        let end = rest.find(is_separator).unwrap_or(rest.len());
        let (piece, tail) = rest.split_at(end);
        if !piece.is_empty() {
            let assigned = tail.trim_start_matches(['"', '\'']).starts_with(['=', ':']);
            if redact_next {
                out.push_str(REDACTED);
                redact_next = false;
            } else if assigned && is_secret_name(piece) {
                out.push_str(piece);
                redact_next = true;
            } else {
                out.push_str(&clean_piece(piece));
            }
        }
        let separators = tail.len() - tail.trim_start_matches(is_separator).len();
        let (between, after) = tail.split_at(separators);
        out.push_str(between);
        redact_next = redact_next && !between.contains([',', ';', '&', '}']);
        rest = after;
    }
    (out, redact_next)
}

fn is_separator(c: char) -> bool {
    matches!(
        c,
        '=' | ':' | '&' | '?' | ',' | ';' | '"' | '\'' | '(' | ')' | '[' | ']' | '{' | '}' | '<' | '>' | '`'
    )
}

/// `scheme://user:password@host` without what stands before the host
fn without_login(word: &str) -> String {
    match word.split_once("://") {
        Some((scheme, rest)) => {
            let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (authority, path) = rest.split_at(authority);
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            let login = if host.len() < authority.len() { format!("{REDACTED}@") } else { String::new() };
            format!("{scheme}://{login}{host}{path}")
        }
        None => word.to_owned(),
    }
}

fn clean_piece(piece: &str) -> String {
    let lower = piece.to_ascii_lowercase();
    let known = TOKEN_STARTS.iter().any(|start| lower.starts_with(start)) && piece.len() >= 16;
    let web_token = piece.starts_with("eyJ") && piece.contains('.') && piece.len() > 20;
    if known || web_token || is_random(piece) {
        REDACTED.to_owned()
    } else if is_email(piece) {
        "[email]".to_owned()
    } else {
        piece.to_owned()
    }
}

fn is_email(piece: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '%');
    piece.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && host.trim_end_matches('.').contains('.')
            && piece.chars().all(|c| part(c) || c == '@')
            || (piece.matches('@').count() == 1 && !name.is_empty() && host.len() > 3 && host.contains('.'))
    })
}

/// Whether `piece` looks like a key: long, of the letters of base 64, all kinds of them
///
/// Our digests have no capitals and the bodies of our ids no small letters.
fn is_random(piece: &str) -> bool {
    let body = match piece.split_once('_') {
        Some((prefix, body)) if prefix.len() <= 3 && prefix.bytes().all(|b| b.is_ascii_lowercase()) => body,
        _ => piece,
    };
    let count = |kind: fn(&u8) -> bool| body.bytes().filter(kind).count();
    let letters = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'_' | b'-' | b'.' | b'~');
    // With `/` in it, it may be a path: those are long too, but begin with it or have few capitals.
    let (long, capitals, digits) = if body.contains('/') { (36, 4, 1) } else { (24, 2, 2) };
    body.len() >= long
        && !body.starts_with('/')
        && body.bytes().all(letters)
        && count(u8::is_ascii_uppercase) >= capitals
        && count(u8::is_ascii_lowercase) >= 2
        && count(u8::is_ascii_digit) >= digits
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn bounded(text: &str) -> String {
    if text.chars().count() <= TEXT_MAX {
        return text.to_owned();
    }
    text.chars().take(TEXT_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_may_be_secret_is_taken_out() {
        let cases = [
            ("password=hunter2 was wrong", "password=[redacted] was wrong"),
            ("password: hunter2 was wrong", "password: [redacted] was wrong"),
            (r#"{"token": "abc", "port": 80}"#, r#"{"token": [redacted] "port": 80}"#),
            (r#"{"api_key":"abc","port":80}"#, r#"{"api_key":"[redacted]","port":80}"#),
            ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
            ("sent 'Basic dXNlcjpwYXNz' to it", "sent 'Basic [redacted] to it"),
            ("GET http://ann:pw@example.org/x?a=1", "GET http://[redacted]@example.org/x?a=1"),
            (
                "https://b/k?X-Amz-Signature=ab12&X-Amz-Date=2",
                "https://b/k?X-Amz-Signature=[redacted]&X-Amz-Date=2",
            ),
            ("key AKIAIOSFODNN7EXAMPLE is not known", "key [redacted] is not known"),
            ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln", "got [redacted]"),
            ("used wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY twice", "used [redacted] twice"),
            ("ask ann.lee@example.org, please", "ask [email], please"),
            ("a -----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY----- b", "a [redacted] b"),
            ("a -----BEGIN EC PRIVATE KEY-----\nMHc", "a [redacted]"),
        ];
        for (text, expected) in cases {
            assert_eq!(sanitise(text), expected, "{text}");
        }
    }

    #[test]
    fn what_helps_to_understand_stays() {
        for text in [
            "op_01ARZ3NDEKTSV4RRFFQ69G5FAV.7 failed after 3 attempts",
            "expected sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "`target.staging.stg-1` answered 503 at http://127.0.0.1:8080/health",
            "ConditionalCheckFailedException: the item was changed meanwhile",
        ] {
            assert_eq!(sanitise(text), text);
        }
    }

    proptest! {
        #[test]
        fn no_secret_survives_wherever_it_stands(
            before in "[ -~]{0,40}", secret in "[A-Z]{4}[a-z]{4}[0-9]{4}[A-Za-z0-9]{20}", after in "[ -~]{0,40}",
        ) {
            let clean = sanitise(&format!("{before} {secret} {after}"));
            prop_assert!(!clean.contains(&secret), "{clean}");
        }

        #[test]
        fn any_text_gets_one_short_line(text in any::<String>()) {
            let clean = sanitise(&text.repeat(20));
            prop_assert!(clean.chars().count() <= TEXT_MAX);
            prop_assert!(!clean.chars().any(char::is_control));
        }
    }
}
