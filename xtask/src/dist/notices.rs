//! Licences of the libraries that are linked into the program: most ask for their text to be beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use xshell::{Shell, cmd};

use super::{PACKAGE, TARGET};
use crate::Result;

/// What files with licences begin with, in capitals.
const NAMES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// What is linked and is no package.
const HEAD: &str = "\
Libraries in the program flowscope, and their licences. Where a library names several, by \"OR\", each of
them alone is enough. Besides these: the standard library of Rust, MIT OR Apache-2.0; and musl, MIT,
copyright of Rich Felker and others.
";

/// A library, its licences by name, and the texts that come with it.
struct Library {
    /// Its name and version.
    name: String,
    /// An SPDX expression.
    licence: String,
    texts: BTreeSet<String>,
}

/// The notices, as one text: the libraries, and then each text once.
pub(super) fn collect(sh: &Shell) -> Result<String> {
    let linked = linked(sh)?;
    let metadata =
        cmd!(sh, "cargo metadata --locked --format-version 1 --filter-platform {TARGET}");
    let metadata: Value = serde_json::from_str(&metadata.quiet().read()?)?;
    let mut libraries = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let field = |name: &str| package[name].as_str().unwrap_or_default();
        let name = format!("{} v{}", field("name"), field("version"));
        // Members have no source, and are licensed as the program.
        if package["source"].is_null() || !linked.contains(&name) {
            continue;
        }
        let folder =
            Path::new(field("manifest_path")).parent().ok_or("a package without a folder")?;
        libraries.push(Library { texts: texts(folder)?, licence: field("license").into(), name });
    }
    write(libraries)
}

/// Names and versions of what the program links: neither macros nor what is for builds and tests.
fn linked(sh: &Shell) -> Result<BTreeSet<String>> {
    let options = ["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"];
    let tree = cmd!(sh, "cargo tree --locked -p {PACKAGE} --target {TARGET} {options...}");
    Ok(tree.quiet().read()?.lines().map(str::to_owned).collect())
}

/// The texts of licences in the folder of a package.
fn texts(folder: &Path) -> Result<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if NAMES.iter().any(|prefix| name.starts_with(prefix)) && entry.file_type()?.is_file() {
            let text = fs::read_to_string(entry.path())?;
            // Copies of one text differ in the spaces at the ends of their lines.
            let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
            texts.insert(lines.join("\n").trim_matches('\n').to_owned());
        }
    }
    Ok(texts)
}

/// # Errors
///
/// If there is no library, or one without the name of a licence.
fn write(mut libraries: Vec<Library>) -> Result<String> {
    libraries.sort_by(|a, b| a.name.cmp(&b.name));
    if libraries.is_empty() {
        return Err("the program is linked with no library".into());
    }
    let mut out = format!("{HEAD}\n");
    let mut names_by_text: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for Library { name, licence, texts } in &libraries {
        if licence.is_empty() {
            return Err(format!("{name}: its manifest names no licence").into());
        }
        writeln!(out, "{name}: {licence}")?;
        for text in texts {
            names_by_text.entry(text).or_default().push(name);
        }
    }
    for (text, names) in names_by_text {
        writeln!(out, "\n\n==== {}\n\n{text}", names.join(", "))?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn library(name: &str, licence: &str, texts: &[&str]) -> Library {
        let texts = texts.iter().map(|&text| text.to_owned()).collect();
        Library { name: name.into(), licence: licence.into(), texts }
    }

    #[test]
    fn a_text_of_several_libraries_is_there_once() {
        let libraries = vec![
            library("b v2.0.0", "MIT", &["Text of b."]),
            library("c v0.1.0", "MIT OR Zlib", &["Shared text.", "Text of c."]),
            library("a v1.0.0", "MIT", &["Shared text."]),
        ];
        let text = write(libraries).unwrap();
        assert!(text.contains("\na v1.0.0: MIT\nb v2.0.0: MIT\nc v0.1.0: MIT OR Zlib\n"));
        assert!(text.contains("\n==== a v1.0.0, c v0.1.0\n\nShared text.\n"));
        assert_eq!(text.matches("Shared text.").count(), 1);
        assert!(text.contains("==== b v2.0.0\n\nText of b.\n"));
    }

    #[test]
    fn a_library_without_a_licence_is_an_error() {
        assert!(write(vec![library("a v1.0.0", "", &["Text."])]).is_err());
        assert!(write(Vec::new()).is_err());
    }

    #[test]
    fn files_with_licences_are_found_by_name() {
        let sh = Shell::new().unwrap();
        let folder = sh.create_temp_dir().unwrap();
        let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        file("LICENSE-MIT", "\nText.  \nMore.\n\n");
        file("license.md", "Text.\nMore.\n");
        file("NOTICE", "Notice.\n");
        file("README.md", "Read.\n");
        fs::create_dir(folder.path().join("LICENSES")).unwrap();
        let found = texts(folder.path()).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), ["Notice.", "Text.\nMore."]);
    }
}
