//! An HTTP connection as its two ends see it, and the packets that a tap between them sees.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use flowscope::core::FlowSide::{self, Initiator, Responder};
use flowscope::core::{TcpFlags, Timestamp};
use flowscope_testkit::{Packet, Rng, frame};

/// When a client sends its next request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Client {
    /// When the response to the one before is complete.
    Lockstep,
    /// Several at a time, when the responses to all before are complete.
    Bursts,
    /// As long as fewer than this many are unanswered. The server answers a request before the next one
    /// can arrive that its response lets the client send: otherwise such a connection, once the first requests are
    /// hidden, is one in lockstep in all that can be seen.
    Window(usize),
}

/// A packet, and what it carries.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) packet: Packet,
    pub(crate) side: FlowSide,
    /// The exchanges whose bytes it carries.
    pub(crate) exchanges: Vec<usize>,
    pub(crate) reset: bool,
}

/// A connection: `count` exchanges, each of which has a number in its target and its response.
pub(crate) struct Plan {
    pub(crate) client: Client,
    pub(crate) count: usize,
    /// Whether some requests are `HEAD`: where such a one is lost, it is a guess where its response ends.
    pub(crate) heads: bool,
}

const ISN: [u32; 2] = [u32::MAX - 60, 7000];

/// One end of the connection.
#[derive(Default)]
struct End {
    /// Bytes sent so far.
    sent: u64,
    /// Bytes of the other end received so far.
    received: u64,
    /// Where each message ends in its stream.
    ends: Vec<u64>,
    /// Messages of the other end that were received whole.
    messages: usize,
}

struct Simulation<'a> {
    rng: &'a mut Rng,
    ends: [End; 2],
    /// Microseconds from the initiator, and from the responder, to the tap.
    distance: [u64; 2],
    /// Segments under way, by the time of their arrival, and in the order in which they were sent.
    under_way: BinaryHeap<Reverse<(u64, u64, bool, u64)>>,
    /// What the ends do next: a client its next request, a server its next response.
    actions: BinaryHeap<Reverse<(u64, bool)>>,
    heads: bool,
    seen: Vec<(u64, Sent)>,
    order: u64,
    /// Kinds of the requests: whether their response has no body.
    head: Vec<bool>,
    /// Requests that the server has begun to serve.
    served: usize,
    /// When each end can send its next segment.
    free: [u64; 2],
}

impl Plan {
    /// The packets that a tap sees, in the order in which they pass it, and the kind of each request.
    pub(crate) fn run(&self, rng: &mut Rng) -> Vec<Sent> {
        let distance = [1 + rng.below(20_000) as u64, 1 + rng.below(20_000) as u64];
        let mut it = Simulation {
            rng,
            ends: [End::default(), End::default()],
            distance,
            under_way: BinaryHeap::new(),
            actions: BinaryHeap::new(),
            heads: self.heads,
            seen: Vec::new(),
            order: 0,
            head: Vec::new(),
            served: 0,
            free: [0; 2],
        };
        it.handshake();
        it.exchanges(self);
        it.close();
        it.seen.sort_by_key(|(at, sent)| (*at, sent.packet.ts));
        it.seen.into_iter().map(|(_, sent)| sent).collect()
    }
}

