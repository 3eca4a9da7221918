//! What holds of every packet in any tags and tunnels, and of every composition that opens them.

use std::fmt::Debug;
use std::sync::Arc;

use flowscope_core::{
    Cursor, Extracted, FlowExtractor, Layer, MAX_DEPTH, PacketView, Path, Refusal, Timestamp,
};
use flowscope_extract::{
    AutoDetectEncap, FiveTuple, FiveTupleKey, FlowLabel, InnerAyiya, InnerGeneve, InnerGre,
    InnerGtpU, InnerIpIp, InnerNsh, InnerPbb, InnerTeredo, InnerVxlan, IpPair, OrPlain, Scoped,
    StripMpls, StripPppoe, StripTrustSec, StripVlan, StripVnTag,
};
use flowscope_testkit::{Frame, Nesting, Packet, Rng, frame, samples};
use proptest::prelude::*;

const FIVE: FiveTuple = FiveTuple::bidirectional();
const AUTO: AutoDetectEncap<FiveTuple> = AutoDetectEncap(FIVE);

/// An extractor made at run time.
struct Any<K>(Arc<dyn FlowExtractor<Key = K>>);

impl<K> Clone for Any<K> {
    fn clone(&self) -> Self {
        Any(Arc::clone(&self.0))
    }
}

impl<K: FlowExtractorKey> FlowExtractor for Any<K> {
    type Key = K;

    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<K>> {
        self.0.extract(view)
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        self.0.explain(view)
    }
}

/// What the trait demands of a key.
trait FlowExtractorKey: std::hash::Hash + Eq + Clone + Send + Sync + Debug + 'static {}
impl<K: std::hash::Hash + Eq + Clone + Send + Sync + Debug + 'static> FlowExtractorKey for K {}

fn any<E: FlowExtractor>(extractor: E) -> Any<E::Key> {
    Any(Arc::new(extractor))
}

/// The composition that peels these layers, outermost first, or skips those that are missing.
fn named<K: FlowExtractorKey>(steps: &[Layer], innermost: Any<K>, optional: bool) -> Any<K> {
    steps.iter().rev().fold(innermost, |inner, &step| {
        macro_rules! one {
            ($name:ident) => {
                if optional { any(OrPlain($name(inner))) } else { any($name(inner)) }
            };
        }
        match step {
            Layer::Vlan => one!(StripVlan),
            Layer::Mpls => one!(StripMpls),
            Layer::Pppoe => one!(StripPppoe),
            Layer::Vxlan => one!(InnerVxlan),
            Layer::Geneve => one!(InnerGeneve),
            Layer::Gre => one!(InnerGre),
            Layer::GtpU => one!(InnerGtpU),
            Layer::IpIp => one!(InnerIpIp),
            Layer::VnTag => one!(StripVnTag),
            Layer::TrustSec => one!(StripTrustSec),
            Layer::Pbb => one!(InnerPbb),
            Layer::Nsh => one!(InnerNsh),
            Layer::Teredo => one!(InnerTeredo),
            Layer::Ayiya => one!(InnerAyiya),
            other => panic!("{other:?} has no combinator"),
        }
    })
}

/// The combinators that a path takes: one for a stack of tags, or of labels and the pseudo-wire that
/// they carry.
fn steps(nesting: &Nesting) -> Vec<Layer> {
    let mut steps = Vec::new();
    let mut before = None;
    for layer in nesting.path.iter().map(|layer| layer.layer) {
        match layer {
            Layer::Nvgre | Layer::Erspan => steps.push(Layer::Gre),
            Layer::Vlan | Layer::Mpls if before == Some(layer) => {}
            Layer::Pseudowire => {}
            other => steps.push(other),
        }
        before = Some(layer);
    }
    steps
}

/// Whether a packet is a flow of its own where this is not opened.
fn is_tunnel(step: Layer) -> bool {
    !matches!(
        step,
        Layer::Vlan
            | Layer::Mpls
            | Layer::Pppoe
            | Layer::VnTag
            | Layer::TrustSec
            | Layer::Pbb
            | Layer::Nsh
    )
}

