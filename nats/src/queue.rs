//! What the capture and the publisher share: records that wait to be a batch, and batches that wait for the server.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow_array::RecordBatch;
use bytes::Bytes;
use flowscope::output::{RecordHeader, terminal};
use flowscope::record::Record;
use flowscope_cli::Broker;
use tokio::sync::Notify;

use crate::arrow;
use crate::batches::{Batch, Batches};
use crate::ledger::{Count, Ledger};
use crate::message::{Message, Source};
use crate::spool::{Spool, Ticket};

/// Most bytes of a message, below the 1 MiB that servers take by default. A batch that is larger is divided.
const MAX_PAYLOAD: usize = 1_000_000;

/// Records of a live capture wait no longer than this to be a batch.
const AGE: Duration = Duration::from_secs(5);

/// How long reading of files waits for room, if the server acknowledges nothing meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// The queue of a sensor.
pub(crate) struct Queue {
    state: Mutex<State>,
    /// There is something to be published, or the end.
    pub(crate) wake: Notify,
    /// There may be room in the spool.
    room: Condvar,
    site: String,
    run: String,
    name: String,
    is_live: bool,
    is_quiet: bool,
}

struct State {
    batches: Batches,
    spool: Spool,
    /// The next number of each partition.
    numbers: BTreeMap<u16, u64>,
    ledger: Ledger,
    /// When the server acknowledged something.
    progress: Instant,
    /// Why it does not.
    problem: Option<String>,
    /// Whether there are no more records.
    has_ended: bool,
    /// Whether the first error of the spool was printed.
    has_failed: bool,
}

impl Queue {
    /// Opens the spool.
    ///
    /// # Errors
    ///
    /// Those of [`Spool::open`].
    pub(crate) fn open(broker: &Broker) -> io::Result<Self> {
        let spool = Spool::open(&broker.spool, broker.spool_bytes, broker.dropped)?;
        let ledger = Ledger { found: spool.found, ..Ledger::default() };
        Ok(Queue {
            state: Mutex::new(State {
                batches: Batches::new(broker.partitions, broker.is_live),
                spool,
                numbers: BTreeMap::new(),
                ledger,
                progress: Instant::now(),
                problem: None,
                has_ended: false,
                has_failed: false,
            }),
            wake: Notify::new(),
            room: Condvar::new(),
            site: broker.site.clone(),
            run: broker.run.clone().unwrap_or_else(new_run),
            name: broker.name(),
            is_live: broker.is_live,
            is_quiet: broker.is_quiet,
        })
    }

    /// Takes a record.
    pub(crate) fn push(&self, header: &RecordHeader, record: &impl Record) {
        let mut state = self.state();
        if let Some(batch) = state.batches.push(header, record) {
            drop(self.store(state, &batch, !self.is_live));
        }
    }

