//! Whether every crate that can be published could be, today.

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::{Result, metadata, readmes};

/// Fields that a published manifest must have.
const NEEDED: [&str; 7] =
    ["description", "license", "keywords", "categories", "readme", "rust_version", "edition"];

/// Checks manifests and READMEs, and makes the archives of all crates. That they build is the step `features`.
pub(crate) fn check(sh: &Shell) -> Result<()> {
    readmes::run(&["--check".to_owned()])?;
    let mut hidden = Vec::new();
    for package in metadata::packages(sh)? {
        let name = package["name"].as_str().ok_or("a package without a name")?;
        if !metadata::is_published(&package) {
            hidden.push(format!("--exclude={name}"));
        } else if let Some(member) = NEEDED.iter().find(|member| is_empty(&package[**member])) {
            return Err(format!("{name}: its manifest has no `{member}`").into());
        }
    }
    // A manifest that names a crate without a version, and a file that is not in the archive, are errors here.
    let options = ["--no-verify", "--allow-dirty", "--quiet"];
    Ok(cmd!(sh, "cargo package --workspace {hidden...} {options...}").run()?)
}

fn is_empty(member: &Value) -> bool {
    match member {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => true,
    }
}
