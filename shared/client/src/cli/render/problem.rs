//! What went wrong, for a person

use crate::{
    api::ApiError,
    cli::{
        exit::Failure,
        style::{Style, plain},
    },
};
use std::fmt::Write as _;
use weir_edge::wire::problem::Kind;

/// An error as it is shown: what, which rule, where in the request, and by which id the server's logs know it
pub fn failure(failure: &Failure, style: Style) -> String {
    let mut text = String::new();
    match failure {
        Failure::Api(error) => api(&mut text, error, style),
        Failure::NoServer => {
            head(&mut text, style, None, &failure.to_string());
            let help = "`weir-local demo` prints the address and the tokens of a server on this machine";
            line(&mut text, style, "help", help);
        }
        Failure::Usage(_) | Failure::File { .. } | Failure::Wrong(_) | Failure::Output(_) => {
            head(&mut text, style, None, &failure.to_string());
        }
    }
    text
}

fn api(text: &mut String, error: &ApiError, style: Style) {
    match error {
        ApiError::Problem { status, code, title, detail, request_id, errors } => {
            head(text, style, Some(code), detail.as_deref().unwrap_or(title));
            if detail.is_some() {
                line(text, style, "rule", title);
            }
            for wrong in errors {
                let place = match &wrong.place {
                    Some(it) => format!("{}:{}:{} {}", it.file, it.line, it.column, it.code),
                    None if wrong.pointer.is_empty() => "the whole body".to_owned(),
                    None => wrong.pointer.clone(),
                };
                line(text, style, "at", &format!("{place}: {}", wrong.message));
            }
            let request = request_id.as_ref().map(|id| format!(" · request {id}")).unwrap_or_default();
            line(text, style, "answer", &format!("HTTP {status}{request}"));
            let explained = Kind::ALL.iter().any(|kind| kind.code() == code);
            let explained = explained.then(|| format!("`weir help {code}` explains it"));
            if let Some(help) = hint(code).map(str::to_owned).or(explained) {
                line(text, style, "help", &help);
            }
        }
        ApiError::Unreachable(_) => {
            head(text, style, None, &error.to_string());
            line(text, style, "help", "is it up, and is `--server` (or WEIR_SERVER) its address?");
        }
        ApiError::BadServer(_)
        | ApiError::Setup(_)
        | ApiError::Status { .. }
        | ApiError::TooLarge(_)
        | ApiError::Encode(_)
        | ApiError::Decode(_) => head(text, style, None, &error.to_string()),
    }
}

fn head(text: &mut String, style: Style, code: Option<&str>, what: &str) {
    let code = code.map(|code| format!("[{}]", plain(code))).unwrap_or_default();
    let _ = writeln!(text, "{}: {}", style.bad(format!("error{code}")), plain(what));
}

fn line(text: &mut String, style: Style, name: &str, what: &str) {
    let _ = writeln!(text, "  {} {}", style.dim(format!("{name:<6}")), plain(what));
}

/// What a person can do about it, where the server's answer cannot know that it was asked by this program
fn hint(code: &str) -> Option<&'static str> {
    match code {
        "W0401" => Some("give `--token TOKEN`, set WEIR_TOKEN, or write a profile"),
        "W0411" => Some("`weir gate list` shows what still waits"),
        "W0417" => Some("`weir plan` again, and apply the plan that it shows"),
        "W0423" => Some("`weir validate` shows each error where it stands"),
        "W0426" => Some("give `--tenant NAME` or set WEIR_TENANT"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden;
    use weir_domain::definition::codes::Code;
    use weir_edge::wire::problem::{DefinitionPlace, FieldError};

    fn problem(code: &str, detail: Option<&str>, errors: Vec<FieldError>) -> Failure {
        Failure::from(ApiError::Problem {
            status: 403,
            code: code.to_owned(),
            title: "The requester may not decide".to_owned(),
            detail: detail.map(str::to_owned),
            request_id: Some("req_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned()),
            errors,
        })
    }

    #[test]
    fn problems_look_like_this() {
        let wrong =
            |pointer: &str| FieldError { pointer: pointer.into(), message: "is missing".into(), place: None };
        let place = DefinitionPlace {
            code: Code::MissingReference,
            file: "services.yaml".into(),
            line: 16,
            column: 29,
        };
        let unknown = FieldError {
            message: "`environment.prodction` does not exist".into(),
            place: Some(place),
            ..wrong("/definition")
        };
        let failures = [
            problem(
                "W0412",
                Some(
                    "`alice` requested promotion `prm_…` and may not approve it; anyone else of `group:release-managers` may",
                ),
                Vec::new(),
            ),
            problem("W0423", Some("the definition has 1 error"), vec![unknown]),
            problem("W0406", None, vec![wrong("/release_id"), wrong("")]),
            problem("W0401", Some("evil \u{1b}[2J\nnews"), Vec::new()),
            Failure::from(ApiError::Unreachable("connection refused".to_owned())),
            Failure::from(ApiError::Status { status: 502 }),
            Failure::from(ApiError::BadServer("nowhere".to_owned())),
            Failure::NoServer,
            Failure::Usage("there is no profile `x`".to_owned()),
        ];
        let text: Vec<String> = failures.iter().map(|it| failure(it, Style::PLAIN)).collect();
        golden::check("problems.txt", &text.join("\n"));
    }
}
