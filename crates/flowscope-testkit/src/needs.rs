//! What tests need besides a Rust toolchain, for [`runner`](crate::runner).

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Set in the environment of a process that a test started, in a namespace or with other rights.
pub const INSIDE: &str = "FLOWSCOPE_TEST_INSIDE";

/// Something that is missing on this machine.
#[derive(Clone, Debug)]
pub struct Missing {
    /// A few words: `network namespaces`, `tshark`.
    pub what: String,
    /// Why it cannot be used.
    pub why: String,
    /// Whether `REQUIRE_NETNS=1` turns a skipped test into a failure.
    pub can_be_required: bool,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// Nothing.
///
/// # Errors
///
/// None.
pub fn nothing() -> Result<(), Missing> {
    Ok(())
}

/// A network namespace of its own, as root or in a user namespace, with veth interfaces.
///
/// # Errors
///
/// What is missing.
pub fn namespaces() -> Result<(), Missing> {
    programs(&["unshare", "timeout", "ip"])?;
    let root = unshare(ROOT);
    if root.is_ok() { Ok(()) } else { unshare(USER) }.map_err(no_namespaces)
}

/// As [`namespaces`], owned by root: BPF needs rights outside of any user namespace.
///
/// # Errors
///
/// What is missing.
pub fn namespaces_of_root() -> Result<(), Missing> {
    programs(&["unshare", "timeout", "ip"])?;
    if fs::metadata("/proc/self").map_or(true, |process| !owned_by_root(&process)) {
        return Err(no_namespaces("this process does not run as root".to_owned()));
    }
    unshare(ROOT).map_err(no_namespaces)
}

/// A user namespace.
///
/// # Errors
///
/// What is missing.
pub fn user_namespaces() -> Result<(), Missing> {
    let what = "user namespaces".to_owned();
    probe(&["--user", "--map-root-user", "true"]).map_err(|why| Missing {
        what,
        why,
        can_be_required: true,
    })
}

/// Programs that can be found in `PATH`, or where an administrator's programs are.
///
/// # Errors
///
/// The first that is missing.
pub fn programs(names: &[&str]) -> Result<(), Missing> {
    let path = format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default());
    let found = |name: &str| env::split_paths(&path).any(|folder| folder.join(name).exists());
    names.iter().find(|name| !found(name)).map_or(Ok(()), |name| {
        let why = "not installed".to_owned();
        Err(Missing { what: (*name).to_owned(), why, can_be_required: true })
    })
}

/// The corpus of real captures, `shared/corpus` beside the clone.
///
/// # Errors
///
/// What is missing.
pub fn corpus() -> Result<(), Missing> {
    let folder = corpus_folder();
    if folder.join("captures").is_dir() && folder.join("truth").is_dir() {
        return Ok(());
    }
    let why = "no folder ../shared/corpus beside the clone".to_owned();
    Err(Missing { what: "the corpus of captures".to_owned(), why, can_be_required: false })
}

/// Where [`corpus`] looks.
pub fn corpus_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus")
}

/// The namespaces of a test that runs as root.
pub(crate) const ROOT: &[&str] = &["--net", "--mount", "--pid", "--fork", "--kill-child"];

/// Those of a test that another user runs.
pub(crate) const USER: &[&str] =
    &["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child"];

/// Whether namespaces can be made, and interfaces in them.
pub(crate) fn unshare(namespaces: &[&str]) -> Result<(), String> {
    probe(&[namespaces, &["ip", "link", "add", "type", "veth"]].concat())
}

fn probe(arguments: &[&str]) -> Result<(), String> {
    match Command::new("unshare").args(arguments).output() {
        Ok(tried) if tried.status.success() => Ok(()),
        Ok(tried) => Err(String::from_utf8_lossy(&tried.stderr).trim().to_owned()),
        Err(error) => Err(format!("unshare: {error}")),
    }
}

fn no_namespaces(why: String) -> Missing {
    Missing { what: "network namespaces".to_owned(), why, can_be_required: true }
}

#[cfg(unix)]
fn owned_by_root(of: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    of.uid() == 0
}

#[cfg(not(unix))]
fn owned_by_root(_: &fs::Metadata) -> bool {
    false
}
