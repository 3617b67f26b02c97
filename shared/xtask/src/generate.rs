//! What is made from code and kept in the repository, so that a change of it can be reviewed

#![expect(clippy::print_stdout, reason = "this is a command for people")]

use crate::{Error, root, template};
use serde_json::Value;
use std::{fs, path::PathBuf};
use weir_domain::definition::schemas;
use weir_edge::{Route, function::FunctionSpec, openapi::openapi};

/// One file that is made
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Where, seen from the workspace's folder
    pub path: PathBuf,
    /// What is in it
    pub text: String,
}

/// The routes of the API
pub fn routes() -> Vec<Route> {
    weir_api::ENDPOINTS.iter().map(|entry| entry.route).collect()
}

/// Every function there is
pub fn functions() -> Vec<FunctionSpec> {
    let endpoints = routes();
    let endpoints = endpoints.iter().map(FunctionSpec::endpoint);
    endpoints
        .chain(weir_tasks::functions::TASKS.iter().copied())
        .chain(weir_reactors::functions::REACTORS.iter().copied())
        .collect()
}

/// Every file that is made
pub fn all() -> Vec<Generated> {
    let template =
        Generated { path: "infra/template.yaml".into(), text: template::text(&routes(), &functions()) };
    let openapi = json("infra/openapi.json", &openapi(weir_api::ENDPOINTS));
    let schemas =
        schemas().into_iter().map(|(name, schema)| json(&format!("infra/schemas/{name}.json"), &schema));
    [template, openapi].into_iter().chain(schemas).collect()
}

/// A JSON document for people: indented, in the order in which it was made
fn json(path: &str, value: &Value) -> Generated {
    Generated { path: path.into(), text: format!("{value:#}\n") }
}

/// Writes those that are not current
pub fn write() -> Result<(), Error> {
    for generated in stale()? {
        let path = root().join(&generated.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::file(folder))?;
        }
        fs::write(&path, &generated.text).map_err(Error::file(&path))?;
        println!("wrote {}", generated.path.display());
    }
    Ok(())
}

/// Fails where one is not current
pub fn check() -> Result<(), Error> {
    let stale: Vec<_> = stale()?.into_iter().map(|generated| generated.path.display().to_string()).collect();
    if stale.is_empty() { Ok(()) } else { Err(Error::NotCurrent(stale)) }
}

fn stale() -> Result<Vec<Generated>, Error> {
    let mut stale = Vec::new();
    for generated in all() {
        let path = root().join(&generated.path);
        let current = match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            read => Some(read.map_err(Error::file(&path))?),
        };
        if current.as_deref() != Some(&generated.text) {
            stale.push(generated);
        }
    }
    Ok(stale)
}
