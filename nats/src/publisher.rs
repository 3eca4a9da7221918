//! Publishes what is in the spool, and waits for the server to acknowledge it.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_nats::connection::State as Connection;
use async_nats::jetstream::context::{CreateStreamError, PublishError, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use flowscope_cli::Broker;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, sleep_until};

use crate::ledger::Count;
use crate::login;
use crate::message::{Message, PREFIX};
use crate::queue::Queue;
use crate::spool::Ticket;

/// Most messages that were sent and are not acknowledged.
const WINDOW: usize = 64;

/// Most bytes of them.
const WINDOW_BYTES: usize = 16 << 20;

/// Between looks at what lies in the queue for long, and at the connection.
const TICK: Duration = Duration::from_millis(200);

/// Between files that are brought to the disk.
const SYNC: Duration = Duration::from_secs(1);

/// Until a message is sent again, at first, and at most.
const RETRY: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(5)];

/// At the end, how long the server is waited for that acknowledges nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// Room for the headers of a message, below the server's limit.
const HEADERS: usize = 1 << 10;

/// How long the stream remembers the ids of messages.
const DUPLICATES: Duration = Duration::from_secs(120);

/// A message that was sent, or is to be sent again.
struct Flight {
    ticket: Ticket,
    message: Message,
}

/// A connection, and what was sent over it.
struct Publisher<'a> {
    queue: &'a Queue,
    broker: &'a Broker,
    client: Client,
    jetstream: Context,
    /// What was taken from the queue and is not acknowledged.
    open: BTreeMap<Ticket, Count>,
    /// What of it is to be sent again, in order.
    again: BTreeMap<Ticket, Flight>,
    /// When it is sent, and the pause after the next failure.
    retry: (Instant, Duration),
    bytes: usize,
}

/// Publishes until the queue has ended and all of it is acknowledged, or nothing more is. `started` is called when a server
/// has accepted this sensor, or none could be reached.
///
/// # Errors
///
/// If the spool cannot be read, or a server refuses this sensor at the start.
pub(crate) async fn run(
    queue: Arc<Queue>,
    broker: &Broker,
    servers: Vec<ServerAddr>,
    options: ConnectOptions,
    started: impl FnOnce(),
) -> io::Result<()> {
    let client = connect(queue.clone(), servers, options).await?;
    started();
    let mut publisher = Publisher {
        queue: &queue,
        broker,
        jetstream: jetstream::new(client.clone()),
        client,
        open: BTreeMap::new(),
        again: BTreeMap::new(),
        retry: (Instant::now(), RETRY[0]),
        bytes: 0,
    };
    let ended = publisher.run().await;
    queue.give_up(&publisher.open);
    ended
}

/// Connects, now or later: errors go to the queue.
async fn connect(
    queue: Arc<Queue>,
    servers: Vec<ServerAddr>,
    options: ConnectOptions,
) -> io::Result<Client> {
    let options = options.name("flowscope").event_callback(move |event| {
        let queue = queue.clone();
        async move {
            match event {
                Event::ServerError(error) => queue.problem(&error.to_string()),
                Event::ClientError(error) => queue.problem(&error.to_string()),
                Event::Disconnected => queue.problem("there is no connection"),
                _ => {}
            }
        }
    });
    login::connect(servers, options).await
}

/// How a stream is made that does not exist. One that is full refuses messages: they stay in the spool.
pub(crate) fn stream_config(name: &str, replicas: usize) -> Config {
    Config {
        name: name.to_owned(),
        subjects: vec![format!("{PREFIX}.>")],
        num_replicas: replicas,
        discard: DiscardPolicy::New,
        max_age: MAX_AGE,
        duplicate_window: DUPLICATES,
        ..Config::default()
    }
}

