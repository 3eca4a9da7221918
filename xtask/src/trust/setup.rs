//! What rows have in common: loads, programs, tests, and a folder for captures.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::Result;

/// Where captures and outputs go.
const FOLDER: &str = "target/trust";

/// Loads, and what is built once.
pub(crate) struct Setup {
    pub(crate) sh: Shell,
    /// Whether loads are small, and tests not optimised.
    pub(crate) quick: bool,
    /// Bytes of the capture for row 3.
    pub(crate) bytes: u32,
    /// Where programs are, once they are built.
    programs: OnceCell<PathBuf>,
}

impl Setup {
    pub(crate) fn new(quick: bool, bytes: u32) -> Result<Setup> {
        Ok(Setup { sh: Shell::new()?, quick, bytes, programs: OnceCell::new() })
    }

    /// One number for a run of all, another for a quick one.
    pub(crate) fn load<T>(&self, all: T, quick: T) -> T {
        if self.quick { quick } else { all }
    }

    /// A file of this name in the folder for captures and outputs.
    pub(crate) fn file(&self, name: &str) -> Result<PathBuf> {
        fs::create_dir_all(FOLDER)?;
        Ok(Path::new(FOLDER).join(name))
    }

    /// The release build of the command.
    pub(crate) fn command(&self) -> Result<PathBuf> {
        Ok(self.programs()?.join("flowscope"))
    }

    /// The release build of `trust_scenario`.
    pub(crate) fn scenario(&self) -> Result<PathBuf> {
        Ok(self.programs()?.join("trust_scenario"))
    }

    /// Builds both at once, so that their libraries have the same features.
    fn programs(&self) -> Result<&Path> {
        if self.programs.get().is_none() {
            let packages = ["-p", "flowscope-cli", "-p", "flowscope-benches"];
            let programs = ["--bin", "flowscope", "--bin", "trust_scenario"];
            cmd!(self.sh, "cargo build --release --quiet {packages...} {programs...}").run()?;
        }
        // Absolute: a row may go on in another folder.
        Ok(self.programs.get_or_init(|| self.sh.current_dir().join("target/release")))
    }

    /// Writes a capture by `trust_scenario write`, unless it is there.
    pub(crate) fn capture(&self, words: &[&str]) -> Result<PathBuf> {
        let path = self.file(&format!("{}.pcap", words.join("-")))?;
        if !path.exists() {
            let part = path.with_extension("part");
            let mut command = Command::new(self.scenario()?);
            let status = command.arg("write").args(words).stdout(File::create(&part)?).status()?;
            if !status.success() {
                return Err(format!("trust_scenario write {}: {status}", words.join(" ")).into());
            }
            fs::rename(part, &path)?;
        }
        Ok(path)
    }

    /// Runs tests with these words for cargo and for the test program. An error unless all of them pass, and at least one
    /// there is.
    pub(crate) fn tests(&self, cargo: &[&str], words: &[&str]) -> Result<Tests> {
        let release = (!self.quick).then_some("--release");
        let output =
            cmd!(self.sh, "cargo test --quiet {release...} {cargo...} -- {words...} --nocapture")
                .ignore_status()
                .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            print!("{text}{errors}");
            return Err("tests failed, as printed above".into());
        }
        let tests = Tests::parse(&text);
        if tests.passed == 0 {
            return Err(format!("no test has the name {words:?}").into());
        }
        Ok(tests)
    }
}

/// What tests printed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tests {
    pub(crate) passed: u64,
    /// What stands behind `figure: `.
    pub(crate) figures: Vec<String>,
}

impl Tests {
    fn parse(text: &str) -> Tests {
        let mut tests = Tests::default();
        for line in text.lines() {
            if let Some((_, figure)) = line.split_once("figure: ") {
                tests.figures.push(figure.trim().to_owned());
            }
            if let Some((_, behind)) = line.split_once("test result: ok. ") {
                tests.passed += number(behind).unwrap_or(0);
            }
        }
        tests
    }

    /// The numbers that begin figures, added up.
    pub(crate) fn sum(&self) -> u64 {
        self.figures.iter().filter_map(|figure| number(figure)).sum()
    }
}

/// The number that a text begins with.
pub(crate) fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    text[..digits].parse().ok()
}

/// A run of the command.
pub(crate) struct Ran {
    /// `None`: a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Result<Ran> {
    let output = command.stdin(Stdio::null()).output()?;
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(Ran { code: output.status.code(), out: output.stdout, err })
}

/// Whether a program is there, by a run of it that has to succeed.
pub(crate) fn is_there(words: &[&str]) -> bool {
    let ran = words.split_first().map(|(name, args)| run(Command::new(name).args(args)));
    ran.and_then(Result::ok).is_some_and(|ran| ran.code == Some(0))
}

/// The ledger of packets in a line of EVE's statistics: seen, tracked, and lost. An error unless they balance.
pub(crate) fn ledger(line: &str) -> Result<Ledger> {
    let stats: Value =
        serde_json::from_str(line).map_err(|error| format!("no statistics: {error}: {line}"))?;
    let packets = stats["stats"]["packets"].as_object().ok_or("the statistics have no packets")?;
    let count = |name: &str| packets.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (seen, tracked) = (count("seen"), count("tracked"));
    let all: u64 = packets.values().filter_map(Value::as_u64).sum();
    let lost = all - seen - tracked;
    if seen != tracked + lost {
        return Err(format!("the ledger does not balance: {line}").into());
    }
    Ok(Ledger { seen, tracked, lost })
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ledger {
    pub(crate) seen: u64,
    pub(crate) tracked: u64,
    pub(crate) lost: u64,
}

/// A number with its thousands apart.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_passed_tests_are_found() {
        let text = "running 2 tests\ntest a ... figure: 12 inputs of x\nfigure: 30 inputs of y\n\
            test result: ok. 2 passed; 0 failed\ntest result: ok. 3 passed; 0 failed\n";
        let tests = Tests::parse(text);
        assert_eq!((tests.passed, tests.sum(), tests.figures.len()), (5, 42, 2));
        assert_eq!(Tests::parse("test result: FAILED. 2 passed").passed, 0);
    }

    #[test]
    fn a_ledger_that_does_not_balance_is_an_error() {
        let line = |packets: &str| format!("{{\"stats\":{{\"packets\":{{{packets}}}}}}}");
        let sound = ledger(&line("\"seen\":5,\"tracked\":3,\"memcap\":2")).unwrap();
        assert_eq!(sound, Ledger { seen: 5, tracked: 3, lost: 2 });
        assert!(ledger(&line("\"seen\":5,\"tracked\":3,\"memcap\":1")).is_err());
        assert!(ledger("{}").is_err());
        assert!(ledger("").is_err());
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }
}
