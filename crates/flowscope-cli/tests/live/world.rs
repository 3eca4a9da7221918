//! Namespaces, the program while it captures, and what is sent to it.

pub(crate) use std::ffi::OsStr;
pub(crate) use std::io::{BufRead, BufReader, Read};
pub(crate) use std::process::{Child, ChildStderr, ChildStdout};
pub(crate) use std::thread::{self, JoinHandle};
pub(crate) use std::time::Duration;

use flowscope_testkit::namespace;
pub(crate) use flowscope_testkit::namespace::{ip, running, until};

pub(crate) use crate::program::*;

/// Runs `body` in a namespace with the interfaces `v0` and `v1`, by starting the test `name` of
/// `module` again in there.
pub(crate) fn in_namespace(module: &str, name: &str, body: impl FnOnce()) {
    namespace::in_namespace(&format!("live::{module}::{name}"), body);
}

/// A run of the program that captures.
pub(crate) struct Live {
    pub(crate) child: Child,
    pub(crate) out: Option<BufReader<ChildStdout>>,
    pub(crate) err: Option<BufReader<ChildStderr>>,
}

impl Live {
    /// Runs the program, and waits until it captures.
    pub(crate) fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Live {
        Live::of(program().args(args).stdout(Stdio::piped()))
    }

    /// As [`start`](Live::start), where standard output is the command's.
    pub(crate) fn of(command: &mut Command) -> Live {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        err.read_line(&mut first).unwrap();
        assert!(first.starts_with("flowscope: capturing on v"), "{first}");
        let out = child.stdout.take().map(BufReader::new);
        Live { child, out, err: Some(err) }
    }

    /// The next line of output.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    /// Waits until the program has read as many packets at least, by the counters that it prints at SIGUSR1. Returns how many.
    pub(crate) fn until_read(&mut self, packets: u64) -> u64 {
        let mut seen = 0;
        until("the packets are counted", || {
            self.signal("USR1");
            let mut line = String::new();
            self.err.as_mut().unwrap().read_line(&mut line).unwrap();
            let stats: Value = serde_json::from_str(&line).expect(&line);
            assert_eq!(stats["event_type"], "stats");
            seen = stats["stats"]["packets"]["seen"].as_u64().unwrap();
            seen >= packets
        });
        seen
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ran {
        let (out, err) = (self.out.take().map(rest), self.err.take().map(rest));
        let mut code = None;
        until("the program ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        let text = |reader: Option<JoinHandle<String>>| reader.map(|all| all.join().unwrap());
        Ran {
            code: code.unwrap().code().expect("no signal ended it"),
            out: text(out).unwrap_or_default(),
            err: text(err).unwrap_or_default(),
        }
    }

    /// Ends it as Ctrl-C does.
    pub(crate) fn interrupt(self) -> Ran {
        self.signal("INT");
        self.end()
    }
}

pub(crate) fn rest(mut reader: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    })
}

/// Sends a capture through `v0` as fast as can be, all of it.
pub(crate) fn send(file: &Path) {
    let ran =
        flowscope([OsStr::new("replay"), "-iv0".as_ref(), "--topspeed".as_ref(), file.as_ref()]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// A file of the corpus.
pub(crate) fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

/// Bytes and wire length of the packets of a capture, which must be whole.
pub(crate) fn frames(path: &Path) -> Vec<(Vec<u8>, u32)> {
    use flowscope::core::PacketSource;
    let mut reader = flowscope::pcap::CaptureReader::open(path).unwrap();
    let mut frames = Vec::new();
    while reader
        .next_batch(&mut |views| {
            frames.extend(views.iter().map(|view| (view.frame().to_vec(), view.wire_len())));
        })
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        > 0
    {}
    frames
}

/// Datagrams of as many flows, each of `len` bytes.
pub(crate) fn many_flows(flows: u32, len: usize) -> Packets {
    let payload = vec![7; len];
    let at = Timestamp::from_secs(1_767_323_045);
    let frame = |n: u32| {
        let [_, a, b, c] = n.to_be_bytes();
        let source = format!("10.{a}.{b}.{c}");
        frame().ethernet().ipv4(&source, "10.255.0.1").udp(4000, 9999).payload(&payload).build()
    };
    (0..flows).map(|n| (at, frame(n))).collect()
}

/// The numbers in what is said of where packets went: arrived, taken, dropped.
pub(crate) fn account(err: &str) -> [u64; 3] {
    let line = err.lines().find(|line| line.contains(" arrived: ")).expect(err);
    let numbers: Vec<u64> = line.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    [numbers[0], numbers[1], numbers[2]]
}
