//! Flows that get the name of a protocol, and no parser.

use flowscope_core::{FlowSide, Probe};

use crate::detection::index::CandidateIndex;
use crate::detection::rules::{Certainty, Choice};
use crate::detection::set::NamedEntry;
use crate::detection::{DetectedBy, Detection, ProbeInput, Transport};

/// The named protocols of both transports, by port and by first byte.
pub(crate) struct Names {
    entries: Vec<NamedEntry>,
    /// Places in the list.
    streams: CandidateIndex<u8>,
    datagrams: CandidateIndex<u8>,
}

impl Names {
    pub(crate) fn new() -> Self {
        let (streams, datagrams) = (CandidateIndex::new(), CandidateIndex::new());
        Names { entries: Vec::new(), streams, datagrams }
    }

    /// Adds a name behind all others.
    ///
    /// # Panics
    ///
    /// If there are 64 of its transport already.
    pub(crate) fn add(&mut self, entry: NamedEntry, first_byte: impl Fn(u8) -> bool) {
        let index = match entry.transport {
            Transport::Stream => &mut self.streams,
            Transport::Datagram => &mut self.datagrams,
        };
        // Two times 64 at most.
        index.add(self.entries.len() as u8, entry.ports, first_byte);
        self.entries.push(entry);
    }

    pub(crate) fn of(&self, transport: Transport) -> &CandidateIndex<u8> {
        match transport {
            Transport::Stream => &self.streams,
            Transport::Datagram => &self.datagrams,
        }
    }

    /// Chooses among the names. `probe` gets an entry's id, the first bytes of a side, and whether the flow
    /// has a port of the entry.
    ///
    /// Bytes that rule a name out count more than its port, whichever side sent them: nothing reads the flow
    /// that could find the mistake later. On a port of the name, the bytes of the other side and further
    /// datagrams are probed too.
    #[inline]
    pub(crate) fn choose<K>(
        &self,
        start: &ProbeInput<'_, K>,
        probe: impl Fn(usize, &[u8], bool) -> Probe,
    ) -> Choice<&'static str> {
        // Without ports, a datagram is a message of the network layer.
        if start.ports.is_none() {
            return Choice::Reject;
        }
        let is_stream = start.transport == Transport::Stream;
        let (mut wait, mut expected) = (false, None);
        for found in self.of(start.transport).candidates(start) {
            let (entry, by_port) = (&self.entries[usize::from(found.entry)], found.by_port);
            match bytes_of_both(start, |bytes| probe(entry.id, bytes, by_port)) {
                Probe::Yes => {
                    return Choice::Found(entry.name, DetectedBy::Bytes, Certainty::Sure);
                }
                Probe::Maybe if is_stream => {
                    wait = true;
                    if by_port && entry.or_port && (start.last || !start.whole) {
                        expected = expected.or(Some(entry.name));
                    }
                }
                Probe::Maybe if by_port && entry.or_port => {
                    expected = expected.or(Some(entry.name));
                }
                Probe::Maybe | Probe::No => wait |= by_port && start.may_be_followed(),
            }
        }
        match expected {
            Some(name) => Choice::Found(name, DetectedBy::Port, Certainty::Expected),
            None if wait && !start.last => Choice::NeedMore,
            None => Choice::Reject,
        }
    }

    /// Whether the first bytes of the side that was not seen yet leave a flow its name.
    pub(crate) fn probe_start(&self, named: Detection, probe: impl Fn(usize) -> Probe) -> Probe {
        let is_it = |entry: &&NamedEntry| {
            entry.transport == Transport::Stream && entry.name == named.protocol
        };
        if named.by != DetectedBy::Port {
            // Bytes of one side were enough, and those of the other need not be known.
            return Probe::Maybe;
        }
        // A name may have several entries: it is ruled out if all of them are.
        let entries = self.entries.iter().filter(is_it);
        match entries.map(|entry| probe(entry.id)).reduce(either) {
            Some(answer) => answer,
            None => Probe::Maybe,
        }
    }
}

/// What two probes say together of one name: either may be right.
fn either(a: Probe, b: Probe) -> Probe {
    match (a, b) {
        (Probe::Yes, _) | (_, Probe::Yes) => Probe::Yes,
        (Probe::Maybe, _) | (_, Probe::Maybe) => Probe::Maybe,
        (Probe::No, Probe::No) => Probe::No,
    }
}

