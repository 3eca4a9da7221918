//! `cargo xtask dist`: what a release hands out for Linux, in `target/dist`: the command as one static program, in an
//! archive and in a package for Debian.
//!
//! The same commit and toolchain make the same bytes: names are sorted, times are that of the commit, owners are root,
//! and the program holds no path of this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::{Result, metadata, needs, targets};
use tree::Tree;

mod check;
mod debian;
mod elf;
mod notices;
mod tree;

/// What the program is built for: musl is linked into it, so that it runs on any distribution.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-musl";

/// Where archive, package and sums go.
const OUT: &str = "target/dist";

/// The package whose program it is. Its default features are those of a release: key logs are always in; `libpcap` needs
/// a C library, and the programs for Parquet and SQL are packages of their own, for the size of what they depend on.
const PACKAGE: &str = "flowscope-cli";

/// Programs that this needs besides Rust and a linker.
const PROGRAMS: [&str; 6] = ["tar", "gzip", "sha256sum", "md5sum", "dpkg-deb", "unshare"];

/// What is packed, and as what.
struct Release {
    /// As Cargo writes it.
    version: String,
    /// `NAME <ADDRESS>`.
    maintainer: String,
    /// Seconds since 1970, of every file.
    time: u64,
    /// The static program.
    program: Vec<u8>,
    /// Licences of what is linked into it.
    notices: String,
}

/// Builds and packs; with `--check`, starts what it packed in an empty root, too.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let is_checked = match args {
        [] => false,
        [check] if check == "--check" => true,
        _ => return Err("dist takes --check, or nothing".into()),
    };
    let sh = Shell::new()?;
    if !targets::is_installed(&sh, TARGET)? {
        return Err(targets::how_to_install(TARGET).into());
    }
    if let Some(program) = missing_program(&sh) {
        return Err(format!(
            "there is no {program}: apt-get install dpkg coreutils tar gzip util-linux"
        )
        .into());
    }
    make(&sh, is_checked)
}

/// The step of `cargo xtask ci`. Without the target, it says that it was skipped: not every toolchain has it, and it
/// comes over a network.
pub(crate) fn step(sh: &Shell) -> Result<()> {
    if !targets::is_installed(sh, TARGET)? {
        println!("SKIPPED: dist: {}", targets::how_to_install(TARGET));
        return Ok(());
    }
    if let Some(program) = missing_program(sh) {
        return needs::skip("dist", &format!("there is no {program}"));
    }
    make(sh, true)
}

fn make(sh: &Shell, is_checked: bool) -> Result<()> {
    let release = build(sh)?;
    sh.remove_path(OUT)?;
    sh.create_dir(OUT)?;
    let names = [pack_archive(sh, &release)?, debian::pack(sh, &release)?];
    {
        let _folder = sh.push_dir(OUT);
        let names = &names;
        let sums = cmd!(sh, "sha256sum {names...}").quiet().read()?;
        sh.write_file("SHA256SUMS", sums + "\n")?;
    }
    if is_checked {
        check::run(sh, &release)?;
    }
    for name in names {
        println!("{OUT}/{name}: {} bytes", fs::metadata(Path::new(OUT).join(&name))?.len());
    }
    Ok(())
}

/// Compiles the static program, and collects what is packed with it.
fn build(sh: &Shell) -> Result<Release> {
    let packages = metadata::packages(sh)?;
    let package = packages
        .iter()
        .find(|package| package["name"] == PACKAGE)
        .ok_or_else(|| format!("no package {PACKAGE}"))?;
    let version = package["version"].as_str().ok_or("a package without a version")?.to_owned();
    let author = package["authors"][0].as_str();
    let program = fs::read(program(sh)?)?;
    elf::check_static(&program)?;
    Ok(Release {
        version,
        maintainer: author.unwrap_or(debian::MAINTAINER).to_owned(),
        time: time(sh)?,
        program,
        notices: notices::collect(sh)?,
    })
}

