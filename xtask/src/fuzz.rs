//! `cargo xtask fuzz`: the fuzz targets, each for some minutes.

use std::path::Path;

use xshell::{Shell, cmd};

use crate::Result;

/// Runs every target of `fuzz/`, or those that are named, under libFuzzer.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let usage = "cargo xtask fuzz [--minutes N] [TARGET…]";
    let (mut minutes, mut targets) = (1_u64, Vec::new());
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "--minutes" => minutes = args.next().and_then(|n| n.parse().ok()).ok_or(usage)?,
            other if !other.starts_with('-') => targets.push(other.to_owned()),
            _ => return Err(usage.into()),
        }
    }
    let sh = Shell::new()?;
    if cmd!(sh, "cargo fuzz --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        return Err("cargo-fuzz is not installed: cargo install cargo-fuzz".into());
    }
    if targets.is_empty() {
        targets = all(&sh)?;
    }
    let _dir = sh.push_dir("fuzz");
    let seconds = format!("-max_total_time={}", minutes * 60);
    for target in &targets {
        // What is committed is where each run begins; what a run finds new stays out of the repository.
        let (found, seeds) = (format!("corpus/{target}"), format!("seeds/{target}"));
        sh.create_dir(&found)?;
        println!("fuzz: {target} for {minutes} min");
        let limits = ["-max_len=65536", "-timeout=10", "-rss_limit_mb=1024"];
        let dirs = [Some(&found), sh.path_exists(&seeds).then_some(&seeds)];
        let dirs: Vec<&String> = dirs.into_iter().flatten().collect();
        cmd!(sh, "cargo +nightly fuzz run {target} {dirs...} -- {seconds} {limits...}").run()?;
    }
    Ok(())
}

/// The names of the targets: the files of `fuzz/fuzz_targets`.
fn all(sh: &Shell) -> Result<Vec<String>> {
    let files = sh.read_dir("fuzz/fuzz_targets")?;
    let stem = |path: &Path| Some(path.file_stem()?.to_str()?.to_owned());
    Ok(files.iter().filter_map(|path| stem(path)).collect())
}
