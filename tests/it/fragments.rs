//! Fragments through the extractor, the defragmenter and the extractor again: the flow found is the
//! one of the packet that was never cut.

use flowscope::core::{
    Extracted, FlowExtractor, LinkType, Loss, MAX_DEPTH, PacketView, Refusal, TcpFlags, Timestamp,
};
use flowscope::extract::{
    AutoDetectEncap, FiveTuple, FiveTupleKey, InnerVxlan, IpPair, OrPlain, StripVlan,
};
use flowscope::reassembly::{DefragConfig, Defragmented, Defragmenter, ReassembledDatagram};
use flowscope_testkit::{Frame, Rng, frame};

/// A packet that came through, whole from the start or joined.
struct Found<K> {
    extracted: Extracted<K>,
    payload: Vec<u8>,
    frames: u32,
    wire_len: u32,
    first_ts: Timestamp,
    ts: Timestamp,
}

/// The pipeline without a tracker.
struct Line<E> {
    extractor: E,
    defrag: Defragmenter,
    now: u64,
    /// Why packets, whole or joined, had no flow.
    refused: Vec<Refusal>,
}

impl<E: FlowExtractor> Line<E> {
    fn new(extractor: E) -> Self {
        let defrag = Defragmenter::new(DefragConfig::default());
        Line { extractor, defrag, now: 0, refused: Vec::new() }
    }

    /// One frame, a millisecond after the one before; `snaplen` bytes of it are captured.
    fn handle(&mut self, frame: &[u8], snaplen: usize) -> Option<Found<E::Key>> {
        self.now += 1;
        let now = at(self.now);
        let captured = &frame[..frame.len().min(snaplen)];
        let packet =
            PacketView::new(captured, LinkType::ETHERNET, now).with_wire_len(frame.len() as u32);
        let mut joined: Option<ReassembledDatagram> = None;
        for _ in 0..MAX_DEPTH {
            let view = joined.as_ref().map_or(packet, ReassembledDatagram::view);
            let Some(extracted) = self.extractor.extract(view) else {
                self.refused.push(self.extractor.explain(view));
                return None;
            };
            let Some(fragment) = extracted.fragment else {
                return Some(Found {
                    payload: extracted.payload.of(&view).to_vec(),
                    extracted,
                    frames: view.frames(),
                    wire_len: view.wire_len(),
                    first_ts: view.first_ts(),
                    ts: view.ts(),
                });
            };
            let (path, payload) = (extracted.path, extracted.payload);
            match self.defrag.push(&view, &fragment, &path, &payload, now) {
                Defragmented::Complete(whole) => {
                    if let Some(before) = joined.replace(whole) {
                        self.defrag.recycle(before);
                    }
                }
                _ => return None,
            }
        }
        None
    }
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_nanos(ms * 1_000_000)
}

fn auto() -> AutoDetectEncap<FiveTuple> {
    AutoDetectEncap(FiveTuple::bidirectional())
}

/// Sends `fragments` in several orders; each time the last to come gives what `whole` gives.
fn check<E>(extractor: &E, whole: &[u8], fragments: &[Vec<u8>])
where
    E: FlowExtractor + Clone,
    E::Key: std::fmt::Debug,
{
    let expected = Line::new(extractor.clone()).handle(whole, usize::MAX).expect("a flow");
    assert!(fragments.len() > 1);
    let mut rng = Rng::new(3);
    let mut sent = fragments.to_vec();
    for _ in 0..8 {
        let mut line = Line::new(extractor.clone());
        let (last, before) = sent.split_last().expect("there are fragments");
        for bytes in before {
            assert!(line.handle(bytes, usize::MAX).is_none());
        }
        let found = line.handle(last, usize::MAX).expect("joined");
        let (got, mut want) = (found.extracted, expected.extracted.clone());
        // Where in the frame it is differs, what it says does not.
        want.ip.header_at = got.ip.header_at;
        assert_eq!(
            (got.key, got.orientation, got.l4, got.tcp, got.ports, got.ip, got.path),
            (want.key, want.orientation, want.l4, want.tcp, want.ports, want.ip, want.path),
        );
        let kind = |icmp: Option<flowscope::core::IcmpInfo>| icmp.map(|i| (i.kind, i.code, i.id));
        assert_eq!(kind(got.icmp), kind(want.icmp));
        assert_eq!(found.payload, expected.payload);
        assert_eq!(got.payload.wire_len, want.payload.wire_len);
        assert_eq!(got.fragment, None);
        assert_eq!(found.frames as usize, sent.len());
        assert_eq!(found.wire_len as usize, sent.iter().map(Vec::len).sum::<usize>());
        assert_eq!(found.first_ts, at(1));
        assert_eq!(found.ts, at(sent.len() as u64));
        assert_eq!((line.defrag.held_frames(), line.defrag.ledger().seen()), (0, 0));
        rng.shuffle(&mut sent);
    }
}

