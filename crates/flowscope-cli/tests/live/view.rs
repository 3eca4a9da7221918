use std::sync::{Arc, Mutex};

use crate::world::*;

pub(crate) fn an_interface_is_shown_until_a_key_or_a_signal() {
    in_namespace("view", "an_interface_is_shown_until_a_key_or_a_signal", || {
        let terminal = Terminal::start("live -iv1");
        terminal.shows("new/s");
        send(&corpus("mixed.pcapng"));
        terminal.shows("alias.lab.test");
        let text = terminal.end(|child| {
            child.stdin.as_mut().unwrap().write_all(b"q").unwrap();
        });
        let (_, behind) = text.rsplit_once(LEAVE).expect(&text);
        assert!(behind.contains("329 packets arrived: 329 read"), "{behind}");

        let terminal = Terminal::start("live -iv1 --where 'app_proto == dns'");
        terminal.shows("capturing");
        let pid = terminal.pid();
        let text = terminal.end(|_| {
            let ended = Command::new("kill").args(["-TERM", &pid]).status();
            assert!(ended.unwrap().success());
        });
        assert!(text.contains(LEAVE), "{text}");
    });
}

/// Leaves the other screen of a terminal.
const LEAVE: &str = "\u{1b}[?1049l";

/// The program on a terminal that `script` makes.
struct Terminal {
    script: Child,
    text: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn start(arguments: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_flowscope");
        // The shell becomes the program, and keeps its number.
        let line = format!("stty rows 30 cols 100; echo pid $$ .; exec {program} {arguments}");
        let mut script = Command::new("script");
        script.args(["-q", "-e", "-c", &line, "/dev/null"]).env("TERM", "xterm");
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let (mut out, all) = (script.stdout.take().unwrap(), Arc::clone(&text));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut buffer) {
                all.lock().unwrap().extend(&buffer[..read]);
            }
        });
        Terminal { script, text }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    fn pid(&self) -> String {
        let text = self.text();
        let (_, pid) = text.split_once("pid ").expect(&text);
        pid.split(' ').next().expect(&text).to_owned()
    }

    /// Waits until a text was drawn, without spaces: those that were there are not drawn again.
    fn shows(&self, text: &str) {
        until(text, || self.text().contains(text));
    }

    /// All that was written, after `end` has ended it.
    fn end(mut self, end: impl FnOnce(&mut Child)) -> String {
        end(&mut self.script);
        let mut code = None;
        until("the program ends", || {
            code = self.script.try_wait().unwrap();
            code.is_some()
        });
        assert_eq!(code.unwrap().code(), Some(0), "{}", self.text());
        self.shows(LEAVE);
        self.text()
    }
}
