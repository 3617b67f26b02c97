//! `weir help`, `weir completions`

use crate::cli::{
    args::Cli,
    exit::{EXIT_CODES, Exit, Failure},
    session::Session,
    style::plain,
};
use clap::{Args, CommandFactory as _, error::ErrorKind};
use clap_complete::Shell;
use std::fmt::Write as _;
use weir_domain::definition::{address::Kind, codes::Code, nearest::nearest};
use weir_edge::wire::problem::Kind as Problem;

/// What to explain
#[derive(Debug, Args)]
pub struct Help {
    /// A command (`promote`, `gate list`), a code (`W0207`), `codes`, `exit-codes` or `kinds`
    #[arg(value_name = "TOPIC")]
    pub topic: Vec<String>,
}

/// For which shell
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// `weir help …`
pub fn run(session: &mut Session, command: &Help) -> Result<Exit, Failure> {
    let words: Vec<&str> = command.topic.iter().map(String::as_str).collect();
    let text = match words.as_slice() {
        ["exit-codes"] => EXIT_CODES.to_owned(),
        ["kinds"] => kinds(),
        ["codes"] => codes(),
        [word] if is_code(word) => code(word)?,
        words => command_help(words)?,
    };
    session.data(&text)?;
    Ok(Exit::Done)
}

fn kinds() -> String {
    let schemas = weir_domain::definition::schemas();
    let mut text = "Kinds of resources\n\n".to_owned();
    for (name, schema) in schemas.iter().filter(|(name, _)| name.parse::<Kind>().is_ok()) {
        let about = schema.get("description").and_then(serde_json::Value::as_str).unwrap_or_default();
        let about = about.lines().next().unwrap_or_default();
        let about = about.split_once(" (requirement").map_or(about, |(about, _)| about);
        text.push_str(format!("  {name:<16} {about}").trim_end());
        text.push('\n');
    }
    text.push_str("\nA definition declares them as `kind:`, below it names, below these their fields.\n");
    text
}

/// Whether `word` has the form of a code, such as `W0207`
fn is_code(word: &str) -> bool {
    let digits = word.strip_prefix(['W', 'w']);
    digits.is_some_and(|digits| digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Every code with its title: those of definitions, then those of the API's answers
fn all_codes() -> impl Iterator<Item = (&'static str, &'static str)> {
    let of_definitions = Code::all().map(|code| (code.as_str(), code.title()));
    of_definitions.chain(Problem::ALL.iter().map(|problem| (problem.code(), problem.title())))
}

fn codes() -> String {
    let mut text = "Codes of diagnostics and of answers\n\n".to_owned();
    for (code, title) in all_codes() {
        let _ = writeln!(text, "  {code}  {title}");
    }
    text.push_str("\n`weir help W0207` explains one.\n");
    text
}

/// What a diagnostic or a problem is about, and what to do
fn code(word: &str) -> Result<String, Failure> {
    let word = word.to_ascii_uppercase();
    if let Ok(code) = word.parse::<Code>() {
        return Ok(format!("{code}: {}\n\n{}\n", code.title(), code.help()));
    }
    if let Some(problem) = Problem::ALL.iter().find(|problem| problem.code() == word) {
        return Ok(page(*problem));
    }
    let near = nearest(&word, all_codes().map(|(code, _)| code));
    let near = near.map(|code| format!("did you mean `{code}`? ")).unwrap_or_default();
    Err(Failure::Usage(format!("there is no code `{word}`: {near}`weir help codes` lists all")))
}

/// A problem's page as text: its head on one line, the marks of its sections left out
fn page(problem: Problem) -> String {
    let (code, title, status) = (problem.code(), problem.title(), problem.status());
    let mut text = format!("{code}: {title} (HTTP {status})\n");
    let body = problem.page().split_once("\n## ").map_or("", |(_, body)| body);
    for line in body.lines() {
        let line = line.strip_prefix("## ").unwrap_or(line);
        let _ = write!(text, "\n{line}");
    }
    text.push('\n');
    text
}

/// The help of the command that `words` name, as `--help` shows it
fn command_help(words: &[&str]) -> Result<String, Failure> {
    let line = ["weir"].iter().chain(words).chain(&["--help"]);
    match Cli::command().try_get_matches_from(line) {
        Err(answer) if answer.kind() == ErrorKind::DisplayHelp => Ok(answer.to_string()),
        Err(_) | Ok(_) => Err(Failure::Usage(format!(
            "there is no help on `{}`: name a command, a code such as W0207, `codes`, `exit-codes` or `kinds`",
            plain(&words.join(" "))
        ))),
    }
}

/// `weir completions …`
pub fn completions(session: &mut Session, command: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Cli::command(), "weir", &mut script);
    session.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
