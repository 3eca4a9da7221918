//! Three captures of the same frames: tcpdump's file, flows as a stream, and sessions as a stream.

use std::fs::{self, File};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;

use flowscope::core::{LinkType, PacketSource, PacketView};
use flowscope::driver::{Driver, SessionEvent};
use flowscope::extract::FiveTupleKey;
use flowscope::pcap::{CaptureReader, CaptureWriter};
use flowscope::track::FlowEvent;
use flowscope_testkit::namespace::until;
use flowscope_tests::session::{AppRecord, EXTRACTOR, protocols};
use netring::ring::AfPacket;
use netring::{
    AsyncCapture, AsyncDriver, AsyncPacketSource, CaptureBuilder, EventStream, Live, Stats,
};
use tokio::sync::watch;

use crate::world::{DIR, World, near, passed};

/// What was seen of some traffic.
pub(crate) struct Watched {
    /// What tcpdump recorded.
    pub(crate) file: PathBuf,
    pub(crate) flows: Stream<FlowEvent<FiveTupleKey>>,
    pub(crate) sessions: Stream<Session>,
}

/// An event of a session.
pub(crate) type Session = SessionEvent<FiveTupleKey, AppRecord>;

/// What came out of a stream.
pub(crate) struct Stream<T> {
    pub(crate) events: Vec<T>,
    /// Where everything went.
    pub(crate) stats: Stats,
    /// What it recorded of the packets on their way.
    pub(crate) tap: PathBuf,
}

/// All three captures of what passes `vb` while `traffic` runs.
pub(crate) fn watch(world: &World, traffic: impl FnOnce() + Send) -> Watched {
    let (file, (flows, sessions)) = alongside(world, traffic, |over| {
        let open = |name| {
            let capture = builder().open("vb").expect("the world is ours");
            recorded(capture, name, over).map(|capture| capture.flow_stream(EXTRACTOR))
        };
        let flows = open("flows.pcap");
        let sessions = open("sessions.pcap").map(|flows| flows.protocol_stream(protocols()));
        async { tokio::join!(all_of(flows), all_of(sessions)) }
    });
    Watched { file, flows, sessions }
}

/// The same with several workers in place of the streams: the file, the sessions of all workers, and
/// where everything went.
pub(crate) fn watch_sharded(
    world: &World,
    workers: NonZeroUsize,
    traffic: impl FnOnce() + Send,
) -> (PathBuf, Vec<Session>, Stats) {
    let (file, (sessions, stats)) = alongside(world, traffic, |over| {
        let sharded = builder().open_sharded("vb", 1, workers).expect("the world is ours");
        let config = netring::default_config();
        let sessions = sharded
            .stream(|_| Driver::with_config(EXTRACTOR, protocols(), config.clone()))
            .expect("threads can be had");
        let mut sessions = sessions.stop_when(over.wait());
        async move {
            let mut events = Vec::new();
            while let Some(event) = sessions.next().await {
                events.push(event.expect("nothing befalls the interface"));
            }
            let stats = sessions.ended().await.expect("the sockets are open");
            let sum = stats.into_iter().reduce(|mut sum, worker| {
                sum.merge(&worker);
                sum
            });
            (events, sum.expect("there are workers"))
        }
    });
    (file, sessions, stats)
}

/// Room for all that comes in a second, whose frames are as long as frames can be.
fn builder() -> CaptureBuilder {
    let positive = |number| NonZeroU32::new(number).expect("not zero");
    AsyncCapture::<Live<AfPacket>>::builder().ring(positive(256), positive(1 << 18))
}

/// Comes when there will be no more traffic.
#[derive(Clone)]
pub(crate) struct Over(watch::Receiver<()>);

impl Over {
    fn wait(&self) -> impl Future<Output = ()> + Send + use<> {
        let Over(mut over) = self.clone();
        async move {
            let _ = over.changed().await;
        }
    }
}