/// How long a stream keeps messages: a week.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Publisher<'_> {
    async fn run(&mut self) -> io::Result<()> {
        let (queue, broker, jetstream) = (self.queue, self.broker, self.jetstream.clone());
        let mut flights = FuturesUnordered::new();
        let mut synced = Instant::now();
        let mut progress = None;
        loop {
            while flights.len() < WINDOW && self.bytes < WINDOW_BYTES {
                let Some(flight) = self.next()? else { break };
                self.bytes += flight.message.payload.len();
                flights.push(attempt(&jetstream, &broker.stream, flight));
            }
            let has_ended = queue.has_ended();
            if has_ended && flights.is_empty() && self.again.is_empty() && queue.left() == 0 {
                return Ok(());
            }
            if has_ended && progress.get_or_insert_with(Instant::now).elapsed() >= PATIENCE {
                return Ok(());
            }
            let has_room = flights.len() < WINDOW && self.bytes < WINDOW_BYTES;
            let is_again = has_room && !self.again.is_empty() && self.is_connected();
            tokio::select! {
                Some((flight, sent)) = flights.next(), if !flights.is_empty() => {
                    self.bytes -= flight.message.payload.len();
                    if self.landed(flight, sent).await? {
                        progress = None;
                    }
                }
                () = queue.wake.notified(), if has_room => {}
                () = sleep(TICK) => {}
                () = sleep_until(self.retry.0), if is_again => {}
            }
            queue.take_older();
            if synced.elapsed() >= SYNC {
                synced = Instant::now();
                queue.sync();
            }
        }
    }

    fn is_connected(&self) -> bool {
        self.client.connection_state() == Connection::Connected
    }

    /// The next message to be sent, if one can be.
    fn next(&mut self) -> io::Result<Option<Flight>> {
        if !self.is_connected() || Instant::now() < self.retry.0 {
            return Ok(None);
        }
        if let Some((_, flight)) = self.again.pop_first() {
            return Ok(Some(flight));
        }
        let most = self.client.server_info().max_payload.saturating_sub(HEADERS);
        while let Some((ticket, message)) = self.queue.next()? {
            if message.payload.len() <= most {
                self.open.insert(ticket, Count::of(&message));
                return Ok(Some(Flight { ticket, message }));
            }
            self.queue.refuse(ticket, &message)?;
        }
        Ok(None)
    }

    /// A message has come back. Returns whether it was acknowledged.
    async fn landed(
        &mut self,
        flight: Flight,
        sent: Result<PublishAck, PublishError>,
    ) -> io::Result<bool> {
        let (queue, broker) = (self.queue, self.broker);
        match sent {
            // What answers may not be a server that keeps messages.
            Ok(ack) if ack.stream != broker.stream => {
                queue.problem(&format!("{} acknowledged for {}", ack.stream, broker.stream));
            }
            Ok(ack) => {
                queue.acknowledge(flight.ticket, &flight.message, ack.duplicate)?;
                self.open.remove(&flight.ticket);
                self.retry = (Instant::now(), RETRY[0]);
                return Ok(true);
            }
            Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                // Once for all messages that came back.
                if Instant::now() >= self.retry.0
                    && let Err(error) = self.create_stream().await
                {
                    queue.problem(&error.to_string());
                }
            }
            Err(error) => queue.problem(&error.to_string()),
        }
        self.again.insert(flight.ticket, flight);
        let (at, pause) = self.retry;
        if Instant::now() >= at {
            self.retry = (Instant::now() + pause, (pause * 2).min(RETRY[1]));
        }
        Ok(false)
    }

    /// Makes the stream. Another sensor may do the same at this time, and who may not do it may find it made.
    async fn create_stream(&self) -> Result<(), CreateStreamError> {
        let config = stream_config(&self.broker.stream, self.broker.replicas);
        self.jetstream.get_or_create_stream(config).await.map(drop)
    }
}

/// Sends a message, and waits for the answer.
async fn attempt(
    jetstream: &Context,
    stream: &str,
    flight: Flight,
) -> (Flight, Result<PublishAck, PublishError>) {
    let Flight { message, .. } = &flight;
    let sent = jetstream.publish_with_headers(
        message.subject(),
        message.headers(stream),
        message.payload.clone(),
    );
    let answer = match sent.await {
        Ok(sent) => sent.await,
        Err(error) => Err(error),
    };
    (flight, answer)
}
