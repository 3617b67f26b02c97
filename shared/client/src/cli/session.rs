//! One run of the command line: its settings, its outputs, its server

use super::{
    args::Global,
    exit::Failure,
    host::Host,
    profile::{self, Profile},
    render,
    style::{ColorChoice, Style},
};
use crate::api::{ApiError, Client};
use serde::Serialize;
use weir_domain::time::Time;
use weir_edge::wire::page::Page;

/// One run of the command line
pub struct Session {
    /// The machine
    pub host: Host,
    /// What was given to every command
    pub global: Global,
    /// What goes on when the command is interrupted, and how to see it again
    pub goes_on: Option<String>,
}

impl Session {
    /// A run with these settings on that machine
    pub const fn new(host: Host, global: Global) -> Self {
        Self { host, global, goes_on: None }
    }

    /// Whether data is JSON
    pub const fn is_json(&self) -> bool {
        self.global.json
    }

    /// The time of day
    pub fn now(&self) -> Time {
        (self.host.now)()
    }

    /// How data looks
    pub fn style(&self) -> Style {
        Style { colour: self.colour(self.host.terminal.out), now: Some(self.now()) }
    }

    /// How progress and prose look
    pub fn prose_style(&self) -> Style {
        Style { colour: self.colour(self.host.terminal.err), now: Some(self.now()) }
    }

    const fn colour(&self, is_terminal: bool) -> bool {
        match self.global.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && !self.host.no_color,
        }
    }

    /// Writes data: `text` is whole lines
    pub fn data(&mut self, text: &str) -> Result<(), Failure> {
        self.host.out.write_all(text.as_bytes())?;
        Ok(self.host.out.flush()?)
    }

    /// Writes one JSON value on a line of its own
    pub fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| Failure::Wrong(error.to_string()))?;
        self.data(&format!("{text}\n"))
    }

    /// Writes `value` as JSON, or else what `render` makes of it
    pub fn show<T: Serialize>(
        &mut self,
        value: &T,
        render: impl FnOnce(&T, Style) -> String,
    ) -> Result<(), Failure> {
        if self.is_json() {
            return self.json(value);
        }
        let text = render(value, self.style());
        self.data(&text)
    }

    /// Writes a line of prose
    ///
    /// It is for a person: that it cannot be written is no reason to end what is being done.
    pub fn note(&mut self, text: &str) {
        let _ = writeln!(self.host.err, "{text}");
    }

    /// Suggests the next command
    pub fn next(&mut self, what: &str, command: &str) {
        if !self.is_json() {
            let style = self.prose_style();
            self.note(&format!("{} {}", style.dim(format!("{what}:")), style.strong(command)));
        }
    }

    /// Asks whoever sits at the terminal, and nobody else: none where nobody does
    pub fn ask(&mut self, question: &str) -> Result<Option<String>, Failure> {
        let Some(answers) = self.host.answers.as_mut().filter(|_| !self.global.json) else { return Ok(None) };
        let _ = write!(self.host.err, "{question}");
        let _ = self.host.err.flush();
        let mut answer = String::new();
        answers.read_line(&mut answer)?;
        Ok(Some(answer.trim().to_owned()))
    }

    /// The server, for what is the whole workspace's and no tenant's
    pub fn workspace_client(&self) -> Result<Client, Failure> {
        Ok(self.client()?.without_tenant())
    }

    /// The server that the command is for
    pub fn client(&self) -> Result<Client, Failure> {
        let config_dir = self.host.config_dir.as_deref();
        // Settings that are not needed are not read, so that a broken file of them is no obstacle.
        let wanted = self.global.server.is_none() || self.global.profile.is_some();
        let found = if wanted { profile::find(config_dir, self.global.profile.as_deref())? } else { None };
        let Profile { server, token_file, tenant } = found.unwrap_or_default();
        let named = Some(server.clone()).filter(|server| !server.is_empty());
        let address = self.global.server.clone().or(named).ok_or(Failure::NoServer)?;
        let mut client = Client::new(&address)?;
        let token = match &self.global.token {
            Some(token) => Some(token.clone()),
            None => Profile { server, token_file, tenant: None }.token(config_dir)?,
        };
        if let Some(token) = token {
            client = client.with_bearer(token);
        }
        let tenant = self.global.tenant.clone().or(tenant).filter(|tenant| !tenant.is_empty());
        Ok(match tenant {
            Some(tenant) => client.with_tenant(tenant),
            None => client,
        })
    }

    /// Shows a list, as far as it was asked for, and how to see the rest
    pub fn show_list<T: Serialize>(
        &mut self,
        page: &Page<T>,
        none: &str,
        render: impl FnOnce(&[T], Style) -> render::Table,
    ) -> Result<(), Failure> {
        if self.is_json() {
            return self.json(page);
        }
        if page.items.is_empty() {
            self.note(none);
        }
        let style = self.style();
        self.data(&render(&page.items, style).to_text(style))?;
        if let Some(cursor) = &page.next_cursor {
            self.note(&format!("there are more: --cursor {cursor}"));
        }
        Ok(())
    }
}

/// Up to `limit` items of a list, read page after page: `call` is given the query of each, with `filter`
pub async fn collect<'a, T>(
    limit: u32,
    cursor: Option<&str>,
    filter: impl IntoIterator<Item = (&'a str, &'a str)> + Clone,
    call: impl AsyncFn(&[(&str, &str)]) -> Result<Page<T>, ApiError>,
) -> Result<Page<T>, ApiError> {
    let mut all = Page { items: Vec::new(), next_cursor: cursor.map(str::to_owned) };
    loop {
        let have = u32::try_from(all.items.len()).unwrap_or(u32::MAX);
        let (left, cursor) = (limit.saturating_sub(have).to_string(), all.next_cursor.take());
        let mut query = vec![("limit", left.as_str())];
        for (name, value) in filter.clone() {
            query.push((name, value));
        }
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let next = call(&query).await?;
        all.items.extend(next.items);
        all.next_cursor = next.next_cursor;
        if all.next_cursor.is_none() || all.items.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
            return Ok(all);
        }
    }
}
