use std::future::{Future as _, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use flowscope::core::LinkType;
use tokio::time::{Instant, Sleep, sleep};

use super::feed::Feed;
use super::files::Files;
use super::{runtime, signals};
use crate::args::live::{CaptureArgs, FileFormat};
use crate::error::{Failure, Status};
use crate::say;

/// Records packets to files.
pub(crate) fn capture(args: CaptureArgs) -> Result<Status, Failure> {
    let CaptureArgs { interface, write, format, filter, quiet, taking, rotation } = args;
    Files::check(&write, &rotation)?;
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let is_piped = write.as_os_str() == "-";
    let (feed, stop) = Feed::start(&interface, &taking, filter.as_ref(), None, is_piped)?;
    signals::watch(move || drop(stop))?;
    let format = format.unwrap_or_else(|| format_of(&write));
    let files = Files::create(&write, link(&feed, format)?, rotation)?;
    if !quiet {
        say(&feed.greeting());
    }
    let sleep = Box::pin(sleep(Duration::ZERO));
    let recording = Recording { feed, files, behind: false, failure: None, sleep };
    runtime.block_on(recording.run(quiet))
}

/// As the file is called.
fn format_of(path: &Path) -> FileFormat {
    let is_pcap = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pcap"));
    if is_pcap { FileFormat::Pcap } else { FileFormat::Pcapng }
}

/// The link type of a pcap file, which has one.
fn link(feed: &Feed, format: FileFormat) -> Result<Option<LinkType>, Failure> {
    if format == FileFormat::Pcapng {
        return Ok(None);
    }
    let mut links = feed.links();
    let Some((first, link)) = links.next() else { return Ok(None) };
    match links.find(|(_, other)| *other != link) {
        Some((other, _)) => Err(Failure::Usage(format!(
            "packets of {first} and {other} begin differently, which takes --format pcapng"
        ))),
        None => Ok(Some(link)),
    }
}

/// A capture that is written as it comes.
struct Recording {
    feed: Feed,
    files: Files,
    /// Whether packets were written since the file was brought up to date.
    behind: bool,
    failure: Option<Failure>,
    sleep: Pin<Box<Sleep>>,
}

/// What there is to be done next.
enum Next {
    /// Packets came.
    Taken,
    /// None lies ready: there is time to write.
    Idle,
    /// A file has been written to for long enough.
    Due,
    /// There will be no more packets.
    Over,
}

impl Recording {
    async fn run(mut self, quiet: bool) -> Result<Status, Failure> {
        loop {
            match poll_fn(|cx| self.poll(cx)).await {
                Next::Taken => {}
                Next::Idle => self.files.flush()?,
                Next::Due => self.files.complete_current()?,
                Next::Over => break,
            }
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
        }
        let account = self.feed.account()?;
        let files = self.files.finish()?;
        if !quiet {
            let files = match files {
                Some(1) => "; 1 file".to_owned(),
                Some(n) => format!("; {n} files"),
                None => String::new(),
            };
            say(&(account.line("written") + &files));
        }
        let short = if account.is_short() { Status::Incomplete } else { Status::Done };
        Ok(self.feed.status().max(short))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        let Recording { feed, files, behind, failure, sleep } = self;
        let polled = feed.poll(cx, &mut |views| {
            if failure.is_none() {
                *failure = files.write(views).err();
            }
        });
        match polled {
            Poll::Ready(true) => {
                *behind = true;
                Poll::Ready(Next::Taken)
            }
            Poll::Ready(false) => Poll::Ready(Next::Over),
            Poll::Pending if *behind => {
                *behind = false;
                Poll::Ready(Next::Idle)
            }
            Poll::Pending => match files.due() {
                Some(due) if due <= Instant::now() => Poll::Ready(Next::Due),
                Some(due) => {
                    if sleep.deadline() != due {
                        sleep.as_mut().reset(due);
                    }
                    sleep.as_mut().poll(cx).map(|()| Next::Due)
                }
                None => Poll::Pending,
            },
        }
    }
}
