//! What the command does on a terminal, which `script` makes.

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use flowscope_testkit::{needs, runner, tests};

    runner::run([runner::group(
        || needs::programs(&["script", "sed"]),
        tests![output_on_a_terminal_goes_through_a_pager],
    )])
}

#[cfg(target_os = "linux")]
fn output_on_a_terminal_goes_through_a_pager() {
    let paged = in_terminal("flows --wide -n 3", "sed s/^/paged:/");
    let lines: Vec<_> = paged.lines().collect();
    assert!(lines.len() > 3 && lines.iter().all(|line| line.starts_with("paged:")), "{paged}");
    // What is printed on standard error stands behind the records.
    assert!(lines.last().is_some_and(|line| line.contains("the first 3 records")), "{paged}");
    for (command, pager) in [
        ("flows --no-pager", "sed s/^/paged:/"),
        ("flows -o /dev/null", "sed s/^/paged:/"),
        ("flows", "cat"),
        ("flows", ""),
    ] {
        let plain = in_terminal(command, pager);
        assert!(!plain.contains("paged:"), "{command}: {plain}");
    }
}

/// What a command prints on a terminal.
#[cfg(target_os = "linux")]
fn in_terminal(command: &str, pager: &str) -> String {
    use std::path::Path;
    use std::process::{Command, Stdio};

    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/mixed.pcapng");
    let line = format!("{} {command} {}", env!("CARGO_BIN_EXE_flowscope"), capture.display());
    let ran = Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .env("FLOWSCOPE_PAGER", pager)
        .stdin(Stdio::null())
        .output()
        .expect("script");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}