const COMBINATORS: [Layer; 14] = [
    Layer::Vlan,
    Layer::Mpls,
    Layer::Pppoe,
    Layer::Vxlan,
    Layer::Geneve,
    Layer::Gre,
    Layer::GtpU,
    Layer::IpIp,
    Layer::VnTag,
    Layer::TrustSec,
    Layer::Pbb,
    Layer::Nsh,
    Layer::Teredo,
    Layer::Ayiya,
];

/// Some other list than this one, and close to it.
fn mutated(rng: &mut Rng, steps: &[Layer]) -> Vec<Layer> {
    let mut other = steps.to_vec();
    let at = rng.below(other.len() + 1);
    match rng.below(4) {
        0 => other.insert(at, *rng.pick(&COMBINATORS)),
        1 if at < other.len() => drop(other.remove(at)),
        2 if at + 1 < other.len() => other.swap(at, at + 1),
        3 if at < other.len() => other[at] = *rng.pick(&COMBINATORS),
        _ => other.truncate(at),
    }
    other
}

/// The key that the packet has without anything around it.
fn bare(nesting: &Nesting) -> FiveTupleKey {
    FIVE.extract(nesting.inner.packet().view()).expect("a flow").key
}

fn check_names(seed: u64) {
    let mut rng = Rng::new(seed);
    let depth = rng.below(MAX_DEPTH + 1);
    let nesting = Nesting::new(&mut rng, depth);
    let (steps, view) = (steps(&nesting), nesting.packet.view());

    let walked = AUTO.extract(view);
    let found =
        walked.unwrap_or_else(|| panic!("{:?}: no flow in {nesting:?}", AUTO.explain(view)));
    assert_eq!(found.key, bare(&nesting), "{nesting:?}");
    assert!(found.path.iter().eq(nesting.path.iter().copied()), "{found:?} in {nesting:?}");
    assert_eq!(named(&steps, any(FIVE), false).extract(view), walked, "{steps:?} of {nesting:?}");
    assert_eq!(named(&steps, any(FIVE), true).extract(view), walked, "{steps:?} of {nesting:?}");
    assert_eq!(named(&steps, any(AUTO), false).extract(view), walked, "{steps:?} of {nesting:?}");

    // A part of the names may leave a tunnel closed, which then is a flow; no other list gives one.
    for _ in 0..8 {
        let other = mutated(&mut rng, &steps);
        if other == steps {
            continue;
        }
        let part = steps.starts_with(&other);
        let said = named(&other, any(FIVE), false).extract(view).map(|found| found.key);
        if part && is_tunnel(steps[other.len()]) {
            assert!(said.is_some_and(|key| key != found.key), "{other:?} of {nesting:?}");
        } else {
            assert_eq!(said, None, "{other:?} of {nesting:?}");
        }
    }
}

fn check_cuts(seed: u64) {
    let mut rng = Rng::new(seed);
    let depth = rng.below(MAX_DEPTH + 1);
    let nesting = Nesting::new(&mut rng, depth);
    let steps = steps(&nesting);
    let (part, optional) = (&steps[..rng.below(steps.len() + 1)], rng.one_in(2));
    for extractor in [any(AUTO), named(&steps, any(FIVE), optional), named(part, any(AUTO), true)] {
        let whole = extractor.extract(nesting.packet.view()).expect("a flow");
        let mut had = false;
        for len in 0..=nesting.packet.bytes.len() {
            let cut = nesting.packet.cut(len);
            match extractor.extract(cut.view()) {
                Some(found) => {
                    assert_eq!((found.key, found.path), (whole.key, whole.path));
                    had = true;
                }
                None => {
                    assert!(!had, "a longer cut has what a shorter one has: {len} of {nesting:?}");
                    let refusal = extractor.explain(cut.view());
                    assert_eq!(refusal, Refusal::SnaplenCut, "{len} of {nesting:?}");
                }
            }
        }
    }
}

