use std::fmt;

use flowscope_core::{
    Endpoints, Extracted, FlowExtractor, Layer, MAX_DEPTH, PacketView, Path, PathLayer, Refusal,
    UnreadHeader,
};

/// Adds the VLANs and virtual networks around a packet to the key of another extractor, so that equal
/// addresses in two networks are two flows.
///
/// It adds a [`Scope`]. It can wrap the whole composition or any part of it; the key is the same:
///
/// ```
/// use flowscope_extract::{
///     AutoDetectEncap, FiveTuple, FlowExtractor, LinkType, PacketView, Scoped, Timestamp,
/// };
/// use flowscope_testkit::frame;
///
/// let frame = frame().ethernet().vlan(7).ipv4("10.0.0.1", "10.0.0.2").tcp(40000, 443).build();
/// let view = PacketView::new(&frame, LinkType::ETHERNET, Timestamp::ZERO);
/// let found = Scoped(AutoDetectEncap(FiveTuple::bidirectional())).extract(view).expect("a flow");
/// assert_eq!(found.key.to_string(), "10.0.0.1:40000 <-> 10.0.0.2:443 in vlan 7");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Scoped<E>(pub E);

/// The networks around a flow: the layers of a packet's path that are equal in both directions, outermost
/// first, in 32 bytes.
///
/// It contains VLAN ids, VXLAN and GENEVE network identifiers, NVGRE subnet ids, PBB service ids, ERSPAN sessions and PPPoE
/// sessions. It leaves out identifiers that may differ per direction: MPLS labels, GTP-U tunnel identifiers
/// and GRE keys. It also leaves out layers that identify no network: IP in IP, pseudo-wires, and tags with
/// VLAN id 0, which have only a priority (IEEE 802.1Q).
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Scope {
    /// One word per layer: kind in the upper 8 bits, identifier in the lower 24; 0 behind the last layer.
    words: [u32; MAX_DEPTH],
}

impl Scope {
    /// The scope of packets with this path.
    #[must_use]
    #[inline]
    pub fn of(path: &Path) -> Self {
        let mut scope = Scope::default();
        if !path.is_empty() {
            scope.take(path);
        }
        scope
    }

    fn take(&mut self, path: &Path) {
        let words = path.iter().filter_map(|PathLayer { layer, id }| {
            let kind = KINDS.iter().position(|&kind| kind == layer)? as u32 + 1;
            let named = layer != Layer::Vlan || id != 0;
            named.then_some(kind << 24 | id & 0xff_ffff)
        });
        for (place, word) in self.words.iter_mut().zip(words) {
            *place = word;
        }
    }

    /// Whether the scope contains no network.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.words[0] == 0
    }

    /// The layers of the scope, outermost first.
    pub fn iter(&self) -> impl Iterator<Item = PathLayer> + '_ {
        self.words.iter().map_while(|&word| {
            let kind = (word >> 24).checked_sub(1)?;
            Some(PathLayer { layer: *KINDS.get(kind as usize)?, id: word & 0xff_ffff })
        })
    }
}

/// `vlan 5, vxlan 42`; nothing for an empty scope.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, layer) in self.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            layer.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scope({self})")
    }
}

/// Key of an inner extractor together with a [`Scope`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ScopedKey<K> {
    inner: K,
    scope: Scope,
}

impl<K> ScopedKey<K> {
    /// Combines a key with a scope.
    #[must_use]
    pub const fn new(inner: K, scope: Scope) -> Self {
        ScopedKey { inner, scope }
    }

    /// The key of the inner extractor.
    #[must_use]
    pub const fn inner(&self) -> &K {
        &self.inner
    }

    /// The scope.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }
}

/// `10.0.0.1:40000 <-> 10.0.0.2:443 in vlan 5, vxlan 42`; in an empty scope, the key alone.
impl<K: fmt::Display> fmt::Display for ScopedKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)?;
        if self.scope.is_empty() { Ok(()) } else { write!(f, " in {}", self.scope) }
    }
}

impl<E: FlowExtractor> FlowExtractor for Scoped<E> {
    type Key = ScopedKey<E::Key>;

    #[inline]
    fn extract(&self, view: PacketView<'_>) -> Option<Extracted<Self::Key>> {
        let found = self.0.extract(view)?;
        let scope = Scope::of(&found.path);
        Some(found.map_key(|inner| ScopedKey::new(inner, scope)))
    }

    fn explain(&self, view: PacketView<'_>) -> Refusal {
        self.0.explain(view)
    }

    fn unread(&self, view: PacketView<'_>) -> Option<UnreadHeader> {
        self.0.unread(view)
    }

    fn endpoints(key: &Self::Key) -> Option<Endpoints> {
        E::endpoints(key.inner())
    }
}

/// The kinds of layers that identify a network. The kind in a word is the index here plus one.
const KINDS: [Layer; 7] = [
    Layer::Vlan,
    Layer::Pppoe,
    Layer::Vxlan,
    Layer::Geneve,
    Layer::Nvgre,
    Layer::Erspan,
    Layer::Pbb,
];

#[cfg(test)]
mod tests {
    use flowscope_testkit::{Frame, frame};

