//! The shared corpus of real captures, whose truth was made by other tools.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::path::Path;
use std::process::Command;

/// Packets, bytes, times and Community IDs of every conversation of every capture.
#[test]
fn flows_agree_with_the_corpus() {
    check(&["flows", "--all"]);
}

/// HTTP requests and responses, TLS hellos with their fingerprints, DNS messages.
#[test]
fn sessions_agree_with_the_corpus() {
    check(&["sessions"]);
}

/// Length, SHA-256 and gaps of both directions of every TCP connection.
#[test]
fn streams_agree_with_the_corpus() {
    check(&["streams"]);
}

fn check(what: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let check = root.join("../shared/corpus/tools/check.py");
    if !check.is_file() {
        eprintln!("SKIPPED: no corpus beside the project, at ../shared/corpus");
        return;
    }
    let exceptions = root.join("tests/corpus-exceptions.toml");
    let run = Command::new("python3")
        .arg(check)
        .args(what)
        .args(["--timeout", "120", "--bin", env!("CARGO_BIN_EXE_flowscope"), "--exceptions"])
        .arg(exceptions)
        .output();
    let run = match run {
        Ok(run) => run,
        Err(error) => {
            eprintln!("SKIPPED: python3 cannot be run: {error}");
            return;
        }
    };
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.contains(" passed, 0 failed"), "{said}");
    assert!(!said.contains("stale exception"), "{said}");
}
