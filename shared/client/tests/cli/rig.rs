//! Running `weir` in this process, with its outputs caught and no time passing

use crate::server::Server;
use std::{
    io::{self, BufRead, Cursor, Write},
    sync::{Arc, Mutex},
};
use weir_client::cli::{
    self,
    host::{Host, Terminal},
};
use weir_domain::time::{Millis, Time};

/// What a command left behind
#[derive(Debug)]
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The first word of stdout that begins with `prefix`
    pub fn id(&self, prefix: &str) -> String {
        let word = self.out.split_whitespace().find(|word| word.starts_with(prefix));
        word.unwrap_or_else(|| panic!("no {prefix} in {self:?}")).to_owned()
    }

    /// Stdout as JSON values, one a line
    pub fn json(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[derive(Clone, Default)]
struct Caught(Arc<Mutex<Vec<u8>>>);

impl Write for Caught {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Caught {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Somebody at a machine
#[derive(Default)]
pub struct Somebody<'a> {
    /// Whether they sit at a terminal
    pub terminal: bool,
    /// What they answer
    pub answer: Option<&'a str>,
}

/// Runs `weir` as `who` with `line`, as somebody's script does
pub async fn weir(server: &Server, who: &str, line: &[&str]) -> Ran {
    weir_of(Somebody::default(), server, who, line).await
}

/// Runs `weir` as `who` with `line`
pub async fn weir_of(somebody: Somebody<'_>, server: &Server, who: &str, line: &[&str]) -> Ran {
    let (out, err) = (Caught::default(), Caught::default());
    let answers = somebody.answer.map(|it| Box::new(Cursor::new(it.to_owned())) as Box<dyn BufRead + Send>);
    let host = Host {
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
        answers,
        terminal: Terminal { out: somebody.terminal, err: somebody.terminal, width: 100, height: 30 },
        no_color: false,
        config_dir: None,
        now: || Time::from(Millis(1_763_700_060_000)),
        pause: Arc::new(|_| Box::pin(tokio::task::yield_now())),
    };
    let common = ["weir", "--server", &server.url, "--token", who];
    let line = common.iter().chain(line).map(Into::into);
    let exit = cli::run(line, host, std::future::pending()).await;
    Ran { code: exit.code(), out: out.text(), err: err.text() }
}
