//! Takes messages of consumers, and acknowledges those whose rows are in files.

use std::collections::BTreeMap;
use std::future::{pending, poll_fn};
use std::io;
use std::task::Poll;
use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::message::Message as Received;
use async_nats::jetstream::{self, AckKind, Context};
use async_nats::{Client, Event};
use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, select_all};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};

use super::args::Args;
use super::store::{Rows, Store};
use super::{Failure, say};
use crate::arrow;
use crate::ledger::Count;
use crate::login;
use crate::message::{Message, PREFIX, Source};
use crate::publisher::stream_config;

/// Most messages of a commit.
const MESSAGES: usize = 2000;

/// Most bytes of rows that wait for a commit, about; a message more is possible.
const BYTES: usize = 128 << 20;

/// Messages that are asked for at once, of each consumer.
const ASKED: usize = 64;

/// Between attempts to reach the server.
const RETRY: Duration = Duration::from_millis(500);

/// A collector, and what it has.
pub(super) struct Collector<'a> {
    args: &'a Args,
    client: Client,
    jetstream: Context,
    store: Store,
    waiting: BTreeMap<(Source, u64), Waiting>,
    /// Bytes of their rows.
    bytes: usize,
    /// When the first of them came.
    since: Option<Instant>,
    /// When the last message came, or the start.
    latest: Instant,
    ledger: Ledger,
    /// Whether the last attempt to reach the server failed.
    is_lost: bool,
}

/// A batch that is to be written, and the messages that it came in.
struct Waiting {
    record: String,
    rows: arrow_array::RecordBatch,
    messages: Vec<Received>,
}

/// What became of messages.
#[derive(Debug, Default)]
struct Ledger {
    written: Count,
    /// Batches that came again.
    duplicates: u64,
    /// Messages that are no batches.
    rejected: u64,
    commits: u64,
}

type Messages = BoxStream<'static, Result<Received, String>>;

/// What there is to be done next.
enum Next {
    Message(Box<Received>),
    /// The server cannot be reached, or the consumer is gone.
    Lost(String),
    Commit,
    /// A signal, or nothing came for long.
    End,
}