fn v4(below: Frame) -> Frame {
    below.ipv4("10.0.0.2", "10.0.0.1")
}

fn v6(below: Frame) -> Frame {
    below.ipv6("2001:db8::2", "2001:db8::1").flow_label(0x12345)
}

fn udp(ip: Frame) -> Frame {
    ip.udp(40000, 53).payload((0..=255).cycle().take(1000).collect::<Vec<u8>>())
}

fn tcp(ip: Frame) -> Frame {
    ip.tcp(40000, 443).ack(9).flags(TcpFlags::PSH | TcpFlags::ACK).payload([7; 700])
}

/// The frame of a tunnel whose outer packet carries `inner` behind a VXLAN header, to be cut.
fn vxlan_around(outer: Frame, inner: &[u8]) -> Frame {
    outer.udp(49152, 4789).payload([&[8, 0, 0, 0, 0, 0, 42, 0], inner].concat())
}

#[test]
fn plain_packets_of_both_families() {
    let five = FiveTuple::bidirectional();
    for ip in [v4, v6] {
        for transport in [udp, tcp] {
            let whole = transport(ip(frame().ethernet()));
            for size in [8, 48, 512] {
                let fragments = whole.fragments(7, size);
                check(&five, &whole.build(), &fragments);
                check(&FiveTuple::unidirectional(), &whole.build(), &fragments);
                check(&auto(), &whole.build(), &fragments);
            }
        }
    }
}

#[test]
fn transport_headers_cut_in_the_middle() {
    // Eight bytes at a time: a TCP header is three pieces, its options more.
    let segment = v4(frame().ethernet()).tcp(40000, 443).options(&[2, 4, 5, 0xb4, 1, 3, 3, 7]);
    check(&auto(), &segment.build(), &segment.fragments(7, 8));
}

#[test]
fn icmp_and_sctp() {
    for ip in [v4, v6] {
        let ping = ip(frame().ethernet()).echo_request(9, 1).payload([1; 1400]);
        check(&auto(), &ping.build(), &ping.fragments(7, 552));
        let chunks = ip(frame().ethernet()).sctp(40000, 80).payload([1; 1400]);
        check(&auto(), &chunks.build(), &chunks.fragments(7, 552));
    }
}

#[test]
fn extractors_that_need_no_ports_need_no_joining() {
    for ip in [v4, v6] {
        let whole = udp(ip(frame().ethernet().vlan(5)));
        let mut line = Line::new(StripVlan(IpPair));
        let expected = line.handle(&whole.build(), usize::MAX).expect("a flow");
        for bytes in whole.fragments(7, 552) {
            let found = line.handle(&bytes, usize::MAX).expect("a flow");
            assert_eq!((found.extracted.key, found.frames), (expected.extracted.key, 1));
        }
        assert_eq!(line.defrag.heap_bytes(), 0);
    }
}

#[test]
fn behind_tags_in_the_frame() {
    let tagged = [frame().ethernet().vlan(5), frame().ethernet().vlan_tag(0x88a8, 5).vlan(6)];
    for below in tagged {
        for whole in [udp(v4(below.clone())), tcp(v6(below.clone()))] {
            let fragments = whole.fragments(7, 512);
            check(&auto(), &whole.build(), &fragments);
            check(&StripVlan(FiveTuple::bidirectional()), &whole.build(), &fragments);
            check(&OrPlain(StripVlan(FiveTuple::bidirectional())), &whole.build(), &fragments);
        }
    }
}

#[test]
fn an_outer_packet_that_was_cut_gives_the_inner_flow() {
    for inner in [tcp(v4(frame().ethernet())), udp(v6(frame().ethernet().vlan(9)))] {
        for outer in [v4, v6] {
            let whole = vxlan_around(outer(frame().ethernet().vlan(5)), &inner.build());
            let fragments = whole.fragments(7, 96);
            check(&auto(), &whole.build(), &fragments);
        }
    }
    let whole = vxlan_around(v4(frame().ethernet()), &udp(v4(frame().ethernet())).build());
    let fragments = whole.fragments(7, 96);
    check(&InnerVxlan(FiveTuple::bidirectional()), &whole.build(), &fragments);
    let gre = udp(v6(v4(frame().ethernet()).gre()));
    let bytes = gre.build();
    let carried = v4(frame().ethernet()).protocol(47).payload(&bytes[34..]);
    check(&auto(), &bytes, &carried.fragments(7, 512));
}

