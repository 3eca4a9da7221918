//! What the command does on a terminal, which `script` or `tmux` makes.

#[cfg(all(target_os = "linux", feature = "tui"))]
#[path = "../program/tmux.rs"]
mod tmux;
#[cfg(all(target_os = "linux", feature = "tui"))]
mod view;

#[cfg(target_os = "linux")]
use std::path::{Path, PathBuf};
#[cfg(target_os = "linux")]
use std::process::{Command, Stdio};

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use flowscope_testkit::{needs, runner, tests};

    runner::run([
        runner::group(
            || needs::programs(&["script", "sed"]),
            tests![output_on_a_terminal_goes_through_a_pager],
        ),
        #[cfg(feature = "tui")]
        runner::group(
            || needs::programs(&["script"]),
            tests![view::a_view_needs_a_terminal_with_a_cursor],
        ),
        #[cfg(feature = "tui")]
        runner::group(
            || needs::programs(&["tmux"]),
            tests![view::a_capture_is_played_and_the_terminal_is_as_before],
        ),
    ])
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
    let line = format!("{PROGRAM} {command} {}", capture().display());
    let ran = Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .env("FLOWSCOPE_PAGER", pager)
        .stdin(Stdio::null())
        .output()
        .expect("script");
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[cfg(target_os = "linux")]
const PROGRAM: &str = env!("CARGO_BIN_EXE_flowscope");

#[cfg(target_os = "linux")]
fn capture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/mixed.pcapng")
}