/// Has tcpdump record what passes `vb` while `traffic` runs, and reads live captures, which `open`
/// opens before and which stop once nothing passes any more.
pub(crate) fn alongside<T, F: Future<Output = T>>(
    world: &World,
    traffic: impl FnOnce() + Send,
    open: impl FnOnce(&Over) -> F,
) -> (PathBuf, T) {
    let tcpdump = Tcpdump::start("vb");
    let before = passed();
    let read = thread::scope(|scope| {
        block_on(async {
            let (over, end) = watch::channel(());
            let read = open(&Over(end));
            scope.spawn(move || {
                traffic();
                world.settle();
                // Not before: it is dropped by a panic too.
                drop(over);
            });
            read.await
        })
    });
    let [frames, bytes] = passed();
    (tcpdump.finish([frames - before[0], bytes - before[1]]), read)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be had").block_on(work)
}

/// A capture that records what it reads, and the file.
pub(crate) struct Recorded<C>(C, PathBuf);

impl<C> Recorded<C> {
    pub(crate) fn map<T>(self, change: impl FnOnce(C) -> T) -> Recorded<T> {
        Recorded(change(self.0), self.1)
    }
}

pub(crate) fn recorded<S: AsyncPacketSource>(
    capture: AsyncCapture<S>,
    name: &str,
    over: &Over,
) -> Recorded<AsyncCapture<S>> {
    let tap = Path::new(DIR).join(name);
    let out = File::create(&tap).expect("a file");
    let out = CaptureWriter::pcap(out, LinkType::ETHERNET).expect("a capture file");
    Recorded(capture.with_pcap_tap(out).stop_when(over.wait()), tap)
}

/// Every event of a stream to its end, and where everything went.
pub(crate) async fn all_of<S: AsyncPacketSource, D: AsyncDriver>(
    Recorded(mut stream, tap): Recorded<EventStream<S, D>>,
) -> Stream<D::Event> {
    let mut events = Vec::new();
    while let Some(event) = stream.next().await {
        events.push(event.expect("nothing befalls the interface"));
    }
    let stats = stream.stats().expect("the socket is open");
    Stream { events, stats, tap }
}

/// A running tcpdump.
struct Tcpdump {
    child: Child,
    file: PathBuf,
    log: PathBuf,
}

impl Tcpdump {
    /// Returns once it misses nothing.
    fn start(interface: &str) -> Self {
        let [file, log] = ["pcap", "log"].map(|end| Path::new(DIR).join(format!("tcpdump.{end}")));
        let child = Command::new("tcpdump")
            // Each slot of its buffer is as large as the longest frame may be: all of them whole, and room
            // for two thousand.
            .args(["-i", interface, "-n", "-U", "-s", "70000", "-B", "131072", "-Z", "root"])
            .args(["--immediate-mode", "--time-stamp-precision=nano", "-w"])
            .arg(&file)
            .stderr(File::create(&log).expect("a file"))
            .spawn()
            .expect("tcpdump was found before");
        until("tcpdump listens", || {
            fs::read_to_string(&log).is_ok_and(|said| said.contains("listening on"))
        });
        Tcpdump { child, file, log }
    }

    /// Ends it once it has written as many frames as the interface counted; it must have lost none, and
    /// have written no more, and as many bytes.
    fn finish(mut self, passed: [u64; 2]) -> PathBuf {
        let [frames, _] = passed;
        until("tcpdump has written all frames", || count(&self.file)[0] >= frames);
        near(&format!("kill -INT {}", self.child.id()));
        assert!(self.child.wait().expect("tcpdump ends").success());
        let said = fs::read_to_string(&self.log).expect("it wrote there");
        let number = |what: &str| -> Option<u64> {
            let line = said.lines().find_map(|line| line.strip_suffix(what));
            line.and_then(|number| number.trim().parse().ok())
        };
        assert_eq!(number("packets captured"), Some(frames), "{said}");
        assert_eq!(number("packets dropped by kernel"), Some(0), "{said}");
        assert_eq!(count(&self.file), passed, "frames and bytes, by the interface's own count");
        self.file
    }
}

/// How many frames a file has that is still being written, and how long they were on the wire.
fn count(file: &Path) -> [u64; 2] {
    let mut counted = [0; 2];
    if let Ok(mut reader) = CaptureReader::open(file) {
        let mut lend = |packets: &[PacketView<'_>]| {
            let bytes = packets.iter().map(|packet| u64::from(packet.wire_len()));
            counted = [counted[0] + packets.len() as u64, counted[1] + bytes.sum::<u64>()];
        };
        while let Ok(1..) = reader.next_batch(&mut lend) {}
    }
    counted
}
