//! What the tests are made of: a source that is fed from outside, packets of a few flows, and readers.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use flowscope_core::{FlowSide, LinkType, PacketView, Timestamp};
use flowscope_extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope_testkit::Dialogue;
use futures_core::Stream;
use netring::{
    AsyncCapture, AsyncPacketSource, Conversation, ConversationConfig, Conversations, Ended, Error,
    GapCause, Piece,
};

pub(crate) type Frames = Vec<(Timestamp, Vec<u8>)>;
pub(crate) type Extractor = AutoDetectEncap<FiveTuple>;
pub(crate) type Talk = Conversation<FiveTupleKey>;

pub(crate) fn extractor() -> Extractor {
    AutoDetectEncap(FiveTuple::bidirectional())
}

/// A source that lends what it is fed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fed(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    batches: VecDeque<Frames>,
    over: bool,
    stopped: bool,
    live: bool,
    polled: usize,
    waker: Option<Waker>,
}

impl Fed {
    /// One that is captured now, whose time passes without packets too.
    pub(crate) fn live() -> Fed {
        let source = Fed::default();
        source.0.lock().unwrap().live = true;
        source
    }

    pub(crate) fn feed(&self, batch: Frames) {
        let mut state = self.0.lock().unwrap();
        state.batches.push_back(batch);
        state.waker.take().into_iter().for_each(Waker::wake);
    }

    pub(crate) fn end(&self) {
        let mut state = self.0.lock().unwrap();
        state.over = true;
        state.waker.take().into_iter().for_each(Waker::wake);
    }

    /// How many times it was asked for a batch.
    pub(crate) fn polled(&self) -> usize {
        self.0.lock().unwrap().polled
    }

    pub(crate) fn stopped(&self) -> bool {
        self.0.lock().unwrap().stopped
    }

    pub(crate) fn conversations(
        &self,
        config: ConversationConfig,
    ) -> Conversations<Fed, Extractor> {
        AsyncCapture::new(self.clone()).flow_stream(extractor()).conversations(config)
    }
}

impl AsyncPacketSource for Fed {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, Error>> {
        let mut state = self.0.lock().unwrap();
        state.polled += 1;
        let Some(batch) = state.batches.pop_front() else {
            if state.over || state.stopped {
                return Poll::Ready(Ok(0));
            }
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        drop(state);
        let views: Vec<_> = batch
            .iter()
            .map(|(ts, frame)| PacketView::new(frame, LinkType::ETHERNET, *ts))
            .collect();
        lend(&views);
        Poll::Ready(Ok(views.len()))
    }

    fn stop(&mut self) {
        self.0.lock().unwrap().stopped = true;
    }

    fn latency(&self) -> Option<Duration> {
        self.0.lock().unwrap().live.then_some(Duration::from_millis(1))
    }
}

/// The start of the flow with this number.
pub(crate) fn flow(number: usize) -> Dialogue {
    let port = 10_000 + number as u16;
    Dialogue::tcp(&format!("10.0.0.1:{port}"), "10.0.0.2:80").step(Duration::ZERO)
}

/// The byte of a side's stream at this offset, in the flow that has this port.
pub(crate) fn byte(port: usize, side: FlowSide, offset: u64) -> u8 {
    (offset.wrapping_mul(31) ^ (offset >> 8) ^ port as u64 ^ (side.index() as u64 * 77)) as u8
}

/// `len` bytes of a side's stream.
pub(crate) fn bytes(number: usize, side: FlowSide, offset: u64, len: usize) -> Vec<u8> {
    (offset..offset + len as u64).map(|at| byte(10_000 + number, side, at)).collect()
}

/// A handshake, and that much from the initiator in segments of 1000 bytes; one packet per batch.
pub(crate) fn upload(number: usize, len: usize) -> Vec<Frames> {
    let mut talk = flow(number).handshake();
    for at in (0..len).step_by(1000) {
        let len = (len - at).min(1000);
        talk = talk.data(FlowSide::Initiator, bytes(number, FlowSide::Initiator, at as u64, len));
    }
    talk.build().into_iter().map(|packet| vec![packet]).collect()
}

/// Who reads one conversation, and checks what it says.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) talk: Talk,
    /// Where each side's stream stands.
    pub(crate) at: [u64; 2],
    pub(crate) read: u64,
    pub(crate) not_captured: u64,
    pub(crate) lag: u64,
    pub(crate) fins: [bool; 2],
    pub(crate) ended: Option<Ended>,
}

impl Reader {
    pub(crate) fn new(talk: Talk) -> Self {
        let (at, fins) = ([0; 2], [false; 2]);
        Reader { talk, at, read: 0, not_captured: 0, lag: 0, fins, ended: None }
    }

    pub(crate) fn port(&self) -> usize {
        usize::from(self.talk.key().a().port.max(self.talk.key().b().port).unwrap())
    }

    /// The next piece, if there is one; says whether there was.
    pub(crate) fn step(&mut self, cx: &mut Context<'_>) -> bool {
        match Pin::new(&mut self.talk).poll_next(cx) {
            Poll::Ready(Some(piece)) => self.take(piece),
            Poll::Ready(None) => {
                assert!(self.ended.is_some(), "the last piece tells how it ended");
                return false;
            }
            Poll::Pending => {
                assert!(self.ended.is_none(), "nothing comes after the end");
                return false;
            }
        }
        true
    }

    /// All that is there now.
    pub(crate) fn drain(&mut self) {
        while self.step(&mut Context::from_waker(Waker::noop())) {}
    }

    fn take(&mut self, piece: Piece) {
        assert!(self.ended.is_none(), "the end is last");
        let port = self.port();
        match piece {
            Piece::Bytes { side, offset, bytes, .. } => {
                assert_eq!(offset, self.at[side.index()], "bytes adjoin");
                assert!(!bytes.is_empty());
                for (at, found) in (offset..).zip(bytes.iter()) {
                    assert_eq!(*found, byte(port, side, at), "{side:?} at {at}");
                }
                self.at[side.index()] += bytes.len() as u64;
                self.read += bytes.len() as u64;
            }
            Piece::Gap { side, offset, len, cause } => {
                assert_eq!(offset, self.at[side.index()], "gaps adjoin");
                assert!(len > 0);
                self.at[side.index()] += len;
                match cause {
                    GapCause::NotCaptured => self.not_captured += len,
                    _ => self.lag += len,
                }
            }
            Piece::Fin { side } => {
                assert!(!std::mem::replace(&mut self.fins[side.index()], true), "one fin a side");
            }
            Piece::Ended(ended) => self.ended = Some(ended),
            _ => {}
        }
    }
}

/// Polls once.
pub(crate) fn poll<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop()))
}

/// Polls until there is nothing now, as an executor does that has no other task, and returns the items
/// and whether the stream has ended.
pub(crate) fn drain<S: Stream + Unpin>(stream: &mut S) -> (Vec<S::Item>, bool) {
    let mut items = Vec::new();
    loop {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        match Pin::new(&mut *stream).poll_next(&mut Context::from_waker(&waker)) {
            Poll::Ready(Some(item)) => items.push(item),
            Poll::Ready(None) => return (items, true),
            Poll::Pending if woken.0.load(Ordering::Relaxed) => {}
            Poll::Pending => return (items, false),
        }
    }
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The conversations that begin with what the source has been fed.
pub(crate) fn opened(stream: &mut Conversations<Fed, Extractor>) -> Vec<Reader> {
    drain(stream).0.into_iter().map(|talk| Reader::new(talk.unwrap())).collect()
}
