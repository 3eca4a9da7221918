//! The thread that reads captures, and makes records.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::{io, mem, thread};

use flowscope::output::{CaptureStats, FlowRecord, RecordHeader};
use flowscope::pcap::ReadError;
use flowscope::protocols::AppRecord;
use flowscope_cli::{RecordRun, RecordRunError, RecordSink};

use crate::errors::InputError;

/// Records of one message.
const BATCH: usize = 256;

/// Messages that wait for Python. With what the thread and the iterator have, records of six messages are in memory.
const WAITING: usize = 4;

/// What a record is made of.
pub(crate) enum Item {
    Flow(Box<FlowRecord>),
    Session(RecordHeader, AppRecord),
}

/// What the thread sends.
pub(crate) enum Message {
    Records(Vec<Item>),
    Error(InputError),
    /// Behind all records.
    Stats(Box<CaptureStats>),
    /// The last one: whether the run came to its end.
    Ended(Result<(), RecordRunError>),
}

/// Starts the thread. It ends soon after the receiver is dropped, and never calls Python.
pub(crate) fn start(run: RecordRun, sessions: bool) -> io::Result<Receiver<Message>> {
    let (sender, receiver) = sync_channel(WAITING);
    let sink = Sender { sender: sender.clone(), sessions, batch: Vec::new() };
    thread::Builder::new().name("flowscope".into()).spawn(move || {
        let ended = run.run(Box::new(sink));
        // Nobody may be there any more.
        let _ = sender.send(Message::Ended(ended));
    })?;
    Ok(receiver)
}

/// Sends records as they are made, and waits while too many wait for Python.
struct Sender {
    sender: SyncSender<Message>,
    /// Whether records of protocols are wanted, or those of flows.
    sessions: bool,
    batch: Vec<Item>,
}

impl Sender {
    fn take(&mut self, item: Item) -> io::Result<()> {
        self.batch.push(item);
        if self.batch.len() < BATCH { Ok(()) } else { self.send_batch() }
    }

    /// Also without records: that is how it learns that nobody wants more.
    fn send_batch(&mut self) -> io::Result<()> {
        let batch = mem::take(&mut self.batch);
        self.send(Message::Records(batch))
    }

    fn send(&self, message: Message) -> io::Result<()> {
        self.sender.send(message).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl RecordSink for Sender {
    fn flow(&mut self, record: &FlowRecord) -> io::Result<()> {
        if self.sessions { Ok(()) } else { self.take(Item::Flow(Box::new(record.clone()))) }
    }

    fn session(&mut self, header: &RecordHeader, record: &AppRecord) -> io::Result<()> {
        if self.sessions {
            self.take(Item::Session(header.clone(), record.clone()))
        } else {
            Ok(())
        }
    }

    fn input_error(&mut self, error: &ReadError) -> bool {
        // If nobody is there, it need not be reported.
        let _ = self.send(Message::Error(InputError::of(error)));
        true
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send_batch()
    }

    fn finish(&mut self, stats: &CaptureStats) -> io::Result<()> {
        self.send_batch()?;
        self.send(Message::Stats(Box::new(stats.clone())))
    }
}