fn check_depth(seed: u64) {
    let mut rng = Rng::new(seed);
    let depth = MAX_DEPTH + 1 + rng.below(4);
    let nesting = Nesting::new(&mut rng, depth);
    for extractor in [any(AUTO), named(&steps(&nesting), any(FIVE), false)] {
        assert_eq!(extractor.extract(nesting.packet.view()), None);
        let refusal = extractor.explain(nesting.packet.view());
        assert_eq!(refusal, Refusal::DepthExceeded, "{nesting:?}");
    }
}

/// Asks one extractor about the flow itself, the datagram joined from fragments of any of the IP
/// packets around it, and an ICMP error that quotes it.
fn check_again<K: FlowExtractorKey>(nesting: &Nesting, extractor: &Any<K>, rng: &mut Rng) {
    let view = nesting.packet.view();
    let whole = extractor.extract(view).unwrap_or_else(|| panic!("no flow in {nesting:?}"));

    let steps = steps(nesting);
    let tunnels = (0..=steps.len()).filter(|&at| steps.get(at).is_none_or(|&step| is_tunnel(step)));
    for at in tunnels {
        let there =
            named(&steps[..at], any(FIVE), false).extract(view).expect("a tunnel or a flow");
        let (header_at, len) = (there.ip.header_at as usize, there.ip.len as usize);
        let datagram = &nesting.packet.bytes[header_at..header_at + len];
        let joined = PacketView::new(datagram, nesting.packet.link, Timestamp::ZERO)
            .with_joined(2, len as u32 + 100, Timestamp::ZERO)
            .at(Cursor::around(0, there.path));
        let again = extractor.extract(joined);
        let again = again.unwrap_or_else(|| panic!("{at} of {steps:?} joined in {nesting:?}"));
        assert_eq!((&again.key, again.path), (&whole.key, whole.path), "{at} of {nesting:?}");
        assert_eq!(again.payload.wire_len, whole.payload.wire_len);
        assert_eq!(again.ip.header_at, whole.ip.header_at - header_at as u32);

        // What the fragments say of themselves is what that view was made of.
        if there.ip.version == 4 {
            let mut piece = nesting.packet.clone();
            piece.bytes[header_at + 6] |= 0x20;
            let said = extractor.extract(piece.view()).expect("a piece of a datagram");
            assert_eq!(said.path, there.path);
            assert_eq!(said.fragment.map(|f| f.header_at as usize), Some(header_at));
        }
    }

    let inner = nesting.inner.packet();
    let l4_at = FIVE.extract(inner.view()).expect("a flow").l4_at as usize;
    let quote = &inner.bytes[..l4_at + 8 + rng.below(inner.bytes.len() - l4_at - 7)];
    let error = match nesting.v6 {
        true => nesting.outer.clone().ipv6("2001:db8:ffff::1", "2001:db8:ffff::2").icmp(1, 4),
        false => nesting.outer.clone().ipv4("10.255.0.1", "10.255.0.2").icmp(3, 1),
    };
    let error = error.payload(quote).packet();
    let said = extractor.extract(error.view()).expect("an ICMP flow");
    assert_ne!(said.key, whole.key);
    let quoted = said.quoted(&error.view()).expect("a quote");
    let quoted = extractor.extract(quoted).unwrap_or_else(|| panic!("no quote in {nesting:?}"));
    assert_eq!(
        (&quoted.key, quoted.orientation, quoted.path),
        (&whole.key, whole.orientation, whole.path),
        "{nesting:?}"
    );
    assert!(whole.quoted(&view).is_none(), "nothing is quoted there");
}