#[test]
fn fragments_inside_of_a_tunnel() {
    for tunnel in [
        v4(frame().ethernet()).vxlan(42).ethernet(),
        v6(frame().ethernet().vlan(5)).geneve(42).ethernet(),
        v4(frame().ethernet()).gre_key(7 << 8).ethernet(),
        v4(frame().ethernet()).gtpu(77),
        v4(frame().ethernet()),
        frame().ethernet().mpls(16).mpls(17),
        frame().ethernet().pppoe(9),
    ] {
        for whole in [udp(v4(tunnel.clone())), tcp(v6(tunnel.clone()))] {
            check(&auto(), &whole.build(), &whole.fragments(7, 512));
        }
    }
}

#[test]
fn a_fragment_within_a_joined_datagram() {
    // Each inner fragment travels in an outer datagram that was cut again.
    let inner = tcp(v6(frame().ethernet()));
    let whole = vxlan_around(v4(frame().ethernet()), &inner.build());
    let expected = Line::new(auto()).handle(&whole.build(), usize::MAX).expect("a flow");
    let mut line = Line::new(auto());
    let mut wire = 0;
    let mut found = None;
    let mut frames = 0;
    for (n, piece) in inner.fragments(7, 256).iter().enumerate() {
        let outer = vxlan_around(v4(frame().ethernet()), piece);
        for bytes in outer.fragments(n as u32, 128) {
            assert!(found.is_none());
            wire += bytes.len();
            frames += 1;
            found = line.handle(&bytes, usize::MAX);
        }
    }
    let found = found.expect("joined twice");
    assert_eq!(found.extracted.key, expected.extracted.key);
    assert_eq!(found.extracted.path, expected.extracted.path);
    assert_eq!(found.payload, expected.payload);
    assert_eq!((found.frames, found.wire_len as usize), (frames, wire));
    assert_eq!(found.first_ts, at(1));
    assert_eq!((line.defrag.held_frames(), line.defrag.ledger().seen()), (0, 0));
}

#[test]
fn what_the_snap_length_left_still_names_the_flow() {
    for ip in [v4, v6] {
        let whole = udp(ip(frame().ethernet()));
        let bytes = whole.build();
        let expected = Line::new(auto()).handle(&bytes, usize::MAX).expect("a flow");
        let fragments = whole.fragments(7, 512);
        // The first is cut within, then only the others: the payload ends at the first missing byte.
        for snaplen in [100, 300] {
            let mut line = Line::new(auto());
            let mut found = None;
            for fragment in &fragments {
                found = line.handle(fragment, snaplen);
            }
            let found = found.expect("joined");
            assert_eq!(found.extracted.key, expected.extracted.key);
            let head = fragments[0].len() - 512 + 8;
            assert_eq!(found.payload, expected.payload[..snaplen - head]);
            assert_eq!(found.frames, 2);
            assert_eq!(found.wire_len as usize, fragments.iter().map(Vec::len).sum::<usize>());
        }
    }
}

#[test]
fn what_the_snap_length_took_is_still_counted() {
    let inner = tcp(v4(frame().ethernet())).build();
    for ip in [v4, v6] {
        for whole in [
            udp(ip(frame().ethernet())),
            tcp(ip(frame().ethernet().vlan(5))),
            vxlan_around(ip(frame().ethernet()), &inner),
        ] {
            let bytes = whole.build();
            let want = Line::new(auto()).handle(&bytes, usize::MAX).expect("a flow");
            let fragments = whole.fragments(7, 256);
            // In one piece, the same bytes are missing behind the first cut.
            for snaplen in [200, 250, 290, usize::MAX] {
                let mut line = Line::new(auto());
                let found = fragments.iter().filter_map(|piece| line.handle(piece, snaplen)).last();
                let found = found.expect("joined");
                let (got, whole) = (found.extracted, &want.extracted);
                assert_eq!((got.key, got.tcp, got.path), (whole.key, whole.tcp, whole.path));
                assert_eq!((got.ip.len, got.ip.ttl), (whole.ip.len, whole.ip.ttl));
                assert_eq!(got.payload.wire_len, whole.payload.wire_len, "at {snaplen}");
                assert!(want.payload.starts_with(&found.payload));
                let is_cut = fragments.iter().any(|piece| piece.len() > snaplen);
                assert_eq!(found.payload.len() < want.payload.len(), is_cut, "at {snaplen}");
            }
        }
    }
}

