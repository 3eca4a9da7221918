//! What Cargo knows of the workspace.

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::Result;

/// The packages of the workspace, as `cargo metadata` has them.
pub(crate) fn packages(sh: &Shell) -> Result<Vec<Value>> {
    let text = cmd!(sh, "cargo metadata --format-version 1 --no-deps").quiet().read()?;
    let mut metadata: Value = serde_json::from_str(&text)?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        _ => Err("cargo metadata without packages".into()),
    }
}

/// Whether a package can be published.
pub(crate) fn is_published(package: &Value) -> bool {
    package["publish"].is_null()
}
