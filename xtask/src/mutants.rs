//! `cargo xtask mutants`: faults planted in a crate one at a time; its tests have to fail with each of them.
//!
//! cargo-mutants plants them. Those that no test notices have to be in `xtask/mutants/CRATE.txt`, each with the
//! reason why that is right. One that is not listed fails the task, and so does a listed one that is noticed now.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use xshell::{Shell, cmd};

use crate::Result;

/// Where the lists are.
const LISTS: &str = "xtask/mutants";

/// Files whose faults say nothing about the tests: they are tests, or support of tests.
const NOT_FILES: [&str; 3] = ["**/tests.rs", "**/tests/**", "**/testing.rs"];

/// Faults that are not planted: texts for developers, and bytes held, whose limits tests hold by their order of
/// magnitude.
const NOT_FUNCTIONS: [&str; 2] = ["impl Debug for", "heap_bytes"];

/// Plants faults in a crate, or in those of its files that match a pattern.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let usage = "cargo xtask mutants CRATE [--file PATTERN]…";
    let (mut package, mut files) = (None, Vec::new());
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--file" => files.push(args.next().ok_or(usage)?),
            name if !name.starts_with('-') && package.is_none() => package = Some(name),
            _ => return Err(usage.into()),
        }
    }
    let package = package.ok_or(usage)?;
    let sh = Shell::new()?;
    if cmd!(sh, "cargo mutants --version").quiet().ignore_stdout().ignore_stderr().run().is_err() {
        return Err("cargo-mutants is not installed: cargo install cargo-mutants --locked".into());
    }
    let path = format!("{LISTS}/{package}.txt");
    let list = if sh.path_exists(&path) { sh.read_file(&path)? } else { String::new() };
    let list = List::parse(&list).map_err(|error| format!("{path}: {error}"))?;

    let output = format!("target/mutants/{package}");
    sh.create_dir(&output)?;
    let only = files.iter().flat_map(|file| ["--file", file.as_str()]);
    let not_files = NOT_FILES.iter().flat_map(|file| ["--exclude", file]);
    let not_functions = NOT_FUNCTIONS.iter().flat_map(|name| ["--exclude-re", name]);
    let tests = std::iter::once(package).chain(list.tests.iter().map(String::as_str));
    let tests = tests.flat_map(|name| ["--test-package", name]);
    let choice: Vec<&str> = only.chain(not_files).chain(not_functions).chain(tests).collect();
    // A fault may make a loop endless: it has three times the time of all tests together.
    let limits = ["--timeout-multiplier", "3", "--minimum-test-timeout", "30", "--no-config"];
    let run =
        cmd!(sh, "cargo mutants --package {package} {choice...} {limits...} --output {output}");
    let status = std::process::Command::from(run.ignore_status()).status()?;
    // 2: some were not noticed; 3: some took too long.
    if !matches!(status.code(), Some(0 | 2 | 3)) {
        return Err("cargo-mutants could not do its work".into());
    }
    let of = |name: &str| -> Result<Vec<Mutant>> {
        let text = sh.read_file(Path::new(&output).join("mutants.out").join(name))?;
        text.lines().map(|line| Mutant::parse(line, package)).collect()
    };
    let (missed, caught) = (of("missed.txt")?, [of("caught.txt")?, of("timeout.txt")?].concat());
    println!("mutants: {} noticed, {} not", caught.len(), missed.len());
    list.compare(&missed, &caught, files.is_empty())
        .map_err(|error| format!("{path}:\n{error}").into())
}

/// A fault, wherever in its file the code is now.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Mutant {
    /// Below the folder of the crate.
    file: String,
    what: String,
}

impl Mutant {
    /// A line of cargo-mutants: `crates/CRATE/FILE:LINE:COLUMN: WHAT`.
    fn parse(line: &str, package: &str) -> Result<Mutant> {
        let parts = || {
            let mut parts = line.splitn(4, ':');
            let (file, _, _) = (parts.next()?, parts.next()?, parts.next()?);
            Some((file, parts.next()?.trim()))
        };
        let (file, what) = parts().ok_or_else(|| format!("not a mutant: {line}"))?;
        let folder = format!("crates/{package}/");
        let file = file.strip_prefix(&folder).unwrap_or(file);
        Ok(Mutant { file: file.into(), what: what.into() })
    }
}

