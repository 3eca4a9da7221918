//! The `flowscope` command whose records are published.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flowscope::output::{CaptureStats, FlowRecord, RecordHeader};
use flowscope::protocols::AppRecord;
use flowscope_cli::{Broker, RecordSink};

use crate::login;
use crate::publisher;
use crate::queue::Queue;

/// Does what the command line says, as `flowscope` does, with `--format arrow`.
pub(crate) fn run() -> ExitCode {
    flowscope_cli::run_with_broker(&open)
}

/// How long packets wait for a server to accept the sensor at the start, or to refuse it.
const FIRST_ANSWER: Duration = Duration::from_secs(2);

/// Records go to a queue, from which a thread publishes.
struct Sensor {
    queue: Arc<Queue>,
    publisher: Option<JoinHandle<io::Result<()>>>,
}

fn open(broker: &Broker) -> io::Result<Box<dyn RecordSink>> {
    let servers = login::servers(&broker.url)?;
    let options = login::options(&servers, &broker.login)?;
    let queue = Arc::new(Queue::open(broker)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (shared, broker) = (queue.clone(), broker.clone());
    let (started, has_started) = mpsc::channel();
    let publish = move || {
        let started = move || {
            let _ = started.send(());
        };
        let publishing = publisher::run(shared, &broker, servers, options, started);
        let ended = runtime.block_on(publishing);
        // Look-ups of names may still go on.
        runtime.shutdown_background();
        ended
    };
    let publisher = thread::Builder::new().name("flowscope-nats".into()).spawn(publish)?;
    let mut sensor = Sensor { queue, publisher: Some(publisher) };
    // A server that answers later is not waited for: `check` finds that it refuses.
    if has_started.recv_timeout(FIRST_ANSWER) == Err(RecvTimeoutError::Disconnected) {
        sensor.join()?;
    }
    Ok(Box::new(sensor))
}

impl RecordSink for Sensor {
    fn flow(&mut self, record: &FlowRecord) -> io::Result<()> {
        self.queue.push(&record.header, record);
        self.check()
    }

    fn session(&mut self, header: &RecordHeader, record: &AppRecord) -> io::Result<()> {
        self.queue.push(header, record);
        self.check()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.check()
    }

    fn finish(&mut self, _: &CaptureStats) -> io::Result<()> {
        self.queue.end();
        self.join()?;
        self.queue.sync();
        let (ledger, problem) = self.queue.account();
        self.queue.say(&ledger.to_string());
        let Some(missing) = ledger.missing() else { return Ok(()) };
        Err(io::Error::other(match problem {
            Some(problem) => format!("{missing}: {problem}"),
            None => missing,
        }))
    }
}

impl Sensor {
    /// An error if nothing is published any more.
    fn check(&mut self) -> io::Result<()> {
        match &self.publisher {
            Some(publisher) if publisher.is_finished() => self.join(),
            _ => Ok(()),
        }
    }

    fn join(&mut self) -> io::Result<()> {
        match self.publisher.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(_)) => Err(io::Error::other("the publisher failed")),
            None => Ok(()),
        }
    }
}
