//! The shared corpus of real captures, whose truth was made by other tools.

#![expect(clippy::print_stderr, reason = "a skipped test says so")]

use std::path::Path;
use std::process::Command;

/// Packets, bytes, times and Community IDs of every conversation of every capture.
#[test]
fn flows_agree_with_the_corpus() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let check = root.join("../shared/corpus/tools/check.py");
    if !check.is_file() {
        eprintln!("SKIPPED: no corpus beside the project, at ../shared/corpus");
        return;
    }
    let exceptions = root.join("tests/corpus-exceptions.toml");
    let run = Command::new("python3")
        .arg(check)
        .args(["flows", "--all", "--bin", env!("CARGO_BIN_EXE_flowscope"), "--exceptions"])
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
