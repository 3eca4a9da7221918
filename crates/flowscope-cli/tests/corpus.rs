//! Real captures, compared with what other tools found in them.

use std::path::Path;
use std::process::{Command, ExitCode};

use flowscope_testkit::{needs, runner, tests};

fn main() -> ExitCode {
    runner::run([runner::group(
        || {
            needs::corpus()?;
            needs::programs(&["python3"])
        },
        tests![
            flows_agree_with_the_corpus,
            sessions_agree_with_the_corpus,
            streams_agree_with_the_corpus,
        ],
    )])
}

/// Packets, bytes, times and Community IDs of every conversation of every capture.
fn flows_agree_with_the_corpus() {
    check(&["flows", "--all"]);
}

/// HTTP requests and responses, TLS hellos with their fingerprints, DNS messages.
fn sessions_agree_with_the_corpus() {
    check(&["sessions"]);
}

/// Length, SHA-256 and gaps of both directions of every TCP connection.
fn streams_agree_with_the_corpus() {
    check(&["streams"]);
}

fn check(what: &[&str]) {
    let exceptions =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus-exceptions.toml");
    let run = Command::new("python3")
        .arg(needs::corpus_folder().join("tools/check.py"))
        .args(what)
        .args(["--timeout", "120", "--bin", env!("CARGO_BIN_EXE_flowscope"), "--exceptions"])
        .arg(exceptions)
        .output()
        .expect("python3 was found before");
    let printed = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{printed}{}", String::from_utf8_lossy(&run.stderr));
    assert!(printed.contains(" passed, 0 failed"), "{printed}");
    assert!(!printed.contains("stale exception"), "{printed}");
}