    use super::*;
    use crate::{AutoDetectEncap, FiveTuple, FiveTupleKey, FlowLabel, IpPair};

    const FIVE: FiveTuple = FiveTuple::bidirectional();

    fn both(around: impl Fn(Frame) -> Frame) -> [flowscope_testkit::Packet; 2] {
        [("10.0.0.1", "10.0.0.2", 1, 2), ("10.0.0.2", "10.0.0.1", 2, 1)]
            .map(|(src, dst, p, q)| around(frame().ethernet()).ipv4(src, dst).tcp(p, q).packet())
    }

    fn key(packet: &flowscope_testkit::Packet) -> ScopedKey<FiveTupleKey> {
        Scoped(AutoDetectEncap(FIVE)).extract(packet.view()).expect("a flow").key
    }

    fn outer(frame: Frame) -> Frame {
        frame.ipv4("192.0.2.1", "192.0.2.2")
    }

    #[test]
    fn equal_addresses_in_two_vlans_are_two_flows() {
        let ([a, _], [b, _]) = (both(|f| f.vlan(5)), both(|f| f.vlan(6)));
        assert_ne!(key(&a), key(&b));
        let unscoped = |packet: &flowscope_testkit::Packet| {
            AutoDetectEncap(FIVE).extract(packet.view()).map(|found| found.key)
        };
        assert_eq!(unscoped(&a), unscoped(&b));
        assert_eq!(key(&a).inner(), key(&b).inner());
    }

    #[test]
    fn both_directions_are_one_flow_and_shown_with_their_networks() {
        let check = |around: fn(Frame) -> Frame, shown: &str| {
            let [there, back] = both(around);
            assert_eq!(key(&there), key(&back));
            assert_eq!(key(&there).to_string(), format!("10.0.0.1:1 <-> 10.0.0.2:2{shown}"));
        };
        check(|f| f, "");
        check(|f| f.vlan_tag(0x88a8, 5).vlan(6), " in vlan 5, vlan 6");
        check(|f| outer(f.vlan(5)).vxlan(42).ethernet().vlan(6), " in vlan 5, vxlan 42, vlan 6");
        check(|f| outer(f).geneve(0xff_ffff).ethernet(), " in geneve 16777215");
        check(|f| outer(f).gre_key(7 << 8 | 3).ethernet(), " in nvgre 7");
        check(|f| outer(f).erspan(3).ethernet(), " in erspan 3");
        check(|f| f.pppoe(9), " in pppoe 9");
    }

    #[test]
    fn what_differs_per_direction_or_names_nothing_is_left_out() {
        let [plain, _] = both(|f| f);
        let around: [fn(Frame) -> Frame; 6] = [
            |f| outer(f).gtpu(77),
            |f| f.mpls(16).mpls(17),
            |f| outer(f).gre_key(7),
            outer,
            |f| f.vlan_tag(0x8100, 0xe000),
            |f| f.vlan(0).vlan(0),
        ];
        for around in around {
            let [packet, _] = both(around);
            assert_eq!(key(&packet), key(&plain));
            assert!(key(&packet).scope().is_empty());
        }
        let [a, b] = [77, 78].map(|teid| both(|f| outer(f).gtpu(teid))[0].clone());
        assert_eq!(key(&a), key(&b), "a TEID splits no flow");
        let [tagged, _] = both(|f| f.vlan(0).vlan(6));
        assert_eq!(key(&tagged).to_string(), "10.0.0.1:1 <-> 10.0.0.2:2 in vlan 6");
    }

    #[test]
    fn its_place_in_a_composition_does_not_matter() {
        let [packet, _] = both(|f| outer(f.vlan(5)).vxlan(42).ethernet());
        let inside = AutoDetectEncap(Scoped(FIVE)).extract(packet.view()).expect("a flow");
        assert_eq!(inside.key, key(&packet));
        assert_eq!(inside.key.scope().iter().map(|layer| layer.id).collect::<Vec<_>>(), [5, 42]);
        assert_eq!(size_of::<ScopedKey<FiveTupleKey>>(), 40 + 32);
    }

    #[test]
    fn each_flow_label_is_a_flow() {
        let key = |label| {
            let packet = frame().ethernet().vlan(5).ipv6("::1", "::2").flow_label(label);
            let packet = packet.udp(1, 2).packet();
            FlowLabel(AutoDetectEncap(FIVE)).extract(packet.view()).expect("a flow").key
        };
        assert_ne!(key(1), key(2));
        assert_eq!((key(1).inner(), key(1).label()), (key(2).inner(), 1));
        assert_eq!(key(0xabc).to_string(), "[::1]:1 <-> [::2]:2 label 0x00abc");
        assert_eq!(key(0).to_string(), "[::1]:1 <-> [::2]:2");
        let [v4, _] = both(|f| f.vlan(5));
        let v4 = FlowLabel(Scoped(AutoDetectEncap(IpPair))).extract(v4.view()).expect("a flow");
        assert_eq!(v4.key.to_string(), "10.0.0.1 <-> 10.0.0.2 in vlan 5");
    }
}