/// What the bytes of both sides say together: one that is sure outweighs the other, and one that rules the name
/// out outweighs one that does not know.
fn bytes_of_both<K>(start: &ProbeInput<'_, K>, probe: impl Fn(&[u8]) -> Probe) -> Probe {
    let mut both = Probe::Maybe;
    for side in [FlowSide::Initiator, FlowSide::Responder] {
        match start.bytes[side.index()] {
            [] => {}
            bytes => match probe(bytes) {
                Probe::Yes => return Probe::Yes,
                Probe::No => both = Probe::No,
                Probe::Maybe => {}
            },
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY_BYTES: NamedEntry =
        NamedEntry { id: 0, name: "a", transport: Transport::Stream, ports: &[7], or_port: false };
    const OR_PORT: NamedEntry =
        NamedEntry { id: 1, name: "b", ports: &[9], or_port: true, ..BY_BYTES };

    fn names(transport: Transport) -> Names {
        let mut names = Names::new();
        names.add(NamedEntry { transport, ..BY_BYTES }, |byte| byte == b'Y');
        names.add(NamedEntry { transport, ..OR_PORT }, |_| false);
        names
    }

    /// `Y` is sure, `N` rules out, all else leaves it open.
    fn check(input: &ProbeInput<'_, ()>, expected: Choice<&'static str>) {
        let answer = |_: usize, bytes: &[u8], _: bool| match bytes.last() {
            Some(b'Y') => Probe::Yes,
            Some(b'N') => Probe::No,
            _ => Probe::Maybe,
        };
        assert_eq!(names(input.transport).choose(input, answer), expected, "{input:?}");
    }

    fn stream(port: u16, bytes: [&'static [u8]; 2]) -> ProbeInput<'static, ()> {
        ProbeInput {
            key: &(),
            transport: Transport::Stream,
            ports: Some((40_000, port)),
            bytes,
            wire_len: 0,
            agreed: None,
            whole: true,
            last: false,
        }
    }

    #[test]
    fn sure_bytes_name_a_flow_on_any_port() {
        let sure = Choice::Found("a", DetectedBy::Bytes, Certainty::Sure);
        check(&stream(7, [b"Y", b""]), sure);
        check(&stream(8, [b"Y", b""]), sure);
        check(&stream(8, [b"N", b"Y"]), sure);
        check(&ProbeInput { whole: false, ..stream(8, [b"Y", b""]) }, sure);
        // Not one of its first bytes, and not its port.
        check(&stream(8, [b"xY", b""]), Choice::Reject);
        check(&stream(7, [b"xY", b""]), sure);
    }

    #[test]
    fn a_port_alone_names_what_no_byte_contradicts_where_the_entry_allows_it() {
        let expected = Choice::Found("b", DetectedBy::Port, Certainty::Expected);
        let last = |port, bytes| ProbeInput { last: true, ..stream(port, bytes) };
        check(&last(9, [b"x", b""]), expected);
        check(&last(9, [b"x", b"x"]), expected);
        check(&last(9, [b"x", b"N"]), Choice::Reject);
        check(&last(9, [b"N", b"x"]), Choice::Reject);
        check(&last(7, [b"x", b""]), Choice::Reject);
        check(&stream(9, [b"x", b""]), Choice::NeedMore);
        check(&ProbeInput { whole: false, ..stream(9, [b"x", b""]) }, expected);
    }

    #[test]
    fn bytes_are_waited_for_as_long_as_they_may_tell() {
        check(&stream(8, [b"Yx", b""]), Choice::NeedMore);
        check(&stream(8, [b"YN", b""]), Choice::Reject);
        check(&stream(7, [b"N", b""]), Choice::NeedMore);
        check(&stream(7, [b"N", b"N"]), Choice::Reject);
    }

    #[test]
    fn the_other_side_contradicts_a_name_by_port_alone() {
        let names = names(Transport::Stream);
        let check = |protocol, by, expected| {
            let named = Detection::new(protocol, by);
            assert_eq!(names.probe_start(named, |_| Probe::No), expected, "{named:?}");
        };
        check("b", DetectedBy::Port, Probe::No);
        check("b", DetectedBy::Bytes, Probe::Maybe);
        check("a", DetectedBy::Bytes, Probe::Maybe);
        check("c", DetectedBy::Port, Probe::Maybe);
    }

    #[test]
    fn datagrams_are_judged_one_by_one() {
        let datagram = |port, bytes: &'static [u8]| ProbeInput {
            transport: Transport::Datagram,
            ..stream(port, [bytes, b""])
        };
        check(&datagram(8, b"Y"), Choice::Found("a", DetectedBy::Bytes, Certainty::Sure));
        check(&datagram(9, b"x"), Choice::Found("b", DetectedBy::Port, Certainty::Expected));
        // Others may follow on its port; elsewhere, none is waited for.
        check(&datagram(9, b"N"), Choice::NeedMore);
        check(&datagram(7, b"x"), Choice::NeedMore);
        check(&datagram(8, b"Yx"), Choice::Reject);
        check(&ProbeInput { ports: None, ..datagram(8, b"Y") }, Choice::Reject);
    }
}