impl Simulation<'_> {
    fn round_trip(&self) -> u64 {
        2 * (self.distance[0] + self.distance[1])
    }

    fn handshake(&mut self) {
        let one_way = self.round_trip() / 2;
        self.segment(Initiator, 0, TcpFlags::SYN, &[], Vec::new());
        self.segment(Responder, one_way, TcpFlags::SYN | TcpFlags::ACK, &[], Vec::new());
        self.segment(Initiator, 2 * one_way, TcpFlags::ACK, &[], Vec::new());
    }

    fn exchanges(&mut self, plan: &Plan) {
        let start = self.round_trip() + self.think();
        self.actions.push(Reverse((start, true)));
        let mut asked = 0;
        let mut waits = false;
        let mut serving_until = 0;
        loop {
            let arrival = self.under_way.peek().map(|Reverse(next)| next.0);
            let action = self.actions.peek().map(|Reverse(next)| next.0);
            if arrival.is_some_and(|at| action.is_none_or(|action| at <= action)) {
                let Some(Reverse((now, _, client, to))) = self.under_way.pop() else { break };
                // A segment of the server arrives at the client, or the other way round.
                let receiver = if client { Responder } else { Initiator };
                self.receive(receiver, to);
                if self.rng.one_in(2) {
                    self.segment(receiver, now, TcpFlags::ACK, &[], Vec::new());
                }
                let (answered, heard) = (self.ends[0].messages, self.ends[1].messages);
                if receiver == Initiator && waits && asked < plan.count {
                    let may = match plan.client {
                        Client::Lockstep | Client::Bursts => answered == asked,
                        Client::Window(most) => asked - answered < most,
                    };
                    if may {
                        waits = false;
                        let think = if plan.client == Client::Lockstep { self.think() } else { 0 };
                        self.actions.push(Reverse((now + think, true)));
                    }
                } else if receiver == Responder {
                    // Requests are served one after the other.
                    while self.served < heard {
                        let most = if plan.client == Client::Lockstep { 30_000 } else { 1000 };
                        let most = most.min(self.round_trip() as usize / 20);
                        let service = 1 + self.rng.below(most + 1) as u64;
                        serving_until = serving_until.max(now) + service;
                        self.actions.push(Reverse((serving_until, false)));
                        self.served += 1;
                    }
                }
            } else if let Some(Reverse((now, client))) = self.actions.pop() {
                if client {
                    let burst = match plan.client {
                        Client::Lockstep => 1,
                        Client::Bursts => 1 + self.rng.below(4),
                        Client::Window(most) => most - (asked - self.ends[0].messages),
                    };
                    for _ in 0..burst.min(plan.count - asked) {
                        self.request(now, asked);
                        asked += 1;
                    }
                    waits = true;
                } else {
                    let exchange = self.ends[1].ends.len();
                    self.response(now, exchange);
                }
            } else {
                break;
            }
        }
    }

    /// How long a user looks at a page: most often not at all.
    fn think(&mut self) -> u64 {
        if self.rng.one_in(3) { self.rng.below(300_000) as u64 } else { self.rng.below(500) as u64 }
    }

    fn receive(&mut self, side: FlowSide, to: u64) {
        let other = self.ends[(!side).index()].ends.clone();
        let own = &mut self.ends[side.index()];
        own.received = own.received.max(to);
        own.messages = other.iter().filter(|end| **end <= own.received).count();
    }

    fn request(&mut self, now: u64, exchange: usize) {
        let head = self.heads && self.rng.one_in(5);
        self.head.push(head);
        let body = "b".repeat(self.rng.below(60));
        let text = match (head, self.rng.below(4)) {
            (true, _) => format!("HEAD /{exchange} HTTP/1.1\r\n\r\n"),
            (false, 0) => {
                let len = body.len();
                format!("POST /{exchange} HTTP/1.1\r\nContent-Length: {len}\r\n\r\n{body}")
            }
            _ => format!("GET /{exchange} HTTP/1.1\r\nHost: h\r\n\r\n"),
        };
        self.message(Initiator, now, text.as_bytes(), exchange);
    }

    fn response(&mut self, now: u64, exchange: usize) {
        let body = "x".repeat(self.rng.below(300));
        let len = body.len();
        let mut text = String::new();
        if self.rng.one_in(8) {
            text.push_str("HTTP/1.1 103 Early Hints\r\n\r\n");
        }
        text += &match (self.head[exchange], self.rng.below(4)) {
            (true, _) => {
                format!("HTTP/1.1 200 OK\r\nTag: {exchange}\r\nContent-Length: {len}\r\n\r\n")
            }
            (false, 0) => format!("HTTP/1.1 204 None\r\nTag: {exchange}\r\n\r\n"),
            (false, 1) => format!(
                "HTTP/1.1 200 OK\r\nTag: {exchange}\r\nTransfer-Encoding: chunked\r\n\r\n\
                 4\r\nabcd\r\n0\r\n\r\n"
            ),
            _ => {
                format!("HTTP/1.1 200 OK\r\nTag: {exchange}\r\nContent-Length: {len}\r\n\r\n{body}")
            }
        };
        self.message(Responder, now, text.as_bytes(), exchange);
    }

    /// Sends a message in segments of random lengths.
    fn message(&mut self, side: FlowSide, now: u64, bytes: &[u8], exchange: usize) {
        let end = self.ends[side.index()].sent + bytes.len() as u64;
        self.ends[side.index()].ends.push(end);
        let size = if self.rng.one_in(2) { bytes.len() } else { 20 + self.rng.below(bytes.len()) };
        for piece in bytes.chunks(size) {
            let flags = TcpFlags::ACK | TcpFlags::PSH;
            self.segment(side, now, flags, piece, vec![exchange]);
        }
    }

    fn segment(
        &mut self,
        side: FlowSide,
        now: u64,
        flags: TcpFlags,
        payload: &[u8],
        exchanges: Vec<usize>,
    ) {
        let (own, peer) = (side.index(), (!side).index());
        let number = |side: usize, at: u64| ISN[side].wrapping_add(1).wrapping_add(at as u32);
        let seq = number(own, self.ends[own].sent).wrapping_sub(u32::from(flags.syn()));
        let ack = if flags.ack() { number(peer, self.ends[own].received) } else { 0 };
        self.ends[own].sent += payload.len() as u64;
        self.order += 1;
        let now = now.max(self.free[own]);
        self.free[own] = now + 1;
        let passes = now + self.distance[own];
        let ts = Timestamp::from_secs(1_000) + Duration::from_micros(passes);
        let ends = ["10.0.0.1", "10.0.0.2"];
        let ports = [40_000, 80];
        let packet = frame()
            .ethernet()
            .ipv4(ends[own], ends[peer])
            .tcp(ports[own], ports[peer])
            .seq(seq)
            .ack(ack)
            .flags(flags)
            .window(60_000)
            .payload(payload);
        let packet = Packet { ts, ..packet.packet() };
        self.seen.push((passes, Sent { packet, side, exchanges, reset: flags.rst() }));
        if !payload.is_empty() {
            let arrives = passes + self.distance[peer];
            let to = self.ends[own].sent;
            self.under_way.push(Reverse((arrives, self.order, side == Initiator, to)));
        }
    }

    /// The client closes, the server closes, or nobody does.
    fn close(&mut self) {
        let last = self.seen.iter().map(|(at, _)| *at).max().unwrap_or(0) + self.round_trip();
        let first = if self.rng.one_in(2) { Initiator } else { Responder };
        match self.rng.below(3) {
            0 => {}
            1 => self.segment(first, last, TcpFlags::RST | TcpFlags::ACK, &[], Vec::new()),
            _ => {
                for (n, side) in [first, !first].into_iter().enumerate() {
                    let now = last + n as u64 * self.round_trip();
                    self.segment(side, now, TcpFlags::FIN | TcpFlags::ACK, &[], Vec::new());
                    self.ends[(!side).index()].received += 1;
                    self.ends[side.index()].sent += 1;
                }
                let end = last + 3 * self.round_trip();
                self.segment(first, end, TcpFlags::ACK, &[], Vec::new());
            }
        }
    }
}
