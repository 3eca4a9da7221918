use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flowscope::core::{LinkType, PacketSource as _, PacketView};
use flowscope::pcap::CaptureFiles;
use flowscope_filter::Filter;
use netring::ring::{AfPacket, Capture as _, CaptureError};
use netring::{Pace, Pacer};

use super::open::open_to_send;
use super::{failure, signals};
use crate::args::live::ReplayArgs;
use crate::error::{Failure, Status};
use crate::files::blame;
use crate::output::count;
use crate::say;

/// Sends the packets of captures.
pub(crate) fn replay(args: &ReplayArgs) -> Result<Status, Failure> {
    if args.rounds != 1 && args.files.iter().any(|file| file.as_os_str() == "-") {
        return Err(Failure::Usage("standard input can be read once: leave out --loop".into()));
    }
    let capture = open_to_send(&args.interface)?;
    if !capture.interface().is_running && !args.quiet {
        say(&format!("interface `{}` has no carrier: what is sent may be lost", args.interface));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, here) = (Arc::clone(&stop), thread::current());
    signals::watch(move || {
        stopped.store(true, Ordering::Relaxed);
        here.unpark();
    })?;
    let pace = match args.pps {
        _ if args.topspeed => Pace::Top,
        Some(pps) => Pace::Rate(pps),
        None => Pace::Times(args.speed),
    };
    let mut sender = Sender {
        link: capture.link(),
        capture,
        filter: args.filter.clone(),
        pacer: Pacer::new(pace),
        stop,
        start: Instant::now(),
        sent: 0,
        left_out: [0; REASONS.len()],
        slip: Duration::ZERO,
        failure: None,
    };
    let mut status = Status::Done;
    let mut rounds = 0;
    while (args.rounds == 0 || rounds < args.rounds) && sender.goes_on() {
        let before = sender.sent;
        status = status.max(sender.send_all(CaptureFiles::new(&args.files), rounds == 0));
        rounds += 1;
        if sender.sent == before {
            // Nothing to be sent, however often.
            break;
        }
    }
    if let Some(failure) = sender.failure.take() {
        return Err(failure);
    }
    if !args.quiet {
        sender.report();
    }
    let left_out = sender.left_out.iter().any(|packets| *packets > 0);
    Ok(status.max(if left_out { Status::Incomplete } else { Status::Done }))
}

/// Sends packets when their time comes.
struct Sender {
    capture: AfPacket,
    link: LinkType,
    filter: Option<Filter>,
    pacer: Pacer,
    /// Whether it is to end.
    stop: Arc<AtomicBool>,
    start: Instant,
    sent: u64,
    left_out: [u64; REASONS.len()],
    /// How far behind the schedule it was at most.
    slip: Duration,
    failure: Option<Failure>,
}

/// Why a packet is left out.
#[derive(Clone, Copy)]
enum Reason {
    Cut,
    OtherLink,
    TooLong,
    TooShort,
}

const REASONS: [&str; 4] = ["cut", "other_link", "too_long", "too_short"];

/// How long to wait for room to send.
const BUSY: Duration = Duration::from_micros(200);

impl Sender {
    /// Sends what is in `files`. What is wrong with them is the status, and told if it is the `first`
    /// time.
    fn send_all(&mut self, mut files: CaptureFiles, first: bool) -> Status {
        let mut status = Status::Done;
        self.pacer.restart();
        while self.goes_on() {
            match files.next_batch(&mut |views| self.take(views)) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    status = status.max(blame(&error));
                    if first {
                        say(&error.to_string());
                    }
                }
            }
        }
        status
    }

    fn goes_on(&self) -> bool {
        self.failure.is_none() && !self.stop.load(Ordering::Relaxed)
    }

    fn take(&mut self, views: &[PacketView<'_>]) {
        // Those whose time has come, to be sent at once; and the first one's time.
        let mut batch: Vec<&[u8]> = Vec::with_capacity(views.len());
        let mut since = None;
        for view in views {
            if self.filter.as_mut().is_some_and(|filter| !filter.matches(*view)) {
                continue;
            }
            let due = self.pacer.due(view.ts());
            if let Some(due) = due
                && due > Instant::now()
            {
                self.send(&batch, since.take());
                batch.clear();
                self.wait_until(due);
            }
            if !self.goes_on() {
                return;
            }
            match self.reason_against(view) {
                Some(reason) => self.left_out[reason as usize] += 1,
                None => {
                    since = since.or(due);
                    batch.push(view.frame());
                }
            }
        }
        self.send(&batch, since);
    }

    fn reason_against(&self, view: &PacketView<'_>) -> Option<Reason> {
        if view.link() != self.link {
            Some(Reason::OtherLink)
        } else if view.is_cut() {
            Some(Reason::Cut)
        } else if self.link == LinkType::ETHERNET && view.frame().len() < ETHERNET_HEADER
            || view.frame().is_empty()
        {
            Some(Reason::TooShort)
        } else {
            None
        }
    }

    /// Waits, but for a signal.
    fn wait_until(&self, due: Instant) {
        while self.goes_on() {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::park_timeout(left);
        }
    }

    /// Sends packets, the first of which was due at `since`.
    fn send(&mut self, mut frames: &[&[u8]], since: Option<Instant>) {
        if let Some(due) = since {
            self.slip = self.slip.max(due.elapsed());
        }
        while !frames.is_empty() && self.goes_on() {
            match self.capture.send_batch(frames) {
                Ok(0) | Err(CaptureError::Busy) => thread::park_timeout(BUSY),
                Ok(sent) => {
                    self.sent += sent as u64;
                    frames = &frames[sent..];
                }
                Err(CaptureError::FrameTooLong { .. }) => {
                    self.left_out[Reason::TooLong as usize] += 1;
                    frames = &frames[1..];
                }
                Err(error) => self.failure = Some(failure(&error)),
            }
        }
    }

    fn report(&self) {
        let took = self.start.elapsed().as_secs_f64();
        let mut line = format!("{} sent in {took:.3} s", count(self.sent, "packet"));
        if self.pacer.pace() != Pace::Top {
            let slip = self.slip.as_secs_f64() * 1e3;
            line += &format!(", at most {slip:.1} ms behind the schedule");
        }
        say(&line);
        let parts: Vec<String> = (REASONS.iter().zip(self.left_out))
            .filter(|(_, packets)| *packets > 0)
            .map(|(reason, packets)| format!("{} {reason}", count(packets, "packet")))
            .collect();
        if !parts.is_empty() {
            say(&format!("left out: {}", parts.join(", ")));
        }
    }
}

/// Two addresses and a type.
const ETHERNET_HEADER: usize = 14;