fn check_again_all(seed: u64) {
    let mut rng = Rng::new(seed);
    let depth = rng.below(MAX_DEPTH + 1);
    let nesting = Nesting::new(&mut rng, depth);
    let steps = steps(&nesting);
    let at = rng.below(steps.len() + 1);
    for optional in [false, true] {
        check_again(&nesting, &named(&steps, any(FIVE), optional), &mut rng);
        check_again(&nesting, &named(&steps, any(Scoped(FIVE)), optional), &mut rng);
        check_again(&nesting, &named(&steps[..at], any(AUTO), optional), &mut rng);
        check_again(&nesting, &any(Scoped(named(&steps, any(FIVE), optional))), &mut rng);
        check_again(&nesting, &any(FlowLabel(named(&steps, any(FIVE), optional))), &mut rng);
    }
    check_again(&nesting, &any(AUTO), &mut rng);
    check_again(&nesting, &any(OrPlain(AUTO)), &mut rng);
    check_again(&nesting, &any(Scoped(AUTO)), &mut rng);
    check_again(&nesting, &any(FlowLabel(Scoped(AUTO))), &mut rng);
    check_again(&nesting, &any(AutoDetectEncap(Scoped(FlowLabel(FIVE)))), &mut rng);
    check_again(&nesting, &any(AutoDetectEncap(FiveTuple::unidirectional())), &mut rng);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn naming_the_layers_in_order_is_what_the_walk_does_and_nothing_else_is(seed: u64) {
        check_names(seed);
    }

    #[test]
    fn a_cut_takes_the_key_away_and_says_so(seed: u64) {
        check_cuts(seed);
    }

    #[test]
    fn too_many_layers_are_refused_for_that(seed: u64) {
        check_depth(seed);
    }

    #[test]
    fn joined_and_quoted_packets_have_the_key_of_their_flow(seed: u64) {
        check_again_all(seed);
    }
}

fn explain(packet: &Packet) -> (bool, Refusal) {
    let view = packet.view();
    (AUTO.extract(view).is_some(), AUTO.explain(view))
}

#[test]
fn fifty_tunnels_and_twenty_tags_are_too_deep() {
    let ip = |frame: Frame| frame.ipv4("10.0.0.1", "10.0.0.2");
    let fold =
        |count, layer: fn(Frame) -> Frame| (0..count).fold(frame().ethernet(), |f, _| layer(f));
    let deep: [fn(Frame) -> Frame; 6] = [
        |f| f.ipv4("10.0.0.1", "10.0.0.2"),
        |f| f.ipv4("10.0.0.1", "10.0.0.2").gre(),
        |f| f.ipv6("::1", "::2").vxlan(1).ethernet(),
        |f| f.ipv4("10.0.0.1", "10.0.0.2").geneve(1).ethernet(),
        |f| f.ipv6("::1", "::2").gtpu(1),
        |f| f.ipv4("10.0.0.1", "10.0.0.2").gre().ethernet().mpls(16).ethernet(),
    ];
    for layer in deep {
        let packet = ip(fold(50, layer)).tcp(1, 2).packet();
        assert_eq!(explain(&packet), (false, Refusal::DepthExceeded));
        let mut rest = packet;
        rest.bytes.truncate(9 * 80);
        assert_eq!(explain(&rest), (false, Refusal::DepthExceeded), "reads no further than that");
    }
    let tags = ip(fold(20, |f| f.vlan(1))).tcp(1, 2).packet();
    let labels = ip(fold(20, |f| f.mpls(16))).tcp(1, 2).packet();
    for packet in [tags, labels] {
        assert_eq!(explain(&packet), (false, Refusal::DepthExceeded));
        assert_eq!(StripVlan(StripMpls(FIVE)).extract(packet.view()), None);
    }
}

