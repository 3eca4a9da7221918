//! One reader, fed once.

use std::error::Error;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use nix::sys::signal::{Signal, kill};
use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;
use serde::Serialize;

use crate::load::{self, Mix};
use crate::options::Options;
use crate::readers::{READY, Reader, Seen, room};

/// The end of the cable that is sent into, and the one that is read.
pub(crate) const CABLE: [&str; 2] = ["v0", "v1"];

/// What came of feeding a reader once.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) mix: Mix,
    /// Packets per second that were asked for; 0 for as many as go.
    pub(crate) rate: u64,
    pub(crate) reader: Reader,
    pub(crate) round: usize,
    pub(crate) sent: u64,
    /// Packets per second that were sent.
    pub(crate) achieved: f64,
    /// CPU nanoseconds of the reading process, all threads, user and system, from its readiness until
    /// it sleeps with nothing left to read.
    pub(crate) cpu: u64,
    #[serde(flatten)]
    pub(crate) seen: Seen,
}

impl Sample {
    /// CPU nanoseconds per packet that was captured.
    pub(crate) fn per_packet(&self) -> f64 {
        self.cpu as f64 / self.seen.captured.max(1) as f64
    }

    /// What is wrong with its counts, if anything: a packet that nobody accounts for, or a flow that
    /// was not told although no packet was lost.
    pub(crate) fn wrong(&self) -> Option<String> {
        let Seen { captured, lost, flows, .. } = self.seen;
        let missing = (captured + lost).abs_diff(self.sent);
        if missing > 0 {
            return Some(format!("{missing} packets are not accounted for"));
        }
        let expected = self.sent.min(load::FLOWS as u64);
        if self.reader.has_flows() && lost == 0 && flows != expected {
            return Some(format!("{flows} flows of {expected}"));
        }
        None
    }
}

/// A load, made ready.
pub(crate) struct Load<'a> {
    pub(crate) mix: Mix,
    pub(crate) rate: u64,
    pub(crate) frames: &'a [&'a [u8]],
}

/// Starts a reader, feeds it, and takes its time.
pub(crate) fn run(
    reader: Reader,
    load: &Load<'_>,
    round: usize,
    options: &Options,
) -> Result<Sample, Box<dyn Error>> {
    let process = Process::start(reader, load, options.cores)?;
    let mut sample = Sample {
        mix: load.mix,
        rate: load.rate,
        reader,
        round,
        sent: load.frames.len() as u64,
        achieved: 0.0,
        cpu: 0,
        seen: Seen::default(),
    };
    if !reader.is_live() {
        sample.seen = process.finish()?;
        sample.cpu = sample.seen.own_cpu.unwrap_or_default();
        return Ok(sample);
    }
    let mut sender = load::sender(CABLE[0])?;
    let before = process.cpu_time()?;
    let took = load::send(&mut sender, load.frames, load.rate)?;
    // What is not full yet is handed over at the end of a time, which libpcap has as a second.
    let retire = match reader {
        Reader::Tcpdump => Duration::from_millis(1200),
        _ => Duration::ZERO,
    };
    sample.cpu = process.settled(retire)? - before;
    sample.achieved = sample.sent as f64 / took.as_secs_f64();
    sample.seen = process.finish()?;
    Ok(sample)
}

/// A reader's process.
struct Process {
    reader: Reader,
    child: Child,
    /// What it says from its readiness on.
    says: BufReader<Box<dyn Read + Send>>,
}

impl Process {
    /// Starts it on a core of its own, and waits until it is ready.
    fn start(reader: Reader, load: &Load<'_>, cores: [usize; 2]) -> Result<Self, Box<dyn Error>> {
        let mut command = match reader {
            Reader::Tcpdump => tcpdump(),
            _ => again(reader, load, cores[0])?,
        };
        command.stdin(Stdio::piped());
        // A process runs where the thread that makes it may.
        let started = thread::spawn(move || {
            netring_capture::pin_to_core(cores[1])?;
            command.spawn()
        });
        let mut child = started.join().map_err(|_| "the thread that starts readers")??;
        let says: Box<dyn Read + Send> = match (child.stdout.take(), child.stderr.take()) {
            (Some(out), _) => Box::new(out),
            (None, Some(err)) => Box::new(err),
            (None, None) => return Err("it says nothing".into()),
        };
        let mut process = Process { reader, child, says: BufReader::new(says) };
        process.wait_until_ready()?;
        Ok(process)
    }