/// Compiles the static program, and returns where it is.
pub(crate) fn program(sh: &Shell) -> Result<PathBuf> {
    let flags = format!("--remap-path-prefix={}=/cargo", cargo_home()?.display());
    {
        // A release is built without the RUSTFLAGS of the environment. CARGO_ENCODED_RUSTFLAGS allows paths with spaces.
        let _flags = sh.push_env("CARGO_ENCODED_RUSTFLAGS", flags);
        // Names of functions are a third of the program. A panic names its file and line without them.
        let options = ["--release", "--locked", "--config", "profile.release.strip=true"];
        cmd!(sh, "cargo build {options...} -p {PACKAGE} --target {TARGET}").run()?;
    }
    Ok(PathBuf::from(format!("target/{TARGET}/release/flowscope")))
}

/// Where Cargo keeps the sources of dependencies: their paths are in the messages of panics.
fn cargo_home() -> Result<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(env::home_dir()?.join(".cargo"))).ok_or_else(|| "no home directory".into())
}

/// The time that all files get: `SOURCE_DATE_EPOCH` from the environment, or that of the last commit.
fn time(sh: &Shell) -> Result<u64> {
    if let Ok(time) = env::var("SOURCE_DATE_EPOCH") {
        return Ok(time.parse().map_err(|_| "SOURCE_DATE_EPOCH is not a number of seconds")?);
    }
    let commit = cmd!(sh, "git log -1 --format=%ct").quiet().ignore_stderr().read();
    let commit = commit.map_err(|_| "no commit to take the time from: set SOURCE_DATE_EPOCH")?;
    Ok(commit.parse()?)
}

fn missing_program(sh: &Shell) -> Option<&'static str> {
    let is_there = |name: &str| {
        cmd!(sh, "{name} --version").quiet().ignore_stdout().ignore_stderr().run().is_ok()
    };
    PROGRAMS.into_iter().find(|&program| !is_there(program))
}

/// The folder in the archive, which is named as it.
fn folder_name(version: &str) -> String {
    format!("flowscope-{version}-x86_64-linux-musl")
}

/// Makes the archive, and returns its name.
fn pack_archive(sh: &Shell, release: &Release) -> Result<String> {
    let mut tree = Tree::default();
    tree.add_program("flowscope", release.program.clone());
    for name in ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md"] {
        tree.add(name, fs::read(name)?);
    }
    tree.add("THIRD-PARTY", release.notices.clone());
    tree.add("flowscope.service", fs::read("contrib/flowscope.service")?);
    for folder in ["man", "completions"] {
        for (name, contents) in files(&format!("contrib/{folder}"))? {
            tree.add(format!("{folder}/{name}"), contents);
        }
    }
    let folder = folder_name(&release.version);
    let root = Path::new(OUT).join("archive");
    tree.write(&root.join(&folder), release.time)?;
    let name = format!("{folder}.tar.gz");
    let (path, time) = (Path::new(OUT).join(&name), format!("@{}", release.time));
    // Without a time in the header of gzip.
    let packed = ["--create", "--use-compress-program=gzip -9n", "--format=gnu", "--sort=name"];
    let owner = ["--owner=0", "--group=0", "--numeric-owner"];
    cmd!(sh, "tar {packed...} {owner...} --mtime {time} --file {path} -C {root} {folder}")
        .quiet()
        .run()?;
    sh.remove_path(&root)?;
    Ok(name)
}

/// Names and contents of the files of a folder, sorted.
fn files(folder: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name =
            path.file_name().unwrap_or_default().to_str().ok_or("a name that is not text")?;
        files.push((name.to_owned(), fs::read(&path)?));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_named_by_version_and_platform() {
        assert_eq!(folder_name("0.1.0-rc.1"), "flowscope-0.1.0-rc.1-x86_64-linux-musl");
    }

    #[test]
    fn other_options_are_refused() {
        assert!(run(&["--chek".to_owned()]).is_err());
        assert!(run(&["--check".to_owned(), "x".to_owned()]).is_err());
    }
}
