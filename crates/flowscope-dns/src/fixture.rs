//! Messages for tests, byte by byte.

use flowscope_core::{FlowSide, Timestamp};
use proptest::prelude::*;

use crate::decode::{RawMessage, decode};
use crate::{DnsConfig, DnsMessage, DnsTransport};

/// Writes a message: header, questions, then the records of each section in turn.
#[derive(Clone, Debug)]
pub(crate) struct Wire(Vec<u8>);

impl Wire {
    pub(crate) fn new(id: u16, flags: u16) -> Wire {
        let mut bytes = vec![0; 12];
        bytes[0..2].copy_from_slice(&id.to_be_bytes());
        bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        Wire(bytes)
    }

    /// A query with recursion desired.
    pub(crate) fn query(id: u16, name: &str, rtype: u16) -> Wire {
        Wire::new(id, 0x0100).question(name, rtype, 1)
    }

    /// Its response, without records.
    pub(crate) fn response(id: u16, name: &str, rtype: u16) -> Wire {
        Wire::new(id, 0x8180).question(name, rtype, 1)
    }

    pub(crate) fn question(self, name: &str, rtype: u16, class: u16) -> Wire {
        self.count(0).raw(&labels(name)).u16(rtype).u16(class)
    }

    pub(crate) fn answer(self, name: &[u8], rtype: u16, rdata: &[u8]) -> Wire {
        self.record(1, name, rtype, 1, 300, rdata)
    }

    /// An OPT record.
    pub(crate) fn edns(self, ttl: u32, options: &[u8]) -> Wire {
        self.record(3, b"\0", 41, 1232, ttl, options)
    }

    pub(crate) fn record(
        self,
        section: usize,
        name: &[u8],
        rtype: u16,
        class: u16,
        ttl: u32,
        rdata: &[u8],
    ) -> Wire {
        let head = self.count(section).raw(name).u16(rtype).u16(class).raw(&ttl.to_be_bytes());
        head.u16(rdata.len() as u16).raw(rdata)
    }

    /// Adds one to the count of a section.
    fn count(mut self, section: usize) -> Wire {
        let at = 4 + 2 * section;
        let count = u16::from_be_bytes([self.0[at], self.0[at + 1]]) + 1;
        self.0[at..at + 2].copy_from_slice(&count.to_be_bytes());
        self
    }

    /// Says that there are so many in each section.
    pub(crate) fn counts(mut self, counts: [u16; 4]) -> Wire {
        for (at, count) in counts.iter().enumerate() {
            self.0[4 + 2 * at..6 + 2 * at].copy_from_slice(&count.to_be_bytes());
        }
        self
    }

    fn u16(self, value: u16) -> Wire {
        self.raw(&value.to_be_bytes())
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Wire {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(crate) fn build(self) -> Vec<u8> {
        self.0
    }

    /// Behind its length.
    pub(crate) fn framed(self) -> Vec<u8> {
        framed(&self.0)
    }
}

pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u16).to_be_bytes().to_vec();
    out.extend_from_slice(body);
    out
}

/// A name, uncompressed.
pub(crate) fn labels(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out
}

/// Reads a message that was captured whole.
pub(crate) fn read(bytes: &[u8]) -> Option<DnsMessage> {
    read_cut(bytes, bytes.len())
}

/// Reads what was captured of a message of `len` bytes.
pub(crate) fn read_cut(bytes: &[u8], len: usize) -> Option<DnsMessage> {
    let raw = RawMessage {
        side: FlowSide::Initiator,
        ts: Timestamp::ZERO,
        transport: DnsTransport::Udp,
        bytes,
        len: len as u32,
    };
    decode(&raw, &DnsConfig::default())
}

/// Sound messages, one of many shapes each.
pub(crate) fn samples() -> Vec<Vec<u8>> {
    // A pointer to the name of the first question.
    const QNAME: &[u8] = b"\xc0\x0c";
    let soa = [&labels("ns.example.com")[..], b"\x02me\xc0\x0c", &[0, 0, 0, 9].repeat(5)].concat();
    vec![
        Wire::query(1, "example.com", 1).build(),
        Wire::query(2, "a.very.long.name.that.does.not.fit.inline.example.com", 28)
            .edns(0x8000, b"\0\x0a\0\x08cookie!!\0\x0c\0\0")
            .build(),
        Wire::response(1, "example.com", 1)
            .answer(QNAME, 5, b"\x03www\xc0\x0c")
            .answer(b"\x03www\xc0\x0c", 1, &[192, 0, 2, 1])
            .edns(0, b"")
            .build(),
        Wire::response(3, "example.com", 255)
            .answer(QNAME, 28, &[1; 16])
            .answer(QNAME, 15, b"\0\x0a\x02mx\xc0\x0c")
            .answer(QNAME, 16, b"\x05hello\x00\x03\xff\x00\"")
            .answer(QNAME, 33, b"\0\x01\0\x02\x13\xc4\x03sip\xc0\x0c")
            .answer(QNAME, 35, b"\0\x01\0\x02\x01u\x07E2U+sip\x05!.*!x\0")
            .answer(QNAME, 257, b"\x80\x05issueca.example")
            .answer(QNAME, 65, b"\0\x01\0\0\x01\0\x06\x02h2\x02h3\0\x04\0\x04\x01\x02\x03\x04")
            .answer(QNAME, 52, b"\x03\x01\x01\xab\xcd")
            .answer(QNAME, 44, b"\x01\x01\xab\xcd")
            .answer(QNAME, 43, b"\x12\x34\x08\x02digest")
            .answer(QNAME, 13, b"\x03cpu\x02os")
            .answer(QNAME, 10, b"anything")
            .answer(QNAME, 65280, b"\x01\x02\x03")
            .record(2, QNAME, 6, 1, 60, &soa)
            .record(3, QNAME, 250, 255, 0, b"\x04hmac\0\0\0\0\0\0\x01\0\x05\0\x02mm\0\x07\0\0\0\0")
            .build(),
        Wire::new(0, 0x0000).question("_ipp._tcp.local", 12, 0x8001).question("b", 1, 1).build(),
        Wire::new(5, 0x2800).question("zone.test", 6, 1).record(2, QNAME, 1, 255, 0, b"").build(),
        Wire::new(6, 0x8005).build(),
    ]
}

/// Whole messages, damaged ones, and anything else.
pub(crate) fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let damaged = (prop::sample::select(samples()), damage, any::<prop::sample::Index>(), 0..4);
    // Data of every type that the library looks into, and of some that it does not.
    let rtype = prop_oneof![0_u16..70, 249_u16..260, Just(65305), any::<u16>()];
    let rdata = proptest::collection::vec(prop_oneof![0_u8..20, any::<u8>(), Just(0xc0)], 0..60);
    let records = proptest::collection::vec((1_usize..4, rtype, rdata), 0..4);
    prop_oneof![
        2 => records.prop_map(|records| {
            let start = Wire::response(1, "example.com", 255);
            let add = |wire: Wire, (section, rtype, rdata): (usize, u16, Vec<u8>)| {
                wire.record(section, b"\xc0\x0c", rtype, 1, 60, &rdata)
            };
            records.into_iter().fold(start, add).build()
        }),
        4 => damaged.prop_map(|(mut bytes, damage, cut, whether)| {
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if whether == 0 {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        }),
        1 => proptest::collection::vec(any::<u8>(), 0..200),
    ]
}
