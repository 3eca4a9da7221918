use std::future::{Future as _, poll_fn};
use std::io::{self, Stdout};
use std::num::NonZeroU32;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use flowscope::core::{Ledger, LinkType, PacketView};
use flowscope_filter::Filter;
use netring::ring::{Capture as _, CaptureError, ShuntMap};
use netring::{AsyncPacketSource as _, Error};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::open::{Source, failed, open};
use crate::args::live::Taking;
use crate::error::{Failure, Status};
use crate::output::count;
use crate::say;

/// Packets of interfaces, until a limit is reached or a signal arrives.
pub(super) struct Feed {
    capture: Source,
    /// Packets left until the limit.
    left: u64,
    taken: u64,
    status: Status,
}

/// Counters of all packets that arrived.
pub(super) struct Account {
    arrived: u64,
    taken: u64,
    /// Packets that the kernel counted for their flows; `None` if it was not asked to.
    shunted: Option<u64>,
    /// Packets lost before they could be read, by cause.
    pub(super) lost: Ledger,
}

impl Feed {
    /// Starts to capture, until the sender that comes with it is dropped, the limit of packets or time, or, if output
    /// goes to standard output (`is_piped`), until its reader closes it. Must run inside a runtime.
    pub(super) fn start(
        interfaces: &[String],
        taking: &Taking,
        filter: Option<&Filter>,
        shunt: Option<NonZeroU32>,
        is_piped: bool,
    ) -> Result<(Self, oneshot::Sender<()>), Failure> {
        let (stop, stopped) = oneshot::channel::<()>();
        let capture = open(interfaces, taking, filter, shunt)?;
        let duration = taking.duration.map(|time| time.0);
        let reader = is_piped.then(Reader::new).flatten();
        let capture = capture.stop_when(async move {
            let mut stopped = pin!(stopped);
            let mut over = pin!(async {
                match duration {
                    Some(duration) => sleep(duration).await,
                    None => std::future::pending().await,
                }
            });
            poll_fn(|cx| {
                let left = reader.as_ref().map_or(Poll::Pending, |reader| reader.poll_left(cx));
                let polled = [stopped.as_mut().poll(cx).map(drop), over.as_mut().poll(cx), left];
                if polled.iter().any(Poll::is_ready) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
        let left = taking.count.map_or(u64::MAX, Into::into);
        Ok((Feed { capture, left, taken: 0, status: Status::Done }, stop))
    }

    /// Lends packets; false at the end. Errors are printed, and change the status.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<bool> {
        let Feed { capture, left, taken, status } = self;
        while *left > 0 {
            let mut lend = |views: &[PacketView<'_>]| {
                let wanted = usize::try_from(*left).unwrap_or(usize::MAX).min(views.len());
                lend(&views[..wanted]);
                *left -= wanted as u64;
                *taken += wanted as u64;
            };
            match capture.poll_batch(cx, &mut lend) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => return Poll::Ready(false),
                Poll::Ready(Ok(_)) => return Poll::Ready(true),
                Poll::Ready(Err(error)) => {
                    say(&failed(&error).message().unwrap_or_default());
                    match error {
                        // The capture resumes when the interface is up again.
                        Error::Capture(CaptureError::InterfaceDown { .. }) => {}
                        // Other interfaces go on.
                        Error::Capture(CaptureError::InterfaceGone { .. }) => {
                            *status = Status::Failed;
                        }
                        _ => {
                            *status = Status::Failed;
                            capture.stop();
                        }
                    }
                }
            }
        }
        Poll::Ready(false)
    }

    /// Whether it was stopped.
    pub(super) fn was_stopped(&self) -> bool {
        self.left == 0 || self.capture.is_stopped()
    }

    /// Most severe status so far.
    pub(super) fn status(&self) -> Status {
        self.status
    }

    /// Counters up to now.
    pub(super) fn account(&mut self) -> Result<Account, Failure> {
        let stats = self.stats()?;
        let arrived = stats.arrived.unwrap_or(self.taken + stats.packets.seen());
        let shunted = self.shunt_map().map(ShuntMap::packets);
        Ok(Account { arrived, taken: self.taken, shunted, lost: stats.packets })
    }

    /// Counters of the capture.
    pub(super) fn stats(&mut self) -> Result<netring::Stats, Failure> {
        self.capture.stats().map_err(|error| failed(&error))
    }

    /// The map of flows that the kernel counts, if it was asked to.
    pub(super) fn shunt_map(&self) -> Option<&ShuntMap> {
        self.capture.source().source().sources().iter().find_map(|live| live.capture().shunt_map())
    }

    /// Whether the last poll only yielded to other tasks.
    pub(super) fn gave_way(&self) -> bool {
        self.capture.gave_way()
    }

    /// Longest delay of a packet.
    pub(super) fn latency(&self) -> Duration {
        self.capture.source().latency().unwrap_or_default()
    }

    /// Names and link types of the interfaces.
    pub(super) fn links(&self) -> impl Iterator<Item = (&str, LinkType)> {
        self.capture.source().source().sources().iter().map(|live| {
            let capture = live.capture();
            (capture.interface().name.as_str(), capture.link())
        })
    }

    /// Message at the start.
    pub(super) fn greeting(&self) -> String {
        let names: Vec<&str> = self.links().map(|(name, _)| name).collect();
        format!("capturing on {}", names.join(", "))
    }
}

impl Account {
    /// Counters in one line; `done` is the verb for packets that were read.
    pub(super) fn line(&self, done: &str) -> String {
        let dropped = self.lost.seen();
        let mut line = format!(
            "{} arrived: {} {done}, {dropped} dropped by the kernel",
            count(self.arrived, "packet"),
            self.taken,
        );
        if let Some(shunted) = self.shunted {
            line += &format!(", {shunted} counted by the kernel");
        }
        let known = self.taken + dropped + self.shunted.unwrap_or(0);
        let unread = self.arrived.saturating_sub(known);
        if unread > 0 {
            line += &format!(", {unread} left unread");
        }
        line
    }

    /// Whether packets were lost for lack of room.
    pub(super) fn is_short(&self) -> bool {
        self.lost.seen() > 0
    }
}

/// Watches the reader of standard output.
struct Reader(AsyncFd<Stdout>);

impl Reader {
    /// `None` for a file, which has no reader.
    fn new() -> Option<Self> {
        #[allow(
            deprecated,
            reason = "the other constructor is unsafe, for who closes what is watched"
        )]
        AsyncFd::with_interest(io::stdout(), Interest::READABLE).ok().map(Reader)
    }

    /// Whether the reader has closed it: a pipe without reader has an error condition, which tokio
    /// reports as write readiness.
    fn poll_left(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.poll_write_ready(cx).map(|ready| {
            if let Ok(mut ready) = ready {
                ready.retain_ready();
            }
        })
    }
}
