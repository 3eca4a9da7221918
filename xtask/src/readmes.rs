//! `cargo xtask readmes`: the README of each crate that can be published, made of its documentation.
//!
//! What `lib.rs` says of a crate is said once: a package's page shows the README, its documentation the same text with
//! links.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::{Result, metadata};

/// Writes them, or checks them.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let check = match args {
        [] => false,
        [check] if check == "--check" => true,
        _ => return Err("readmes takes --check, or nothing".into()),
    };
    let sh = Shell::new()?;
    let mut stale = Vec::new();
    for package in packages(&sh)? {
        let text = package.readme(&sh)?;
        let path = package.folder.join("README.md");
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        if check {
            stale.push(package.name);
        } else {
            fs::write(&path, text)?;
        }
    }
    if !stale.is_empty() {
        return Err(format!("`cargo xtask readmes` has to be run: {}", stale.join(", ")).into());
    }
    Ok(())
}

/// Packages are those of this platform, wherever the READMEs are written.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// A crate with a library.
struct Package {
    name: String,
    license: String,
    folder: PathBuf,
    library: PathBuf,
    /// What can be chosen, without `default`.
    features: Vec<String>,
}

/// Those of the workspace that can be published.
fn packages(sh: &Shell) -> Result<Vec<Package>> {
    let packages = metadata::packages(sh)?;
    Ok(packages
        .iter()
        .filter(|package| metadata::is_published(package))
        .filter_map(Package::of)
        .collect())
}

impl Package {
    /// `None` for a package that is a program alone.
    fn of(package: &Value) -> Option<Self> {
        let text = |member: &Value| member.as_str().map(str::to_owned);
        let is_library = |target: &&Value| {
            target["kind"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "lib"))
        };
        let library = package["targets"].as_array()?.iter().find(is_library)?;
        let features = package["features"].as_object()?.keys();
        Some(Package {
            name: text(&package["name"])?,
            license: text(&package["license"])?,
            folder: Path::new(package["manifest_path"].as_str()?).parent()?.to_owned(),
            library: text(&library["src_path"])?.into(),
            features: features.filter(|name| *name != "default").cloned().collect(),
        })
    }

    fn readme(&self, sh: &Shell) -> Result<String> {
        let source = fs::read_to_string(&self.library)?;
        let mut text = format!("# {}\n\n{}", self.name, markdown(&source));
        if !self.features.is_empty() {
            let features: Vec<_> = self.features.iter().map(|name| format!("`{name}`")).collect();
            write!(text, "\n## Features\n\n{}\n", features.join(", "))?;
        }
        write!(text, "\n## Dependencies\n\n{}\n", self.dependencies(sh)?)?;
        write!(text, "\n## Licence\n\n{}, at your choice.\n", self.license)?;
        Ok(text)
    }

    /// Which packages the crate names, and how many a build of it alone takes in, with its default features.
    fn dependencies(&self, sh: &Shell) -> Result<String> {
        let named = self.tree(sh, &["--depth", "1"])?;
        let all = self.tree(sh, &[])?;
        let others = all.iter().filter(|name| !is_ours(name)).count();
        let names: Vec<_> = named.iter().map(|name| format!("`{name}`")).collect();
        let named = match names.len() {
            0 => return Ok("None.".to_owned()),
            _ => names.join(", "),
        };
        Ok(match others {
            0 => format!("{named}. Nothing outside this workspace is built."),
            1 => format!("{named}. With theirs, one package outside this workspace is built."),
            _ => {
                format!("{named}. With theirs, {others} packages outside this workspace are built.")
            }
        })
    }

    /// The names of packages in the tree of normal dependencies.
    fn tree(&self, sh: &Shell, options: &[&str]) -> Result<BTreeSet<String>> {
        let name = &self.name;
        let how = ["--edges", "normal", "--prefix", "none", "--format", "{p}", "--target", HOST];
        let tree = cmd!(sh, "cargo tree --package {name} {how...} {options...}");
        let tree = tree.quiet().read()?;
        let names = tree.lines().filter_map(|line| line.split(' ').next());
        Ok(names.filter(|other| !other.is_empty() && other != name).map(str::to_owned).collect())
    }
}

/// Whether a package is of this workspace.
fn is_ours(name: &str) -> bool {
    name.starts_with("flowscope") || name.starts_with("netring")
}

/// The documentation of a crate as it stands in a README: without links to items and without hidden lines.
fn markdown(source: &str) -> String {
    let mut text = String::new();
    let mut is_code = false;
    let doc = source.lines().map_while(|line| line.strip_prefix("//!"));
    for line in doc.map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        if let Some(language) = line.strip_prefix("```") {
            is_code = !is_code;
            let is_rust = is_code && !matches!(language, "text" | "toml" | "sh" | "json");
            text.push_str(if is_rust { "```rust" } else { "```" });
            text.push_str(if is_code && !is_rust { language } else { "" });
        } else if is_code {
            if line == "#" || line.starts_with("# ") {
                continue;
            }
            text.push_str(line);
        } else {
            // The title is the crate's name.
            text.push_str(if line.starts_with('#') { "#" } else { "" });
            text.push_str(&without_items(line));
        }
        text.push('\n');
    }
    text
}

/// Takes links to items out of a line, and leaves their text.
fn without_items(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once('[') {
        text.push_str(before);
        let Some((label, behind)) = behind.split_once(']') else {
            text.push('[');
            rest = behind;
            continue;
        };
        let target = behind.strip_prefix('(').and_then(|target| target.split_once(')'));
        rest = match target {
            Some((target, behind)) if target.contains("://") => {
                text.push_str(&format!("[{label}]({target})"));
                behind
            }
            Some((_, behind)) => {
                text.push_str(label);
                behind
            }
            None => {
                // A link is in code; everything else in brackets is text.
                let is_link = label.starts_with('`');
                text.push_str(&if is_link { label.to_owned() } else { format!("[{label}]") });
                behind
            }
        };
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documentation_becomes_a_page() {
        let source = "//! Reads [`Things`] of [a kind](crate::kind), [RFC 1](https://rfc).\n//!\n//! # Errors\n//!\n//! ```\n//! # hidden();\n//! let [a] = shown();\n//! ```\n\nmod a;\n";
        let page = "Reads `Things` of a kind, [RFC 1](https://rfc).\n\n## Errors\n\n```rust\nlet [a] = shown();\n```\n";
        assert_eq!(markdown(source), page);
    }

    #[test]
    fn brackets_that_are_no_link_stay() {
        assert_eq!(without_items("a[1] and [`X`][y"), "a[1] and `X`[y");
    }
}
