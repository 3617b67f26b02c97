//! What is wrong with a definition, each at its place in its file

use crate::cli::style::{Style, plain};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, Severity as Weight, SourceCode,
};
use std::{collections::BTreeMap, fmt};
use weir_domain::definition::diagnostic::{Diagnostic, Severity};

/// No line of a definition has to be broken to be read; a terminal breaks it as it likes
const WIDTH: usize = 120;

/// Every diagnostic with the lines it is about, as far as `files` (path → text) holds them
pub fn diagnostics(found: &[Diagnostic], files: &BTreeMap<String, String>, style: Style) -> String {
    let theme = if style.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(WIDTH);
    let mut text = String::new();
    for diagnostic in found {
        let shown = Shown::new(diagnostic, files.get(&*diagnostic.place.file));
        if handler.render_report(&mut text, &shown).is_err() {
            text.push_str(&format!("{shown}\n"));
        }
        text.push('\n');
    }
    text
}

/// How many errors and warnings there are: `2 errors, 1 warning`
pub fn summary(found: &[Diagnostic]) -> String {
    let of = |severity| found.iter().filter(|it| it.severity == severity).count();
    let count =
        |n: usize, noun: &str| (n > 0).then(|| format!("{n} {noun}{}", if n == 1 { "" } else { "s" }));
    let parts = [count(of(Severity::Error), "error"), count(of(Severity::Warning), "warning")];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "no errors".to_owned() } else { parts.join(", ") }
}

/// A diagnostic with the text of its file
#[derive(Debug)]
struct Shown<'a> {
    diagnostic: &'a Diagnostic,
    message: String,
    help: Option<String>,
    source: Option<NamedSource<String>>,
    label: Option<LabeledSpan>,
}

impl<'a> Shown<'a> {
    fn new(diagnostic: &'a Diagnostic, file: Option<&String>) -> Self {
        let place = &diagnostic.place;
        let code = diagnostic.code;
        let severity = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let what = plain(&diagnostic.message);
        // Without the file's text there is no excerpt to say the place.
        let message = match file {
            Some(_) => format!("{severity}[{code}]: {what}"),
            None => {
                format!("{severity}[{code}]: {}:{}:{}: {what}", plain(&place.file), place.line, place.column)
            }
        };
        let see = format!("weir help {code}");
        let note = plain(diagnostic.note.as_deref().unwrap_or_else(|| code.help())).into_owned();
        let note = if note.contains(&see) { note } else { format!("{note} ({see})") };
        let help = diagnostic.help.iter().map(|help| plain(help).into_owned()).chain([note]);
        let label = diagnostic
            .label
            .as_deref()
            .map_or_else(|| code.title().to_owned(), |label| plain(label).into_owned());
        let spanned = file.map(|text| {
            let (offset, length) = span(text, place.line, place.column, place.length);
            LabeledSpan::new(Some(label), offset, length)
        });
        Self {
            diagnostic,
            message,
            help: Some(help.collect::<Vec<_>>().join("\n")),
            source: file.map(|text| NamedSource::new(plain(&place.file), text.clone())),
            label: spanned,
        }
    }
}

/// Where a place of lines and characters is in `text`, in bytes
fn span(text: &str, line: u32, column: u32, length: u32) -> (usize, usize) {
    let nth = |n: u32| usize::try_from(n.saturating_sub(1)).unwrap_or(usize::MAX);
    let before: usize = text.split_inclusive('\n').take(nth(line)).map(str::len).sum();
    let line = text.get(before..).unwrap_or_default().lines().next().unwrap_or_default();
    let bytes = |chars: usize| line.char_indices().nth(chars).map_or(line.len(), |(at, _)| at);
    let (from, to) = (bytes(nth(column)), bytes(nth(column.saturating_add(length))));
    (before + from, to.saturating_sub(from))
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<Weight> {
        Some(match self.diagnostic.severity {
            Severity::Error => Weight::Error,
            Severity::Warning => Weight::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.label
            .clone()
            .map(|label| Box::new(std::iter::once(label)) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::golden;
    use proptest::prelude::*;
    use weir_domain::definition::{bundle::Bundle, document};

    #[test]
    fn mistakes_look_like_this() {
        let root = "version: 1\nworkspace: harbor\nfiles: [services/*.yaml]\nenvironment:\n  production: {order_index: 1}\n";
        let services = "component:\n  web: {}\nservice:\n  shop:\n    repo: https://git.example.com/shop\n    components: [web]\n    environments: [environment.prodction]\n    retires: soon\n";
        let files = [("weir.yaml", root), ("services/checkout.yaml", services)];
        let files: BTreeMap<String, String> =
            files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        let reading = document::read(&Bundle { files: files.clone() }, None).unwrap();
        let text = diagnostics(&reading.diagnostics, &files, Style::PLAIN);
        let without = diagnostics(&reading.diagnostics, &BTreeMap::new(), Style::PLAIN);
        golden::check("diagnostics.txt", &format!("{text}{}\n\n{without}", summary(&reading.diagnostics)));
    }

    proptest! {
        #[test]
        fn a_span_is_always_within_the_text(
            text in "[a-zäß€\n]{0,40}", line in 0u32..9, column in 0u32..50, length in 0u32..50,
        ) {
            let (offset, length) = span(&text, line, column, length);
            prop_assert!(text.get(offset..offset + length).is_some());
        }
    }
}
