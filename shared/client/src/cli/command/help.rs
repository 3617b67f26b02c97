//! `weir help`, `weir completions`

use crate::cli::{
    args::Cli,
    exit::{EXIT_CODES, Exit, Failure},
    session::Session,
    style::plain,
};
use clap::{Args, CommandFactory as _, error::ErrorKind};
use clap_complete::Shell;
use weir_domain::definition::{address::Kind, codes::Code};

/// What to explain
#[derive(Debug, Args)]
pub struct Help {
    /// A command (`promote`, `gate list`), a code (`W0207`), `exit-codes` or `kinds`
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
        [word] if word.parse::<Code>().is_ok() => code(word),
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

fn code(word: &str) -> String {
    let Ok(code) = word.parse::<Code>() else { return String::new() };
    format!("{code}: {}\n\n{}\n", code.title(), code.help())
}

/// The help of the command that `words` name, as `--help` shows it
fn command_help(words: &[&str]) -> Result<String, Failure> {
    let line = ["weir"].iter().chain(words).chain(&["--help"]);
    match Cli::command().try_get_matches_from(line) {
        Err(answer) if answer.kind() == ErrorKind::DisplayHelp => Ok(answer.to_string()),
        Err(_) | Ok(_) => Err(Failure::Usage(format!(
            "there is no help on `{}`: name a command, a code such as W0207, `exit-codes` or `kinds`",
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
