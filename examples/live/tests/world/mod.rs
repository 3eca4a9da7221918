//! What the tests send, and how they run programs.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::num::NonZeroU32;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use flowscope::core::{PacketSource as _, PacketView};
use flowscope::pcap::CaptureReader;
use flowscope_testkit::namespace::until;
use netring::ring::{AfPacket, AfPacketConfig, Capture as _, CaptureError};

/// A capture of the repository.
pub(crate) fn data(name: &str) -> String {
    format!("{}/../../tests/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn frames(name: &str) -> Vec<Vec<u8>> {
    let mut reader = CaptureReader::open(data(name)).unwrap();
    let mut frames = Vec::new();
    let mut copy = |packets: &[PacketView<'_>]| {
        frames.extend(packets.iter().map(|packet| packet.frame().to_vec()));
    };
    while reader.next_batch(&mut copy).unwrap() > 0 {}
    frames
}

/// Sends, and captures nothing of note.
pub(crate) fn sender(interface: &str) -> AfPacket {
    let config = AfPacketConfig::default()
        .blocks(NonZeroU32::MIN)
        .block_size(NonZeroU32::new(4096).unwrap())
        .ignore_outgoing(true);
    AfPacket::open(interface, &config).unwrap()
}

/// Sends a frame as soon as there is room.
pub(crate) fn send(from: &mut AfPacket, frame: &[u8]) {
    while let Err(error) = from.send(frame) {
        assert!(matches!(error, CaptureError::Busy), "{error}");
        thread::yield_now();
    }
}

pub(crate) fn lines(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().map(str::to_owned).collect()
}

/// Tells what has come in by an interface. Opened before a program, it is told of a frame only after
/// the program was.
pub(crate) struct Witness(AfPacket);

impl Witness {
    pub(crate) fn of(interface: &str) -> Self {
        Witness(sender(interface))
    }

    pub(crate) fn wait_for(&mut self, frames: usize) {
        until("all frames have come", || self.0.stats().unwrap().packets == frames as u64);
    }
}

/// A program that runs.
pub(crate) struct Program {
    child: Child,
    stdout: thread::JoinHandle<Vec<u8>>,
    errors: mpsc::Receiver<String>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it was built");
        let (mut stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let stdout = thread::spawn(move || {
            let mut text = Vec::new();
            stdout.read_to_end(&mut text).unwrap();
            text
        });
        let (sender, errors) = mpsc::channel();
        thread::spawn(move || {
            BufReader::new(stderr).lines().try_for_each(|line| sender.send(line.unwrap()))
        });
        Program { child, stdout, errors }
    }

    /// What follows `before` in the next line of its standard error.
    pub(crate) fn error_line(&self, before: &str) -> String {
        let line = self.errors.recv_timeout(Duration::from_secs(10)).unwrap();
        line.strip_prefix(before).unwrap_or_else(|| panic!("{line}")).to_owned()
    }

    /// Waits until it is ready for Ctrl-C, which is once it has read for the first time.
    pub(crate) fn wait_until_it_reads(&self) {
        until("the program reads", || self.catches_sigint());
    }

    /// Whether SIGINT does not end it by itself. Programs of another process namespace have other
    /// numbers in `/proc` than here.
    fn catches_sigint(&self) -> bool {
        let number = self.child.id().to_string();
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        let children =
            tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let children = children.collect::<String>();
        let status = children.split_whitespace().find_map(|child| {
            let status = fs::read_to_string(format!("/proc/{child}/status")).ok()?;
            (field(&status, "NSpid")?.split_whitespace().last()? == number).then_some(status)
        });
        let caught = status.as_deref().and_then(|status| field(status, "SigCgt"));
        caught.is_some_and(|mask| u64::from_str_radix(mask, 16).unwrap() & 2 != 0)
    }

    pub(crate) fn signal(&self, name: &str) {
        let (name, number) = (format!("-{name}"), self.child.id().to_string());
        assert!(Command::new("kill").args([name, number]).status().unwrap().success());
    }

    /// Ctrl-C, then as [`end`](Self::end).
    pub(crate) fn interrupt(self) -> (Vec<String>, Vec<String>) {
        self.signal("INT");
        self.end()
    }

    /// Waits until it fails. Gives the rest of the lines of its standard error.
    pub(crate) fn fail(mut self) -> Vec<String> {
        let status = self.child.wait().unwrap();
        assert!(!status.success());
        self.errors.iter().collect()
    }

    /// Waits for its end. Gives the lines of its standard output, and the rest of those of its standard
    /// error.
    pub(crate) fn end(mut self) -> (Vec<String>, Vec<String>) {
        let status = self.child.wait().unwrap();
        let told: Vec<String> = self.errors.iter().collect();
        let printed = lines(&self.stdout.join().unwrap());
        assert!(status.success(), "{status}: {printed:?} {told:?}");
        (printed, told)
    }
}

/// A line of `/proc/PID/status`.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}
