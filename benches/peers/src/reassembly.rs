//! Streams put in order by `protolens`, and by ours.
//!
//! `protolens` has no flow table: it gets our extraction and a plain hash map of tasks, which keeps no
//! counters, no states and no timeouts. Ours is measured the same way, and as the whole driver, which
//! does all of that.

use std::cell::RefCell;
use std::hint::black_box;
use std::net::IpAddr;
use std::rc::Rc;

use flowscope_benches::sessions::{self, Mute};
use flowscope_benches::{Contest, Options, Reordered, Report, Trace, per_unit, traces};
use flowscope_core::{
    Conflict, Extracted, FlowExtractor, FlowSide, L4Proto, Orientation, PacketView, Reassembler,
    Segment, StreamSink,
};
use flowscope_driver::SessionDriver;
use flowscope_extract::{FiveTuple, FiveTupleKey};
use flowscope_reassembly::{StreamReassembler, StreamReassemblerFactory, StreamConfig};
use flowscope_track::EndReason;
use hashbrown::HashMap;
use protolens::{L7Proto, Packet, Prolens, Task, TransProto};

pub(crate) fn streams(options: &Options) {
    let bulk = traces::bulk(options.scale / 5.0);
    if options.wants("streams-bulk") {
        one("bulk, in order", bulk, None, options);
    }
    for (name, late) in [("streams-late-0", 0), ("streams-late-10", 10), ("streams-late-50", 50)] {
        if options.wants(name) {
            let sent = Reordered::new(late, options.scale / 4.0);
            one(name, sent.trace, Some(sent.bytes), options);
        }
    }
}

fn one(name: &str, trace: Trace, sent: Option<u64>, options: &Options) {
    // Packets of `protolens` live for as long as the program does: nothing has to be copied for them.
    let trace: &'static Trace = Box::leak(Box::new(trace));
    let mut bytes = [0; 4];
    let [theirs, plain, forgetful, whole] = &mut bytes;
    let figures = Contest::default()
        .enter("ours, in a hash map, without history", |_| read_plain(trace, 0, forgetful))
        .enter("ours, in a hash map", |_| read_plain(trace, 16, plain))
        .enter("ours, the whole driver", |_| {
            let key = FiveTuple::bidirectional();
            let mut driver = SessionDriver::with_config(key, Mute, sessions::roomy(10_000, 16));
            let cost = per_unit(trace.len(), || {
                sessions::lend(&mut driver, trace, 0..trace.len(), 0, &mut ());
            });
            driver.finish_with(EndReason::EndOfInput, &mut ());
            *whole = driver.bytes().delivered();
            cost
        })
        .enter("protolens, in a hash map", |_| {
            let mut lens = Lens::new();
            let cost =
                per_unit(trace.len(), || (0..trace.len()).for_each(|at| lens.take(trace, at)));
            *theirs = lens.said.borrow().bytes;
            cost
        })
        .run(options.rounds);
    let report = Report::new(&format!("streams, {name}, {} packets", trace.len()), "ns/packet");
    report.rows(&figures);
    // Who does not deliver everything has not done the same work: no ratio then.
    if theirs == whole {
        for (nth, goal) in [(0, ""), (1, ">= 1"), (2, ">= 1")] {
            let name = format!("protolens / {}", figures[nth].name);
            report.ratio(&name, &figures[3], &figures[nth], goal);
        }
    }
    report.note(&format!("bytes delivered: protolens {theirs}, ours {whole}, sent {sent:?}"));
    assert!(*plain == *whole && *forgetful == *whole && sent.is_none_or(|sent| sent == *whole));
}

/// A packet as `protolens` wants to see it.
#[derive(Clone, Debug)]
struct Shown {
    /// 0 or 1, by orientation.
    way: usize,
    ends: [(IpAddr, u16); 2],
    seq: u32,
    syn: bool,
    fin: bool,
    payload: &'static [u8],
}

impl Packet for Shown {
    fn trans_proto(&self) -> TransProto {
        TransProto::Tcp
    }
    fn sip(&self) -> IpAddr {
        self.ends[0].0
    }
    fn dip(&self) -> IpAddr {
        self.ends[1].0
    }
    fn tu_sport(&self) -> u16 {
        self.ends[0].1
    }
    fn tu_dport(&self) -> u16 {
        self.ends[1].1
    }
    fn seq(&self) -> u32 {
        self.seq
    }
    fn syn(&self) -> bool {
        self.syn
    }
    fn fin(&self) -> bool {
        self.fin
    }
    fn payload_len(&self) -> usize {
        self.payload.len()
    }
    fn payload(&self) -> &[u8] {
        self.payload
    }
}

struct Lens {
    lens: Prolens<Shown>,
    tasks: HashMap<FiveTupleKey, (Task<Shown>, [Option<u32>; 2])>,
    said: Rc<RefCell<AppRecord>>,
}

