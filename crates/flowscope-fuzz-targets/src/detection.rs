//! Detection: a protocol that was ruled out does not come back, and one that was sure stays so.

use flowscope::core::FlowSide::{self, Initiator, Responder};
use flowscope::core::Probe;
use flowscope::driver::{ProtocolSet, Transport};
use flowscope::protocols::{AppRecord, Registry, Selection};
use flowscope::record::ParserOptions;

/// Bytes that a driver shows a parser at most.
const SHOWN: usize = 256;

pub(crate) fn run(bytes: &[u8]) {
    let [side, start @ ..] = bytes else { return };
    let side = if side & 1 == 0 { Initiator } else { Responder };
    let registry = Registry::new(Selection::ALL, &ParserOptions::default());
    let set: &dyn ProtocolSetOf = &registry;
    for (id, name, transport) in set.entries() {
        let probe = |len: usize| set.probe(id, side, &start[..len]);
        if transport == Transport::Datagram {
            let _ = probe(start.len());
            continue;
        }
        let mut last = Probe::Maybe;
        for len in 1..=start.len().min(SHOWN) {
            let now = probe(len);
            let may = last == Probe::Maybe || now == last;
            assert!(may, "{name}: {last:?} and then {now:?} of {len} bytes");
            last = now;
        }
    }
}

/// The set with the message type chosen.
trait ProtocolSetOf {
    fn entries(&self) -> Vec<(usize, &'static str, Transport)>;
    fn probe(&self, id: usize, side: FlowSide, start: &[u8]) -> Probe;
}

impl ProtocolSetOf for Registry {
    fn entries(&self) -> Vec<(usize, &'static str, Transport)> {
        let all = ProtocolSet::<AppRecord>::recognised(self).into_iter();
        all.map(|entry| (entry.id, entry.name, entry.transport)).collect()
    }

    fn probe(&self, id: usize, side: FlowSide, start: &[u8]) -> Probe {
        ProtocolSet::<AppRecord>::probe_start(self, id, side, start)
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let starts: [(&[u8], u8); 14] = [
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0),
        (b"HTTP/1.1 200 OK\r\n\r\n", 1),
        (b"\x16\x03\x01\x00\x20\x01\x00\x00\x1c\x03\x03", 0),
        (b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10", 0),
        (b"SSH-2.0-OpenSSH_9.9\r\n", 0),
        (b"220 mail.example ESMTP\r\n", 1),
        (b"EHLO a.example\r\n", 0),
        (b"220 ftp.example FTP\r\n", 1),
        (b"USER anonymous\r\n", 0),
        (b"+OK POP3 ready\r\n", 1),
        (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", 0),
        (b"\x34\x00\x00\x00\x0a8.0.36\x00\x07\x00\x00\x00saltsalt\x00\xff\xff\xff\x02\x00", 1),
        (b"\x00\x1d\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01", 0),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0),
    ];
    starts.iter().map(|(start, side)| [&[*side], *start].concat()).collect()
}