    fn wait_until_ready(&mut self) -> Result<(), Box<dyn Error>> {
        if !self.reader.is_live() {
            return Ok(());
        }
        let sign = if self.reader == Reader::Tcpdump { "listening on" } else { READY };
        let mut line = String::new();
        loop {
            line.clear();
            if self.says.read_line(&mut line)? == 0 {
                return Err(format!("{} did not start", self.reader.name()).into());
            }
            if line.contains(sign) {
                // So that it waits for packets by now.
                self.settled(Duration::ZERO)?;
                return Ok(());
            }
        }
    }

    /// CPU time of all its threads, those that ended included.
    fn cpu_time(&self) -> Result<u64, Box<dyn Error>> {
        let clock = clock_getcpuclockid(self.pid()?)?;
        let now = Duration::from(clock.now()?);
        Ok(now.as_nanos() as u64)
    }

    fn pid(&self) -> Result<Pid, Box<dyn Error>> {
        Ok(Pid::from_raw(i32::try_from(self.child.id())?))
    }

    /// Its CPU time once it does nothing any more.
    fn settled(&self, at_least: Duration) -> Result<u64, Box<dyn Error>> {
        thread::sleep(at_least);
        let start = Instant::now();
        let mut before = self.cpu_time()?;
        loop {
            thread::sleep(QUIET);
            let now = self.cpu_time()?;
            if now - before < BUSY {
                return Ok(now);
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{} does not come to rest", self.reader.name()).into());
            }
            before = now;
        }
    }

    /// Has it stop, and asks what it saw.
    fn finish(mut self) -> Result<Seen, Box<dyn Error>> {
        drop(self.child.stdin.take());
        if self.reader == Reader::Tcpdump {
            kill(self.pid()?, Signal::SIGINT)?;
        }
        let mut said = String::new();
        self.says.read_to_string(&mut said)?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("{}: {status}: {said}", self.reader.name()).into());
        }
        if self.reader == Reader::Tcpdump {
            let captured = counted(&said, "packets captured")?;
            let lost = counted(&said, "packets dropped by kernel")?;
            return Ok(Seen { captured, lost, ..Seen::default() });
        }
        Ok(serde_json::from_str(&said)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Where something failed; one that has ended is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A reader that uses less than this within [`QUIET`] has nothing to do.
const BUSY: u64 = 500_000;

/// Longer than frames wait in a ring that nobody hands over.
const QUIET: Duration = Duration::from_millis(100);

/// For a reader that is far behind on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// This program as a reader.
fn again(reader: Reader, load: &Load<'_>, sender: usize) -> Result<Command, Box<dyn Error>> {
    let mut command = Command::new(env::current_exe()?);
    let numbers = [load.frames.len(), sender].map(|number| number.to_string());
    command.args([READER, reader.name(), load.mix.name()]).args(numbers);
    command.stdout(Stdio::piped());
    Ok(command)
}

/// The word by which this program is a reader.
pub(crate) const READER: &str = "reader";

fn tcpdump() -> Command {
    let mut command = Command::new("tcpdump");
    // As who we are: a user namespace may have no other.
    command.args(["-i", CABLE[1], "-w", "/dev/null", "-Z", "root"]);
    command.args(["-B", &room::KIBIBYTES.to_string()]);
    command.stderr(Stdio::piped());
    command
}

/// The number before these words.
fn counted(said: &str, words: &str) -> Result<u64, Box<dyn Error>> {
    let line = said.lines().find(|line| line.contains(words)).ok_or("tcpdump has not counted")?;
    Ok(line.trim().split(' ').next().unwrap_or_default().parse()?)
}
