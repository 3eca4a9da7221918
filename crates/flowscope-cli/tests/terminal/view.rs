//! `flowscope live`.

use std::process::{Command, Stdio};

use super::tmux::Tmux;
use super::{PROGRAM, capture};

pub(crate) fn a_view_needs_a_terminal_with_a_cursor() {
    let capture = capture();
    let mut piped = Command::new(PROGRAM);
    let ran = piped.arg("live").arg(&capture).stdin(Stdio::null()).output().expect("it starts");
    let err = String::from_utf8_lossy(&ran.stderr);
    assert_eq!((ran.status.code(), ran.stdout.len()), (Some(2), 0), "{err}");
    assert!(err.starts_with("flowscope: standard output is not a terminal"), "{err}");
    let on_terminal = |arguments: &str, term: &str| {
        let line = format!("{PROGRAM} live {arguments}");
        let mut script = Command::new("script");
        script.args(["-q", "-e", "-c", &line, "/dev/null"]).env("TERM", term).stdin(Stdio::null());
        let ran = script.output().expect("script");
        (ran.status.code(), String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    let (code, said) = on_terminal(&capture.display().to_string(), "dumb");
    assert!(code == Some(2) && said.starts_with("flowscope: TERM=dumb"), "{said}");
    // What cannot begin leaves the terminal alone.
    let (code, said) = on_terminal("/nowhere/trace.pcap", "xterm");
    assert!(code == Some(1) && said.starts_with("flowscope: /nowhere/trace.pcap: "), "{said}");
    let (code, said) = on_terminal("--where 'bytse > 1' /nowhere/trace.pcap", "xterm");
    assert!(code == Some(2) && said.contains("    ^^^^^"), "{said}");
}

pub(crate) fn a_capture_is_played_and_the_terminal_is_as_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let shell = format!(
        "cd {}; stty -g > before; {PROGRAM} live {} --speed max; echo code $?; stty -g > after; echo all written; cat",
        folder.path().display(),
        capture().display()
    );
    let tmux = Tmux::start(folder.path().join("socket"), &shell);
    tmux.shows(&["mixed.pcapng ended", "10.77.0.1:47464", "tcp/ssh", "alias.lab.test", "? help"]);
    tmux.keys(&["/", "tls", "Enter"]);
    tmux.shows(&["10.77.0.1:41352", "filter: tls"]);
    tmux.keys(&["e"]);
    tmux.shows(&["exported to flowscope-live-20261122T220520Z.json"]);
    let exported = folder.path().join("flowscope-live-20261122T220520Z.json");
    let exported = std::fs::read_to_string(exported).expect("it was written");
    assert!(exported.lines().count() == 3, "{exported}");
    assert!(exported.lines().all(|line| line.contains("\"app_proto\":\"tls\"")), "{exported}");
    tmux.keys(&["Enter"]);
    tmux.shows(&["to 10.77.0.2:443", "community_id"]);
    tmux.keys(&["Escape"]);
    tmux.shows(&["INITIATOR"]);
    tmux.keys(&["C-c"]);
    tmux.shows(&["flowscope: 23 flows, 329 packets, 148363 bytes", "code 0", "all written"]);
    let state = |name| std::fs::read_to_string(folder.path().join(name)).expect("stty");
    assert_eq!(state("before"), state("after"));
}