/// Faults that need not be noticed, and whose tests count beside those of the crate.
///
/// A fault is a line `FILE: WHAT`, and the lines behind it, which are indented, say why. A line `tests: PACKAGE` names a
/// package whose tests count. `#` begins a comment.
#[derive(Debug, Default, PartialEq)]
struct List {
    tests: Vec<String>,
    mutants: Vec<Mutant>,
}

impl List {
    fn parse(text: &str) -> Result<List> {
        let mut list = List::default();
        let mut lines =
            text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
        while let Some(line) = lines.next() {
            let (file, what) =
                line.split_once(": ").ok_or_else(|| format!("not an entry: {line}"))?;
            if file == "tests" {
                list.tests.push(what.into());
                continue;
            }
            if lines.next_if(|line| line.starts_with(' ')).is_none() {
                return Err(format!("no reason: {line}").into());
            }
            while lines.next_if(|line| line.starts_with(' ')).is_some() {}
            list.mutants.push(Mutant { file: file.into(), what: what.into() });
        }
        Ok(list)
    }

    /// Compares the list with what a run found. `all` says whether it was about all files of the crate.
    fn compare(&self, missed: &[Mutant], caught: &[Mutant], all: bool) -> Result<()> {
        let mut balance: BTreeMap<&Mutant, i32> = BTreeMap::new();
        missed.iter().for_each(|mutant| *balance.entry(mutant).or_default() += 1);
        self.mutants.iter().for_each(|mutant| *balance.entry(mutant).or_default() -= 1);
        let examined =
            |file: &str| all || missed.iter().chain(caught).any(|mutant| mutant.file == file);
        let mut wrong = String::new();
        for (Mutant { file, what }, count) in balance {
            if count > 0 {
                writeln!(wrong, "no test notices ({count} times): {file}: {what}")?;
            } else if count < 0 && examined(file) {
                writeln!(wrong, "noticed now, remove it ({} times): {file}: {what}", -count)?;
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mutant(file: &str, what: &str) -> Mutant {
        Mutant { file: file.into(), what: what.into() }
    }

    #[test]
    fn lines_of_cargo_mutants_lose_their_place() {
        let line = "crates/flowscope-x/src/a.rs:10:7: replace < with <= in A::b";
        let expected = mutant("src/a.rs", "replace < with <= in A::b");
        assert_eq!(Mutant::parse(line, "flowscope-x").unwrap(), expected);
        let of_path = "crates/flowscope-x/src/a.rs:1:2: replace a -> b::C with D::new()";
        let expected = mutant("src/a.rs", "replace a -> b::C with D::new()");
        assert_eq!(Mutant::parse(of_path, "flowscope-x").unwrap(), expected);
        assert!(Mutant::parse("src/a.rs:1", "flowscope-x").is_err());
    }

    #[test]
    fn a_list_has_a_reason_for_each_mutant() {
        let text =
            "# About.\ntests: flowscope-y\nsrc/a.rs: x\n  why\n  so\n\nsrc/a.rs: x\n  again\n";
        let list = List::parse(text).unwrap();
        let twice = vec![mutant("src/a.rs", "x"); 2];
        assert_eq!(list, List { tests: vec!["flowscope-y".into()], mutants: twice });
        for wrong in ["src/a.rs: x\n", "src/a.rs: x\nsrc/b.rs: y\n  why\n", "  why\n", "x\n"] {
            assert!(List::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_can_only_shrink() {
        let (a, b, c) = (mutant("a", "x"), mutant("a", "y"), mutant("b", "x"));
        let list = List { mutants: vec![a.clone(), c.clone()], ..List::default() };
        let check = |missed: &[&Mutant], caught: &[&Mutant], all: bool| {
            let owned = |of: &[&Mutant]| of.iter().map(|it| (*it).clone()).collect::<Vec<_>>();
            list.compare(&owned(missed), &owned(caught), all).is_ok()
        };
        assert!(check(&[&a, &c], &[&b], true));
        assert!(!check(&[&a, &b, &c], &[], true), "one more");
        assert!(!check(&[&a, &a, &c], &[], true), "the same once more");
        assert!(!check(&[&a], &[&b, &c], true), "one is noticed now");
        assert!(!check(&[&a], &[&b], true), "one is gone");
        assert!(check(&[&a], &[&b], false), "its file was not looked at");
        assert!(!check(&[&a], &[&c], false), "its file was looked at");
    }
}
