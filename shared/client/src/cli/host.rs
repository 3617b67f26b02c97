//! What a command has of the machine that it runs on: its outputs, its terminal, its clock

use crate::clock;
use futures::future::BoxFuture;
use std::{
    env,
    ffi::OsString,
    io::{self, BufRead, IsTerminal as _, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use weir_domain::time::{Millis, Time};

/// How a command lets time pass between two looks at something
pub type Pause = Arc<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>;

/// Which outputs are terminals, and how large the screen is
#[derive(Debug, Clone, Copy, Default)]
pub struct Terminal {
    /// Whether somebody reads the data as it comes
    pub out: bool,
    /// Whether somebody reads the progress as it comes
    pub err: bool,
    /// Columns
    pub width: usize,
    /// Rows
    pub height: usize,
}

/// The machine, as far as a command meets it
pub struct Host {
    /// Where data goes
    pub out: Box<dyn Write + Send>,
    /// Where progress and prose go
    pub err: Box<dyn Write + Send>,
    /// Where the answers to questions come from; none where nobody can be asked
    pub answers: Option<Box<dyn BufRead + Send>>,
    /// What is behind them
    pub terminal: Terminal,
    /// Whether colours are not wanted: `NO_COLOR`
    pub no_color: bool,
    /// The folder of this user's settings
    pub config_dir: Option<PathBuf>,
    /// The time of day
    pub now: fn() -> Time,
    /// How time passes
    pub pause: Pause,
}

impl Host {
    /// This process's machine; the environment is read here and nowhere else
    pub fn of_process() -> Self {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let under_home = |home: OsString| PathBuf::from(home).join(".config");
        let (height, width) = console::Term::stderr().size();
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            answers: (io::stdin().is_terminal() && io::stderr().is_terminal())
                .then(|| Box::new(io::BufReader::new(io::stdin())) as Box<dyn BufRead + Send>),
            terminal: Terminal {
                out: io::stdout().is_terminal(),
                err: io::stderr().is_terminal(),
                width: width.into(),
                height: height.into(),
            },
            no_color: set("NO_COLOR").is_some(),
            config_dir: set("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| set("HOME").map(under_home)),
            now: || Millis::from(clock::now()).into(),
            pause: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
        }
    }
}
