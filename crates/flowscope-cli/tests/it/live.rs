//! Interfaces: each test in a network namespace of its own, with two ends of a cable, so that nothing
//! of it can reach the machine's interfaces or outlive it. Where namespaces are not permitted, a test
//! says that it was skipped, and why; with `REQUIRE_NETNS=1` it fails.

mod capture;
mod ending;
mod permission;
mod replay;
mod track;

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, ChildStdout};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::*;

/// Set for the process that has the namespace.
const INSIDE: &str = "FLOWSCOPE_LIVE_INSIDE";

/// Longest time for a condition to come true.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `body` in a namespace with the interfaces `v0` and `v1`, by starting the test `name` of
/// `module` again in there.
fn in_namespace(module: &str, name: &str, body: impl FnOnce()) {
    let test = format!("live::{module}::{name}");
    if env::var_os(INSIDE).is_some() {
        assert_eq!(std::process::id(), 1, "in a namespace of its own");
        cable();
        return body();
    }
    const OWN: [&str; 5] = ["--net", "--pid", "--mount", "--fork", "--kill-child"];
    let user = [&["--user", "--map-root-user"], OWN.as_slice()].concat();
    let mut why = String::new();
    let permitted = [OWN.as_slice(), &user].into_iter().find(|namespaces| {
        let probe = ["sh", "-c", "ip link add type veth"];
        match Command::new("unshare").args(*namespaces).args(probe).output() {
            Ok(tried) if tried.status.success() => return true,
            Ok(tried) => why = String::from_utf8_lossy(&tried.stderr).trim().to_owned(),
            Err(error) => why = format!("unshare: {error}"),
        }
        false
    });
    let Some(namespaces) = permitted else { return skipped(&test, &why) };
    let output = Command::new("timeout")
        .args(["-k", "1", "60", "unshare"])
        .args(namespaces)
        .arg(env::current_exe().unwrap())
        .args(["--exact", &test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("timeout is part of every system");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(output.status.success(), "{}\n{}", said[0], said[1]);
    assert!(said[0].contains("1 passed"), "the test ran in there: {}", said[0]);
}

#[expect(clippy::print_stdout, reason = "a test that did not run must say so")]
fn skipped(test: &str, why: &str) {
    assert!(env::var_os("REQUIRE_NETNS").is_none_or(|set| set != "1"), "{test}: {why}");
    println!("SKIPPED: {test}: {why}");
}

/// Two interfaces that see each other's frames and, of themselves, send none.
fn cable() {
    for file in ["all", "default"] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{file}/disable_ipv6"), "1");
    }
    ip("link add v0 type veth peer name v1");
    ip("link set v0 up arp off");
    ip("link set v1 up arp off");
    // Frames that are sent before can be lost although sending them succeeds.
    until("the cable is plugged in", || running("v0") && running("v1"));
}

fn running(interface: &str) -> bool {
    let ran = flowscope(["interfaces", "--format", "json"]);
    lines(&ran.out).iter().any(|line| line["name"] == interface && line["state"] == "running")
}

fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().expect("ip was found before");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A run of the program that captures.
struct Live {
    child: Child,
    out: Option<BufReader<ChildStdout>>,
    err: Option<BufReader<ChildStderr>>,
}

impl Live {
    /// Runs the program, and waits until it captures.
    fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Live {
        Live::of(program().args(args).stdout(Stdio::piped()))
    }

    /// As [`start`](Live::start), where standard output is the command's.
    fn of(command: &mut Command) -> Live {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut first = String::new();
        err.read_line(&mut first).unwrap();
        assert!(first.starts_with("flowscope: capturing on v"), "{first}");
        let out = child.stdout.take().map(BufReader::new);
        Live { child, out, err: Some(err) }
    }

    /// The next line of output.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.as_mut().unwrap().read_line(&mut line).unwrap();
        line
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end.
    fn end(mut self) -> Ran {
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
    fn interrupt(self) -> Ran {
        self.signal("INT");
        self.end()
    }
}

fn rest(mut reader: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    })
}

/// Sends a capture through `v0` as fast as can be, all of it.
fn send(file: &Path) {
    let ran =
        flowscope([OsStr::new("replay"), "-iv0".as_ref(), "--topspeed".as_ref(), file.as_ref()]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// A file of the corpus.
fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

/// Bytes and wire length of the packets of a capture, which must be whole.
fn frames(path: &Path) -> Vec<(Vec<u8>, u32)> {
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
fn many_flows(flows: u32, len: usize) -> Packets {
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
fn account(err: &str) -> [u64; 3] {
    let line = err.lines().find(|line| line.contains(" arrived: ")).expect(err);
    let numbers: Vec<u64> = line.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    [numbers[0], numbers[1], numbers[2]]
}
