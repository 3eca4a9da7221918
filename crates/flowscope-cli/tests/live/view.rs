use crate::tmux::Tmux;
use crate::world::*;

pub(crate) fn an_interface_is_shown_until_a_key_or_a_signal() {
    in_namespace("view", "an_interface_is_shown_until_a_key_or_a_signal", || {
        let folder = tempfile::tempdir().unwrap();
        let start = |socket: &str, arguments: &str| {
            // The inner shell becomes the program, and keeps its number.
            let program = format!("exec {} {arguments}", env!("CARGO_BIN_EXE_flowscope"));
            let shell = format!("sh -c 'echo $$ > pid; {program}'; echo code $?; cat");
            let shell = format!("cd {}; {shell}", folder.path().display());
            Tmux::start(folder.path().join(socket), &shell)
        };
        let terminal = start("one", "live -iv1");
        terminal.shows(&["new/s"]);
        send(&corpus("mixed.pcapng"));
        terminal.shows(&["alias.lab.test"]);
        terminal.keys(&["q"]);
        let window = terminal.shows(&["329 packets arrived: 329 read", "code 0"]);
        assert!(!window.contains("INITIATOR"), "{window}");

        let terminal = start("two", "live -iv1 --where \"app_proto == dns\"");
        terminal.shows(&["capturing on v1", "INITIATOR"]);
        let pid = std::fs::read_to_string(folder.path().join("pid")).unwrap();
        let ended = Command::new("kill").args(["-TERM", pid.trim()]).status();
        assert!(ended.unwrap().success());
        let window = terminal.shows(&["0 packets arrived", "code 0"]);
        assert!(!window.contains("INITIATOR"), "{window}");
    });
}