/// Chains that lead nowhere: each is read once, and no byte twice.
#[test]
fn headers_that_go_on_for_ever_end() {
    let v6 = || frame().ethernet().ipv6("::1", "::2");
    let chain = (0..4000).fold(v6(), |f, _| f.destination(&[0; 6])).udp(1, 2).packet();
    assert!(explain(&chain).0, "a long chain has an end");
    let endless = (0..4000).fold(v6(), |f, _| f.destination(&[0; 6])).packet();
    assert!(endless.bytes.len() > 32_000);
    assert!(explain(&endless).0, "253 is a protocol like any other");

    // An extension header of GTP-U without a length would be read for ever.
    let gtp = frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").gtpu(1).gtpu_extension(0x85, &[0; 2]);
    let mut gtp = gtp.ipv4("10.0.0.3", "10.0.0.4").udp(1, 2).packet();
    gtp.bytes[14 + 20 + 8 + 12] = 0;
    let found = AUTO.extract(gtp.view()).expect("the tunnel's own flow");
    assert_eq!(found.key.to_string(), "10.0.0.1:49152 <-> 10.0.0.2:2152");
    // One whose chain is longer than the packet.
    let many = (0..100).fold(frame().ethernet().ipv4("10.0.0.1", "10.0.0.2").gtpu(1), |f, _| {
        f.gtpu_extension(0x85, &[0; 2])
    });
    assert!(explain(&many.packet()).0);
}

/// Every byte that could be a length, at values around every bound.
#[test]
fn wrong_lengths_are_no_trouble() {
    let mut extractors: Vec<Any<FiveTupleKey>> = vec![any(FIVE), any(AUTO)];
    extractors.extend(COMBINATORS.iter().map(|&step| named(&[step], any(FIVE), true)));
    for (name, packet) in samples() {
        let mut changed = packet.clone();
        for at in 0..packet.bytes.len().min(120) {
            let was = packet.bytes[at];
            for value in [0, 1, 2, 3, 4, 5, 7, 8, 0x0f, 0x10, 0x3f, 0x40, 0x7f, 0x80, 0xfe, 0xff]
                .into_iter()
                .chain([was.wrapping_sub(1), was.wrapping_add(1)])
            {
                changed.bytes[at] = value;
                for extractor in &extractors {
                    let view = changed.view();
                    let Some(found) = extractor.extract(view) else {
                        // Nothing was cut.
                        assert_ne!(extractor.explain(view), Refusal::SnaplenCut, "{name} at {at}");
                        continue;
                    };
                    let payload = found.payload;
                    assert!(payload.captured <= payload.wire_len, "{name} at {at}");
                    assert_eq!(payload.of(&view).len(), payload.captured as usize);
                    assert!(found.ip.header_at < found.payload.offset, "{name} at {at}");
                    assert!((found.ip.header_at + found.ip.len) as usize <= changed.bytes.len());
                }
            }
            changed.bytes[at] = was;
        }
    }
}

#[test]
fn a_quote_is_refused_where_it_tells_nothing() {
    let quoted = frame().ipv4("10.0.0.2", "10.0.0.1").udp(53, 40000).build();
    let error = |quote: &[u8]| {
        frame().ethernet().vlan(5).ipv4("10.0.0.9", "10.0.0.2").icmp(3, 1).payload(quote).packet()
    };
    let extractor = StripVlan(IpPair);
    let asked = |packet: &Packet| {
        let said = extractor.extract(packet.view()).expect("an ICMP packet");
        let quoted = said.quoted(&packet.view())?;
        Some(extractor.extract(quoted)?.key.to_string())
    };
    assert_eq!(asked(&error(&quoted)).as_deref(), Some("10.0.0.1 <-> 10.0.0.2"));
    assert_eq!(asked(&error(&quoted[..20])).as_deref(), Some("10.0.0.1 <-> 10.0.0.2"));
    assert_eq!(asked(&error(&quoted[..19])), None);
    assert_eq!(asked(&error(&[])), None);
    // The rule is in the path: nobody else's layers are in front of a quote.
    let packet = error(&quoted);
    let at = packet.bytes.len() as u32 - 28;
    let alone = packet.view().at(Cursor::around(at, Path::EMPTY));
    assert_eq!(StripVlan(FIVE).extract(alone), None);
    assert!(FIVE.extract(alone).is_some());
}