impl<'a> Collector<'a> {
    /// Opens the directory, and connects, or begins to if no server can be reached.
    pub(super) async fn open(args: &'a Args) -> Result<Self, Failure> {
        let servers = login::servers(&args.url).map_err(Failure::Usage)?;
        let login = args.login.read().map_err(Failure::Failed)?;
        let options = login::options(&servers, &login).map_err(Failure::Failed)?;
        let store = Store::open(&args.output, &args.name).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::ResourceBusy => Failure::Failed(error),
            _ => Failure::Output(error),
        })?;
        let is_quiet = args.quiet;
        let options = options.name("flowscope collect").event_callback(move |event| async move {
            match event {
                Event::ServerError(error) if !is_quiet => say(&error.to_string()),
                Event::ClientError(error) if !is_quiet => say(&error.to_string()),
                _ => {}
            }
        });
        let client = login::connect(servers, options).await.map_err(Failure::Failed)?;
        Ok(Collector {
            args,
            jetstream: jetstream::new(client.clone()),
            client,
            store,
            waiting: BTreeMap::new(),
            bytes: 0,
            since: None,
            latest: Instant::now(),
            ledger: Ledger::default(),
            is_lost: false,
        })
    }

    /// Collects until a signal, or until it is idle. Returns whether all messages were batches.
    pub(super) async fn run(mut self) -> Result<bool, Failure> {
        let of = |kind| signal(kind).map_err(Failure::Failed);
        let mut signals = [of(SignalKind::interrupt())?, of(SignalKind::terminate())?];
        let mut messages = None;
        loop {
            let next = tokio::select! {
                next = self.next(&mut messages) => next,
                () = any(&mut signals) => Next::End,
            };
            match next {
                Next::Message(message) => {
                    self.is_lost = false;
                    self.latest = Instant::now();
                    self.take(*message).await;
                    if self.waiting.len() >= MESSAGES || self.bytes >= BYTES {
                        self.commit().await?;
                    }
                }
                Next::Commit => self.commit().await?,
                Next::Lost(why) => {
                    messages = None;
                    if !std::mem::replace(&mut self.is_lost, true) && !self.args.quiet {
                        say(&format!("{}: {why}; trying again", self.args.nats_stream));
                    }
                    sleep(RETRY).await;
                }
                Next::End => break,
            }
        }
        self.commit().await?;
        // What is acknowledged now is not sent again to the next one of this name.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.client.flush()).await;
        let Ledger { written, duplicates, rejected, commits } = &self.ledger;
        if !self.args.quiet {
            say(&format!(
                "{written} written; commits: {commits}, duplicates: {duplicates}, rejected: {rejected}"
            ));
        }
        Ok(*rejected == 0)
    }

    async fn next(&mut self, messages: &mut Option<Messages>) -> Next {
        let commit = self.since.map(|since| since + self.args.commit);
        let idle = self.args.until_idle.map(|idle| self.latest + idle);
        let stream = async {
            if messages.is_none() {
                match self.subscribe().await {
                    Ok(subscribed) => *messages = Some(subscribed),
                    Err(why) => return Next::Lost(why),
                }
            }
            let Some(messages) = messages else { return Next::Lost("no consumer".to_owned()) };
            match messages.next().await {
                Some(Ok(message)) => Next::Message(Box::new(message)),
                Some(Err(why)) => Next::Lost(why),
                None => Next::Lost("the consumer has ended".to_owned()),
            }
        };
        tokio::select! {
            biased;
            () = until(commit) => Next::Commit,
            next = stream => next,
            () = until(idle) => Next::End,
        }
    }

    /// Messages of all consumers, which are made unless they exist.
    async fn subscribe(&self) -> Result<Messages, String> {
        let config = stream_config(&self.args.nats_stream, self.args.nats_replicas.into());
        let stream = self.jetstream.get_or_create_stream(config).await;
        let stream = stream.map_err(|error| error.to_string())?;
        let consumers: Vec<_> = match &self.args.partitions {
            None => vec![(self.args.name.clone(), format!("{PREFIX}.>"))],
            Some(partitions) => partitions
                .clone()
                .map(|at| (format!("{}-{at}", self.args.name), format!("{PREFIX}.*.*.{at}")))
                .collect(),
        };
        let mut all = Vec::new();
        for (name, subject) in consumers {
            let config = pull::Config {
                durable_name: Some(name.clone()),
                filter_subject: subject,
                // Longer than a message waits for its commit.
                ack_wait: self.args.commit * 3 + Duration::from_secs(2),
                max_ack_pending: MESSAGES as i64 * 2,
                ..pull::Config::default()
            };
            let consumer = stream.get_or_create_consumer(&name, config).await;
            let consumer = consumer.map_err(|error| error.to_string())?;
            let messages = consumer.stream().max_messages_per_batch(ASKED).messages().await;
            let messages = messages.map_err(|error| error.to_string())?;
            all.push(messages.map(|message| message.map_err(|error| error.to_string())).boxed());
        }
        Ok(select_all(all).boxed())
    }

    /// Takes a message, which waits for the next commit unless it is a duplicate, or no batch.
    async fn take(&mut self, received: Received) {
        let (subject, headers) = (received.subject.as_str(), received.headers.as_ref());
        let decoded = Message::received(subject, headers, received.payload.clone());
        let message = match decoded {
            Ok(message) => message,
            Err(why) => return self.reject(&received, why).await,
        };
        if self.store.has(&message.source, message.number) {
            self.ledger.duplicates += 1;
            return acknowledge(&received, AckKind::Ack).await;
        }
        let place = (message.source.clone(), message.number);
        if let Some(waiting) = self.waiting.get_mut(&place) {
            self.ledger.duplicates += 1;
            waiting.messages.push(received);
            return;
        }
        let rows = match arrow::decode(&message.payload) {
            Ok(rows) => rows,
            Err(why) => return self.reject(&received, &why).await,
        };
        self.bytes += rows.get_array_memory_size();
        self.since.get_or_insert_with(Instant::now);
        let waiting = Waiting { record: message.record, rows, messages: vec![received] };
        self.waiting.insert(place, waiting);
    }

    /// A message is no batch. It is not asked for again, and stays in the stream.
    async fn reject(&mut self, received: &Received, why: &str) {
        self.ledger.rejected += 1;
        if self.ledger.rejected <= 10 && !self.args.quiet {
            say(&format!("a message of {} is no batch: {why}", received.subject));
        }
        acknowledge(received, AckKind::Term).await;
    }

    /// Writes what waits, then acknowledges it.
    async fn commit(&mut self) -> Result<(), Failure> {
        self.since = None;
        self.bytes = 0;
        if self.waiting.is_empty() {
            return Ok(());
        }
        let (mut batches, mut messages) = (Vec::new(), Vec::new());
        for ((source, number), waiting) in std::mem::take(&mut self.waiting) {
            let Waiting { record, rows, messages: came_in } = waiting;
            self.ledger.written += Count { batches: 1, rows: rows.num_rows() as u64 };
            batches.push(Rows { source, number, record, rows });
            messages.extend(came_in);
        }
        self.store.commit(batches).map_err(Failure::Output)?;
        self.ledger.commits += 1;
        for message in &messages {
            acknowledge(message, AckKind::Ack).await;
        }
        Ok(())
    }
}

/// If it is not sent, the message comes again, and is known then.
async fn acknowledge(message: &Received, kind: AckKind) {
    let _ = message.ack_with(kind).await;
}

/// Waits until then; for ever without a time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => pending().await,
    }
}

async fn any(signals: &mut [Signal; 2]) {
    poll_fn(|cx| {
        let polled = signals.each_mut().map(|signal| signal.poll_recv(cx));
        if polled.iter().any(Poll::is_ready) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
