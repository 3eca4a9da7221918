use flowscope_core::{
    DatagramParser, Extracted, FlowExtractor, FlowSide, Fragment, L4Proto, LinkType, Orientation,
    PacketView, Payload, Timestamp,
};
use proptest::prelude::*;

use super::DnsUdpObserver;
use crate::fixture::{Wire, any_bytes, samples};
use crate::{DnsMessage, DnsUdpParser};

/// Says of every frame that all of it is payload, between these ports.
#[derive(Clone)]
struct Fixed {
    ports: (u16, u16),
    l4: L4Proto,
    fragment: bool,
    corrupt: bool,
}

impl FlowExtractor for Fixed {
    type Key = (u16, u16);

    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<Self::Key>> {
        let mut x = Extracted::new(self.ports, Orientation::Forward);
        (x.l4, x.ports) = (Some(self.l4), Some(self.ports));
        x.payload = Payload::new(0, view.frame().len() as u32, view.wire_len());
        x.fragment =
            self.fragment.then_some(Fragment { id: 1, offset: 0, more: true, header_at: 0 });
        x.corrupt = self.corrupt;
        (!view.frame().is_empty()).then_some(x)
    }
}

fn udp(from: u16, to: u16) -> Fixed {
    Fixed { ports: (from, to), l4: L4Proto::Udp, fragment: false, corrupt: false }
}

fn observe(extractor: Fixed, ports: &[u16], payload: &[u8]) -> Vec<DnsMessage> {
    let (key, mut seen) = (extractor.ports, Vec::new());
    let handler = |of: &(u16, u16), message| {
        assert_eq!(*of, key);
        seen.push(message);
    };
    let mut observer = DnsUdpObserver::new(extractor, handler).ports(ports.iter().copied());
    let view = PacketView::new(payload, LinkType::RAW, Timestamp::ZERO);
    assert_eq!(observer.observe(view).map(|x| x.key), (!payload.is_empty()).then_some(key));
    seen
}

fn check(extractor: Fixed, wire: Wire, expected: Option<FlowSide>) {
    let seen = observe(extractor, &[53, 5353], &wire.build());
    assert_eq!(seen.first().map(|message| message.side), expected);
}

#[test]
fn ports_choose_the_datagrams_and_tell_the_sides() {
    let (query, response) = (Wire::query(1, "a", 1), Wire::response(1, "a", 1));
    let (ask, tell) = (Some(FlowSide::Initiator), Some(FlowSide::Responder));
    check(udp(40000, 53), query.clone(), ask);
    check(udp(53, 40000), response.clone(), tell);
    check(udp(40000, 5353), response.clone(), ask);
    check(udp(5353, 5353), query.clone(), ask);
    check(udp(5353, 5353), response, tell);
    check(udp(40000, 5355), query.clone(), None);
    check(Fixed { l4: L4Proto::Tcp, ..udp(40000, 53) }, query.clone(), None);
    check(Fixed { fragment: true, ..udp(40000, 53) }, query.clone(), None);
    // Its checksum is wrong, and so may be its ports.
    check(Fixed { corrupt: true, ..udp(40000, 53) }, query, None);
}

#[test]
fn a_message_that_the_capture_has_cut_says_so() {
    let bytes = Wire::query(1, "example.com", 1).build();
    let mut seen = Vec::new();
    let mut observer = DnsUdpObserver::new(udp(40000, 53), |_: &_, message| seen.push(message));
    let view = PacketView::new(&bytes[..20], LinkType::RAW, Timestamp::ZERO);
    observer.observe(view.with_wire_len(bytes.len() as u32));
    assert_eq!((seen[0].len as usize, seen[0].defect), (bytes.len(), Some(crate::DnsDefect::Cut)));
}

#[test]
fn a_frame_of_no_flow_is_none() {
    assert_eq!(observe(udp(1, 53), &[53], b""), []);
}

#[test]
fn it_sees_what_the_parser_sees() {
    for sample in samples() {
        let parsed = DnsUdpParser::default().parse(&sample, FlowSide::Initiator);
        assert_eq!(parsed.len(), 1);
        assert_eq!(observe(udp(40000, 53), &[53], &sample), parsed);
    }
}

proptest! {
    #[test]
    fn it_sees_what_the_parser_sees_in_any_bytes(bytes in any_bytes()) {
        let parsed = DnsUdpParser::default().parse(&bytes, FlowSide::Responder);
        prop_assert_eq!(observe(udp(53, 40000), &[53], &bytes), parsed);
    }
}
