//! `weir pack`: scenario packs, made, imported and listed

use super::definition::{Folder, checked, complain};
use crate::cli::{
    args::Paging,
    exit::{Exit, Failure},
    folder,
    render::{Cell, Table},
    session::{Session, collect},
    style::{Style, date_time, plain},
};
use clap::Subcommand;
use serde_json::json;
use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};
use weir_domain::definition::{
    bundle::{Bundle, ROOT},
    diagnostic::{Diagnostic, Severity},
    document::{packs_named, read, read_value},
    pack::{MANIFEST, MAX_PACK, Manifest, Opened, Pack as Content, is_named, open_pack},
};
use weir_edge::wire::pack::PackView;

/// Where imported packs are put in the definition's folder
const PACKS: &str = "packs";

/// Scenario packs
#[derive(Debug, Subcommand)]
pub enum Pack {
    /// Make a pack of a folder with a pack.yaml, and sign it
    Build {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The P-256 private key that signs it, as PKCS #8 in PEM
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Where it is written [default: NAME-VERSION.pack.json]
        #[arg(long, short = 'o', value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Verify a pack and put it into the definition's folder; `weir apply` makes it true
    Import {
        /// The pack's file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Which definition
        #[command(flatten)]
        folder: Folder,
    },
    /// List the packs that are applied
    List {
        /// Which part of them
        #[command(flatten)]
        paging: Paging,
    },
}

/// `weir pack …`
pub async fn run(session: &mut Session, command: &Pack) -> Result<Exit, Failure> {
    match command {
        Pack::Build { folder, key, output } => build(session, folder, key, output.as_deref()),
        Pack::Import { file, folder } => import(session, file, &folder.config),
        Pack::List { paging } => {
            let client = session.client()?;
            let call = async |query: &[(&str, &str)]| client.pack_list(query).await;
            let packs = collect(paging.limit, paging.cursor.as_deref(), None, call).await?;
            session.show_list(&packs, "no pack is applied; `weir pack import FILE` begins", table)?;
            Ok(Exit::Done)
        }
    }
}

fn build(session: &mut Session, folder: &Path, key: &Path, output: Option<&Path>) -> Result<Exit, Failure> {
    let files = folder::pack_files(folder)?;
    let manifest = manifest(&folder.join(MANIFEST))?;
    let wrong = |error: weir_domain::definition::pack::PackError| {
        Failure::Wrong(format!("{error} ({})", error.code()))
    };
    let pack = Content::new(manifest, files.clone()).map_err(wrong)?;
    let found = pack.findings().map_err(|error| Failure::Wrong(error.to_string()))?;
    if found.iter().any(|it| it.severity == Severity::Error) {
        return refused(session, &found, &Bundle { files });
    }
    let key = fs::read_to_string(key).map_err(|error| Failure::file(key, &error))?;
    let signed = pack.sign(&key).map_err(wrong)?;
    let Manifest { name, version, .. } = &pack.manifest;
    let output = output.map_or_else(|| PathBuf::from(format!("{name}-{version}.pack.json")), Path::to_owned);
    write_whole(&output, signed.text.as_bytes())?;
    let facts = json!({
        "file": output, "name": name, "version": version, "digest": signed.digest, "key_id": signed.key_id,
        "public_key": signed.public_key_pem,
    });
    session.show(&facts, |_, _| {
        format!(
            "{name} {version}: {}\n  digest  {}\n  signed  {}\n\n{}",
            output.display(),
            signed.digest,
            signed.key_id,
            signed.public_key_pem
        )
    })?;
    session.next("whoever imports it has to trust this public key", "weir help W0703");
    Ok(Exit::Done)
}

/// What the folder's manifest says
fn manifest(path: &Path) -> Result<Manifest, Failure> {
    let wrong = |reason: String| Failure::File { path: path.to_owned(), reason };
    let text = fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    let value = read_value(MANIFEST, &text).map_err(|found| {
        wrong(found.first().map_or_else(|| "is not YAML".to_owned(), |it| it.message.clone()))
    })?;
    serde_json::from_value(value).map_err(|error| wrong(error.to_string()))
}

fn refused(session: &mut Session, found: &[Diagnostic], bundle: &Bundle) -> Result<Exit, Failure> {
    if session.is_json() {
        session.json(&found)?;
    }
    complain(session, found, bundle);
    Ok(Exit::Failed)
}

/// Verifies the pack against the definition, as the server will; only if all of it holds is anything written
fn import(session: &mut Session, file: &Path, config: &Path) -> Result<Exit, Failure> {
    let (bundle, reading) = checked(config)?;
    let Some(definition) = reading.definition else {
        return refused(session, &reading.diagnostics, &bundle);
    };
    let text = pack_text(file)?;
    let opened = open_pack(&text, &definition.signers())
        .map_err(|error| Failure::Wrong(format!("`{}`: {error} ({})", file.display(), error.code())))?;
    let path = format!("{PACKS}/{}.pack.json", opened.pack.manifest.name);
    let mut with = bundle.files.clone();
    if let Some(root) = named(&bundle, &path)? {
        with.insert(ROOT.to_owned(), root);
    }
    with.insert(path.clone(), text.clone());
    let with = Bundle { files: with };
    let reading = read(&with, None).map_err(|error| Failure::Wrong(error.to_string()))?;
    let Some(after) = reading.definition else { return refused(session, &reading.diagnostics, &with) };
    write_whole(&config.join(&path), text.as_bytes())?;
    if let Some(root) = with.files.get(ROOT).filter(|root| bundle.files.get(ROOT) != Some(*root)) {
        write_whole(&config.join(ROOT), root.as_bytes())?;
    }
    let held: Vec<String> =
        after.packs().get(&opened.reference()).into_iter().flatten().map(|it| it.to_string()).collect();
    told(session, &opened, &path, &held)?;
    session.next("what would change", "weir plan");
    Ok(Exit::Done)
}

fn told(session: &mut Session, opened: &Opened, path: &str, held: &[String]) -> Result<(), Failure> {
    let manifest = &opened.pack.manifest;
    let facts = json!({
        "file": path, "name": manifest.name, "version": manifest.version, "vendor": manifest.vendor,
        "signer": opened.signer, "digest": opened.digest, "resources": held,
    });
    session.show(&facts, |_, _| {
        let mut text = format!(
            "{} {} of {}, signed by {}\n  {path}\n",
            manifest.name,
            plain(&manifest.version),
            plain(&manifest.vendor),
            plain(&opened.signer)
        );
        for address in held {
            let _ = writeln!(text, "  + {address}");
        }
        text
    })
}

/// `weir.yaml` with the packs' folder named, if it does not name `path` already
fn named(bundle: &Bundle, path: &str) -> Result<Option<String>, Failure> {
    let root = bundle.files.get(ROOT).cloned().unwrap_or_default();
    let patterns = packs_named(&root).unwrap_or_default();
    if is_named(&patterns, path) {
        return Ok(None);
    }
    if !patterns.is_empty() {
        return Err(Failure::Wrong(format!(
            "`{ROOT}` names its packs itself, and not `{path}`: add it to `packs`"
        )));
    }
    let ends = if root.ends_with('\n') { "" } else { "\n" };
    Ok(Some(format!("{root}{ends}\npacks:\n  - {PACKS}/*.pack.json\n")))
}

fn pack_text(file: &Path) -> Result<String, Failure> {
    let size = fs::metadata(file).map_err(|error| Failure::file(file, &error))?.len();
    if size > u64::try_from(MAX_PACK).unwrap_or(u64::MAX) {
        let reason = format!("{size} bytes are too many for a pack; {MAX_PACK} are the most (W0602)");
        return Err(Failure::File { path: file.to_owned(), reason });
    }
    fs::read_to_string(file).map_err(|error| Failure::file(file, &error))
}

/// Writes a file that is there whole or not at all
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::file(path, &error);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let beside = path.with_extension("part");
    fs::write(&beside, bytes).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}

fn table(packs: &[PackView], _: Style) -> Table {
    let mut table = Table::new(&["pack", "version", "source", "risk", "signer", "scenarios", "applied"]);
    let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    for pack in packs {
        let scenarios: Vec<_> = pack.scenarios.iter().map(|it| it.id.to_string()).collect();
        table.row([
            Cell::from(pack.id.as_str()),
            Cell::from(pack.version.as_str()),
            Cell::from(word(json!(pack.source))),
            Cell::from(word(json!(pack.risk))),
            Cell::from(pack.signer.as_str()),
            Cell::from(scenarios.join(", ")),
            Cell::from(date_time(pack.created_at)),
        ]);
    }
    table
}