/// What came out: packets in order, copies among them, which a reader has to pass over.
#[derive(Default)]
struct AppRecord {
    bytes: u64,
    /// The next sequence number of both directions of the flow that is at work.
    next: [Option<u32>; 2],
}

impl AppRecord {
    #[inline]
    fn take(&mut self, shown: &Shown) {
        let seq = shown.seq.wrapping_add(u32::from(shown.syn));
        let next = self.next[shown.way].unwrap_or(seq);
        let behind = next.wrapping_sub(seq) as usize;
        if let Some(new) = shown.payload.get(behind..) {
            self.bytes += black_box(new).len() as u64;
            self.next[shown.way] = Some(next.wrapping_add(new.len() as u32));
        }
    }
}

impl Lens {
    fn new() -> Self {
        let said = Rc::new(RefCell::new(AppRecord::default()));
        let mut lens = Prolens::default();
        let heard = Rc::clone(&said);
        lens.set_cb_ord_pkt(move |shown: Shown, _, _| heard.borrow_mut().take(&shown));
        Lens { lens, tasks: HashMap::new(), said }
    }

    #[inline]
    fn take(&mut self, trace: &'static Trace, at: usize) {
        let view = trace.view(at, 0);
        let Some(found) = FiveTuple::bidirectional().extract(view) else { return };
        let Some(tcp) = found.tcp else { return };
        let payload = payload(trace, at, &found);
        if payload.is_empty() && !tcp.flags.syn() && !tcp.flags.fin() {
            return;
        }
        let Lens { lens, tasks, said } = self;
        let (task, next) = tasks.entry(found.key).or_insert_with(|| {
            let mut task = lens.new_task(TransProto::Tcp);
            // Without a parser it waits for one.
            lens.set_task_parser(&mut task, L7Proto::OrdPacket);
            (task, [None; 2])
        });
        said.borrow_mut().next = *next;
        let shown = Shown {
            way: usize::from(found.orientation == Orientation::Reverse),
            ends: ends(&found),
            seq: tcp.seq,
            syn: tcp.flags.syn(),
            fin: tcp.flags.fin(),
            payload,
        };
        // What it returns is about protocol parsers.
        let _ = lens.run_task(task, shown);
        *next = said.borrow().next;
    }
}

fn payload(trace: &'static Trace, at: usize, found: &Extracted<FiveTupleKey>) -> &'static [u8] {
    let (from, len) = (found.payload.offset as usize, found.payload.captured as usize);
    trace.frame(at).0.get(from..from + len).unwrap_or_default()
}

#[inline]
fn ends(found: &Extracted<FiveTupleKey>) -> [(IpAddr, u16); 2] {
    let (a, b) = (found.key.a(), found.key.b());
    let mut ends = [(a.addr, a.port.unwrap_or(0)), (b.addr, b.port.unwrap_or(0))];
    if found.orientation == Orientation::Reverse {
        ends.reverse();
    }
    ends
}

/// Counts bytes.
#[derive(Default)]
struct Count(u64);

impl StreamSink for Count {
    #[inline]
    fn bytes(&mut self, _: u64, bytes: &[u8]) {
        self.0 += black_box(bytes).len() as u64;
    }
    fn gap(&mut self, _: u64, _: u64) {}
    fn conflict(&mut self, _: Conflict) {}
}

/// Our reassembler where `protolens` stands, fed as it is.
fn read_plain(trace: &Trace, history: u8, bytes: &mut u64) -> f64 {
    let factory = StreamReassemblerFactory::new(StreamConfig::default().history(history));
    let mut flows: HashMap<FiveTupleKey, [StreamReassembler; 2]> = HashMap::new();
    let mut out = Count::default();
    let cost = per_unit(trace.len(), || {
        for at in 0..trace.len() {
            let view: PacketView<'_> = trace.view(at, 0);
            let Some(found) = FiveTuple::bidirectional().extract(view) else { continue };
            let Some(tcp) = found.tcp.filter(|_| found.l4 == Some(L4Proto::Tcp)) else { continue };
            let sides = flows.entry(found.key).or_insert_with(|| [factory.make(), factory.make()]);
            let [forward, reverse] = sides;
            let (own, peer, side) = match found.orientation {
                Orientation::Forward => (forward, reverse, FlowSide::Initiator),
                Orientation::Reverse => (reverse, forward, FlowSide::Responder),
            };
            let segment = Segment {
                side,
                ts: view.ts(),
                seq: tcp.seq.wrapping_add(u32::from(tcp.flags.syn())),
                payload: found.payload.of(&view),
                wire_len: found.payload.wire_len,
                ack: tcp.flags.ack().then_some(tcp.ack),
                syn: tcp.flags.syn(),
                fin: tcp.flags.fin(),
                padding: false,
                out_of_window: false,
            };
            own.push(segment, peer, &mut out);
        }
    });
    for [a, b] in flows.values_mut() {
        a.end(b, &mut out);
        b.end(a, &mut out);
    }
    *bytes = out.0;
    cost
}