    /// Takes what waits: there are no more records.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        while let Some(batch) = state.batches.take_any() {
            state = self.store(state, &batch, !self.is_live);
        }
        state.has_ended = true;
        drop(state);
        self.wake.notify_one();
    }

    /// What became of all batches, once nothing more is published, and why the server did not take them.
    pub(crate) fn account(&self) -> (Ledger, Option<String>) {
        let state = self.state();
        let ledger =
            Ledger { left: state.spool.left(), damaged: state.spool.damaged, ..state.ledger };
        (ledger, state.problem.clone())
    }

    /// Makes batches of records of a live capture that have waited for long.
    pub(crate) fn take_older(&self) {
        if !self.is_live {
            return;
        }
        let mut state = self.state();
        while let Some(batch) = state.batches.take_older(AGE) {
            state = self.store(state, &batch, false);
        }
    }

    /// Brings what was written to the disk. An error of that is one of writing.
    pub(crate) fn sync(&self) {
        let unsynced = self.state().spool.unsynced();
        // Without the lock: it may take long.
        if let Err(error) = unsynced.and_then(|file| file.map_or(Ok(()), |file| file.sync_data())) {
            self.spool_failed(&mut self.state(), &error);
        }
    }

    /// The next message.
    pub(crate) fn next(&self) -> io::Result<Option<(Ticket, Message)>> {
        self.state().spool.next()
    }

    /// How many messages are not acknowledged.
    pub(crate) fn left(&self) -> u64 {
        self.state().spool.left()
    }

    /// Whether there are no more records.
    pub(crate) fn has_ended(&self) -> bool {
        self.state().has_ended
    }

    /// The server has a message.
    pub(crate) fn acknowledge(
        &self,
        ticket: Ticket,
        message: &Message,
        is_duplicate: bool,
    ) -> io::Result<()> {
        let mut state = self.state();
        state.ledger.acknowledged += Count::of(message);
        if is_duplicate {
            state.ledger.duplicates += Count::of(message);
        }
        state.progress = Instant::now();
        if state.problem.take().is_some() {
            self.say("publishing again");
        }
        self.room.notify_all();
        state.spool.done(ticket)
    }

    /// The server takes no message as large as this one.
    pub(crate) fn refuse(&self, ticket: Ticket, message: &Message) -> io::Result<()> {
        let mut state = self.state();
        state.ledger.refused += Count::of(message);
        state.spool.done(ticket)
    }

    /// Nothing more is sent. What was evicted after it was read is dropped now.
    pub(crate) fn give_up(&self, open: &BTreeMap<Ticket, Count>) {
        let mut state = self.state();
        for (ticket, count) in open {
            if !state.spool.holds(*ticket) {
                state.ledger.dropped += *count;
            }
        }
    }

    /// The server cannot be reached, or does not take a message. Printed once, until it takes one.
    pub(crate) fn problem(&self, what: &str) {
        let mut state = self.state();
        let is_new = state.problem.replace(what.to_owned()).is_none();
        if is_new {
            self.say(&format!("{what}; batches wait in the spool"));
        }
    }

    /// Prints a line on standard error, unless only errors are wanted.
    pub(crate) fn say(&self, what: &str) {
        if !self.is_quiet {
            let line = format!("{}: {what}", self.name);
            let _ = writeln!(io::stderr(), "flowscope-nats: {}", terminal(&line));
        }
    }

    /// Writes a batch to the spool, or drops something. `may_wait` if there is time to wait for room.
    fn store<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        batch: &Batch,
        may_wait: bool,
    ) -> MutexGuard<'a, State> {
        for message in self.messages(&mut state, batch) {
            state.ledger.made += Count::of(&message);
            loop {
                match state.spool.push(&message) {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(error) => self.spool_failed(&mut state, &error),
                }
                // Acknowledgements make room, on the disk too.
                let makes_room = state.spool.left() > 0 && state.progress.elapsed() < PATIENCE;
                if may_wait && makes_room {
                    self.wake.notify_one();
                    let waited = self.room.wait_timeout(state, Duration::from_millis(200));
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                    continue;
                }
                let before = state.spool.evicted;
                let has_room = state.spool.evict().unwrap_or(false);
                let evicted = state.spool.evicted - before;
                state.ledger.dropped += evicted;
                if !has_room {
                    state.ledger.dropped += Count::of(&message);
                    break;
                }
            }
            self.wake.notify_one();
        }
        state
    }

    fn spool_failed(&self, state: &mut State, error: &io::Error) {
        if !std::mem::replace(&mut state.has_failed, true) {
            self.say(&format!("the spool cannot be written: {error}"));
        }
    }

    /// The messages of a batch: one, unless it is too large.
    fn messages(&self, state: &mut State, batch: &Batch) -> Vec<Message> {
        let Batch { record, partition, rows } = batch;
        let mut messages = Vec::new();
        let number = state.numbers.entry(*partition).or_default();
        let mut rest = vec![rows.clone()];
        while let Some(rows) = rest.pop() {
            let count = rows.num_rows() as u64;
            let refused = Count { batches: 1, rows: count };
            match arrow::encode(&rows) {
                Ok(payload) if payload.len() <= MAX_PAYLOAD => {
                    messages.push(Message {
                        source: Source {
                            site: self.site.clone(),
                            run: self.run.clone(),
                            partition: *partition,
                        },
                        record: (*record).to_owned(),
                        number: *number,
                        rows: count,
                        payload: Bytes::from(payload),
                    });
                    *number += 1;
                }
                Ok(_) if count > 1 => rest.extend(halves(&rows)),
                Ok(_) | Err(_) => {
                    state.ledger.made += refused;
                    state.ledger.refused += refused;
                }
            }
        }
        messages
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The second and the first half of rows.
fn halves(rows: &RecordBatch) -> [RecordBatch; 2] {
    let half = rows.num_rows() / 2;
    [rows.slice(half, rows.num_rows() - half), rows.slice(0, half)]
}

/// A name that no other run has.
fn new_run() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}-{}", now.as_nanos(), std::process::id())
}