#[test]
fn a_cut_fragment_within_a_joined_datagram_is_joined_too() {
    let inner = udp(v4(frame().ethernet()));
    let want = Line::new(auto()).handle(&inner.build(), usize::MAX).expect("a flow");
    let mut line = Line::new(auto());
    let mut found = None;
    for (n, piece) in inner.fragments(7, 256).iter().enumerate() {
        let outer = vxlan_around(v4(frame().ethernet()), piece);
        for bytes in outer.fragments(n as u32, 160) {
            // The second piece of each outer datagram loses its end.
            found = line.handle(&bytes, 150);
        }
    }
    let found = found.expect("joined twice");
    assert_eq!(found.extracted.key, want.extracted.key);
    assert_eq!(found.extracted.payload.wire_len, want.extracted.payload.wire_len);
    assert!(found.payload.len() < want.payload.len() && want.payload.starts_with(&found.payload));
    assert_eq!((line.defrag.held_frames(), line.defrag.ledger().seen()), (0, 0));
}

#[test]
fn a_transport_header_that_was_cut_off_is_refused_for_that() {
    let whole = udp(v4(frame().ethernet()));
    let mut line = Line::new(auto());
    let found: Vec<_> =
        whole.fragments(7, 512).iter().filter_map(|piece| line.handle(piece, 36)).collect();
    assert!(found.is_empty());
    assert_eq!((line.refused, line.defrag.ledger().seen()), (vec![Refusal::SnaplenCut], 0));
}

#[test]
fn padding_behind_a_short_last_piece_is_no_payload() {
    let whole = v4(frame().ethernet()).udp(40000, 53).payload([5; 17]);
    let mut fragments = whole.fragments(7, 24);
    fragments[1].resize(60, 0xee);
    let mut line = Line::new(auto());
    assert!(line.handle(&fragments[1], usize::MAX).is_none());
    let found = line.handle(&fragments[0], usize::MAX).expect("joined");
    assert_eq!(found.payload, [5; 17]);
}

#[test]
fn atomic_fragments_are_whole_and_never_held() {
    let mut line = Line::new(auto());
    let whole = v6(frame().ethernet()).fragment(7, 0, false).udp(40000, 53).payload([5; 17]);
    // Another piece under the same id does not matter (RFC 6946 §4).
    let stray = v6(frame().ethernet()).fragment(7, 8, true).protocol(17).payload([1; 8]);
    assert!(line.handle(&stray.build(), usize::MAX).is_none());
    let found = line.handle(&whole.build(), usize::MAX).expect("a flow");
    assert_eq!((found.frames, found.payload), (1, vec![5; 17]));
}

#[test]
fn two_networks_with_the_same_addresses_are_kept_apart() {
    let of = |vlan: u16, byte: u8| {
        let whole = v4(frame().ethernet().vlan(vlan)).udp(40000, 53).payload([byte; 100]);
        whole.fragments(7, 56)
    };
    let (one, two) = (of(1, 1), of(2, 2));
    let mut line = Line::new(auto());
    assert!(line.handle(&one[0], usize::MAX).is_none());
    assert!(line.handle(&two[1], usize::MAX).is_none());
    assert_eq!(line.handle(&one[1], usize::MAX).expect("joined").payload, [1; 100]);
    assert_eq!(line.handle(&two[0], usize::MAX).expect("joined").payload, [2; 100]);
}

#[test]
fn an_overlap_gives_no_flow() {
    let whole = udp(v4(frame().ethernet()));
    let mut line: Line<AutoDetectEncap<FiveTuple>> = Line::new(auto());
    let [first, last] = &whole.fragments(7, 512)[..] else { panic!("two fragments") };
    let overlap = v4(frame().ethernet()).fragment(7, 504, true).protocol(17).payload([0; 16]);
    for bytes in [first, &overlap.build(), last] {
        let found: Option<Found<FiveTupleKey>> = line.handle(bytes, usize::MAX);
        assert!(found.is_none());
    }
    assert_eq!(line.defrag.ledger().lost(Loss::FragOverlap), 3);
}
