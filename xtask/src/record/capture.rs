//! tcpdump, from before the first packet until after the last.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command};

use super::lab::{DIR, End, wait_until};
use super::pcap;
use crate::Result;

/// Looks, 20 ms apart, for which nothing may have changed.
const QUIET_LOOKS: u32 = 10;

/// Resolution of the time stamps of a recording.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stamps {
    /// Microseconds.
    Micro,
    /// Nanoseconds.
    Nano,
}

impl Stamps {
    /// The word for it in tcpdump's option.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stamps::Micro => "micro",
            Stamps::Nano => "nano",
        }
    }
}

/// A running tcpdump at the client's end.
pub(crate) struct Capture {
    tcpdump: Child,
    file: PathBuf,
    said: PathBuf,
    /// Packets that the interface had seen when tcpdump began.
    before: usize,
}

impl Capture {
    /// Starts tcpdump, and returns once it misses nothing.
    pub(crate) fn start(stamps: Stamps) -> Result<Self> {
        let dir = PathBuf::from(DIR);
        let (file, said) = (dir.join("capture.pcap"), dir.join("tcpdump.log"));
        let line = format!(
            "exec tcpdump -i c0 -n -U -s 0 -Z root --immediate-mode \
             --time-stamp-precision={} -w capture.pcap",
            stamps.name()
        );
        let tcpdump = End::Client.shell(&line).stderr(File::create(&said)?).spawn()?;
        let mut capture = Self { tcpdump, file, said, before: 0 };
        wait_until("tcpdump listens", || {
            Ok(fs::read_to_string(&capture.said)?.contains("listening on"))
        })?;
        capture.before = seen()?;
        Ok(capture)
    }

    /// Waits until the last packet is in the file, stops tcpdump, and returns the file.
    ///
    /// # Errors
    ///
    /// When connections stay open, or packets are missing from the file.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>> {
        let (mut last, mut quiet) = (0, 0);
        wait_until("no connection is open and every packet is in the file", || {
            let (seen, written) =
                (seen()? - self.before, pcap::complete_records(&fs::read(&self.file)?));
            quiet = if seen == last && written >= seen && !connected()? { quiet + 1 } else { 0 };
            last = seen;
            Ok(quiet == QUIET_LOOKS)
        })?;
        Command::new("kill").args(["-INT", &self.tcpdump.id().to_string()]).status()?;
        let status = self.tcpdump.wait()?;
        let said = fs::read_to_string(&self.said)?;
        if !status.success() || !said.contains("\n0 packets dropped by kernel") {
            return Err(format!("tcpdump ({status}): {}", said.trim()).into());
        }
        Ok(fs::read(&self.file)?)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // After `finish` it has ended already.
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}

/// Packets that the client's interface has sent and received.
fn seen() -> Result<usize> {
    let counters = "cd /sys/class/net/c0/statistics; cat rx_packets tx_packets";
    End::Client.read(counters)?.lines().map(|line| Ok(line.parse::<usize>()?)).sum()
}

/// Whether a TCP connection is in a state that may still send something.
fn connected() -> Result<bool> {
    for end in [End::Client, End::Server] {
        let sockets = end.read("ss -Htan")?;
        if sockets.lines().any(|line| !line.starts_with("LISTEN") && !line.starts_with("TIME-WAIT"))
        {
            return Ok(true);
        }
    }
    Ok(false)
}
