//! The program, and what it says.

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A capture of the project's.
pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

/// Records of several protocols, VLANs and tunnels.
pub(crate) fn captures() -> Vec<PathBuf> {
    ["mixed.pcapng", "ssh.pcap", "dns-tcp.pcap", "vlan.pcap", "icmp.pcap", "tls13.pcap"]
        .map(data)
        .into()
}

/// A process of the program. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    said: Option<JoinHandle<String>>,
}

impl Process {
    pub(crate) fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowscope-nats"));
        command.args(args);
        Process::of(command)
    }

    pub(crate) fn of(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        let said = thread::spawn(move || {
            let mut said = Vec::new();
            stderr.read_to_end(&mut said).unwrap();
            String::from_utf8(said).unwrap()
        });
        Process { child, said: Some(said) }
    }

    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        let mut kill = Command::new("kill");
        assert!(kill.args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
    }

    /// Exit code and standard error, when it has ended.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        drop(self.child.stdin.take());
        let end = Instant::now() + Duration::from_secs(100);
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() > end => {
                    self.child.kill().unwrap();
                    let said = self.said.take().unwrap().join().unwrap();
                    panic!("it does not end: {said}");
                }
                None => thread::sleep(Duration::from_millis(20)),
            }
        };
        (status.code(), self.said.take().unwrap().join().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something holds.
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "{what} does not come");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Arguments of a sensor, before its captures.
pub(crate) fn sensor(url: &str, spool: &Path, site: &str, more: &[&str]) -> Vec<String> {
    let spool = spool.to_str().unwrap();
    let args = ["sessions", "--format=arrow", "-o", url, "--site", site, "--spool", spool];
    args.iter().chain(more).map(|arg| (*arg).to_owned()).collect()
}

/// A sensor on captures.
pub(crate) fn sense(url: &str, spool: &Path, more: &[&str], captures: &[PathBuf]) -> Process {
    let args = sensor(url, spool, "berlin", more);
    Process::start(args.into_iter().map(Into::into).chain(captures.iter().cloned()))
}

/// A collector that ends when nothing came for a while; for three seconds, unless it is said otherwise.
pub(crate) fn collector(url: &str, to: &Path, more: &[&str]) -> Process {
    let to = to.to_str().unwrap();
    let is_given = more.iter().any(|arg| arg.starts_with("--until-idle"));
    let idle = (!is_given).then_some("--until-idle=3");
    let args = ["collect", url, "-o", to, "--commit=1"].into_iter();
    Process::start(args.chain(idle).chain(more.iter().copied()))
}

/// Writes all of it, if its reader is there.
pub(crate) fn feed(to: &mut ChildStdin, bytes: &[u8]) {
    to.write_all(bytes).unwrap();
    to.flush().unwrap();
}
