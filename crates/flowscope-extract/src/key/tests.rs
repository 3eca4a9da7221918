use std::collections::hash_map::DefaultHasher;

use super::*;

fn key(proto: L4Proto, src: &str, dst: &str) -> (FiveTupleKey, Orientation) {
    FiveTupleKey::new(proto, src.parse().unwrap(), dst.parse().unwrap()).unwrap()
}

/// Records which words a key hashes as.
#[derive(Default)]
struct Words(Vec<u64>);

impl Hasher for Words {
    fn write(&mut self, bytes: &[u8]) {
        panic!("{bytes:?} hashed as bytes");
    }

    fn write_u64(&mut self, word: u64) {
        self.0.push(word);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn hashed(key: &FiveTupleKey) -> Vec<u64> {
    let mut words = Words::default();
    key.hash(&mut words);
    words.0
}

#[test]
fn is_small() {
    assert_eq!(size_of::<FiveTupleKey>(), 40);
}

#[test]
fn both_directions_are_one_key() {
    for (src, dst) in [
        ("10.0.0.1:40000", "10.0.0.2:443"),
        ("10.0.0.1:1", "10.0.0.1:2"),
        ("255.255.255.255:65535", "0.0.0.0:0"),
        ("[::1]:53", "[2001:db8::2]:5353"),
        ("[2001:db8::1]:9", "[2001:db8::1]:10"),
    ] {
        let (there, way) = key(L4Proto::Tcp, src, dst);
        let (back, other_way) = key(L4Proto::Tcp, dst, src);
        assert_eq!((there, way), (back, !other_way), "{src} {dst}");
        assert!(there.a() < there.b());
        let (from, to) = there.endpoints(way);
        assert_eq!((from.to_string().as_str(), to.to_string().as_str()), (src, dst));
        assert_eq!((there.initiator(way), there.responder(way)), (from, to));
    }
}

#[test]
fn a_mapped_address_is_another_one() {
    let (v4, _) = key(L4Proto::Tcp, "10.0.0.1:1", "10.0.0.2:2");
    let (v6, _) = key(L4Proto::Tcp, "[::ffff:10.0.0.1]:1", "[::ffff:10.0.0.2]:2");
    assert_ne!(v4, v6);
    let mixed = ("10.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap());
    assert_eq!(FiveTupleKey::new(L4Proto::Tcp, mixed.0, mixed.1), None);
}

#[test]
fn displays_as_people_write_it() {
    let shown = |proto, src, dst| key(proto, src, dst).0.to_string();
    let tcp = shown(L4Proto::Tcp, "10.0.0.2:443", "10.0.0.1:40000");
    assert_eq!(tcp, "10.0.0.1:40000 <-> 10.0.0.2:443");
    assert_eq!(shown(L4Proto::Udp, "[::1]:53", "[::2]:5353"), "[::1]:53 <-> [::2]:5353");
    assert_eq!(shown(L4Proto::Other(50), "10.0.0.2:0", "10.0.0.1:0"), "10.0.0.1 <-> 10.0.0.2");
    assert_eq!(shown(L4Proto::Other(89), "[::1]:0", "[::2]:0"), "::1 <-> ::2");

    let addrs = AddrPair::V4 { src: 0x0a00_0002, dst: 0x0a00_0001 };
    let (one_way, _) =
        FiveTupleKey::from_parts(addrs, (443, 40000), 6, Directionality::Unidirectional);
    assert_eq!(one_way.to_string(), "10.0.0.2:443 -> 10.0.0.1:40000");
    let (echo, _) = FiveTupleKey::icmp(addrs, Family::V4, (8, 0, 7), Directionality::Bidirectional);
    assert_eq!(format!("{echo:?}"), "FiveTupleKey(icmp 10.0.0.1 <-> 10.0.0.2 0/0 id 7)");
}

#[test]
fn hashes_as_two_words_or_five() {
    let (v4, _) = key(L4Proto::Tcp, "10.0.0.1:1", "10.0.0.2:2");
    let (v6, _) = key(L4Proto::Tcp, "[::1]:1", "[::2]:2");
    assert_eq!((hashed(&v4).len(), hashed(&v6).len()), (2, 5));
    let finished = |key: FiveTupleKey| {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        hasher.finish()
    };
    assert_eq!(finished(v4), finished(key(L4Proto::Tcp, "10.0.0.2:2", "10.0.0.1:1").0));
}

#[test]
fn order_is_by_first_endpoint_then_second_then_protocol() {
    let mut keys = [
        key(L4Proto::Tcp, "[::1]:1", "[::2]:2").0,
        key(L4Proto::Udp, "10.0.0.1:1", "10.0.0.3:2").0,
        key(L4Proto::Udp, "10.0.0.1:1", "10.0.0.2:2").0,
        key(L4Proto::Tcp, "10.0.0.1:1", "10.0.0.2:2").0,
        key(L4Proto::Tcp, "9.255.255.255:1", "10.0.0.2:2").0,
    ];
    keys.sort();
    let shown: Vec<String> = keys.iter().map(|k| format!("{} {k}", k.proto())).collect();
    assert_eq!(
        shown,
        [
            "tcp 9.255.255.255:1 <-> 10.0.0.2:2",
            "tcp 10.0.0.1:1 <-> 10.0.0.2:2",
            "udp 10.0.0.1:1 <-> 10.0.0.2:2",
            "udp 10.0.0.1:1 <-> 10.0.0.3:2",
            "tcp [::1]:1 <-> [::2]:2",
        ]
    );
}

#[test]
fn icmp_queries_pair_up_by_who_asks() {
    let [one, two] = [0x0a00_0001, 0x0a00_0002];
    let there = AddrPair::V4 { src: one, dst: two };
    let back = AddrPair::V4 { src: two, dst: one };
    let icmp = |addrs, message| {
        FiveTupleKey::icmp(addrs, Family::V4, message, Directionality::Bidirectional)
    };

    let (ping, way) = icmp(there, (8, 0, 7));
    assert_eq!(icmp(back, (0, 0, 7)), (ping, !way));
    assert_ne!(icmp(there, (8, 0, 8)).0, ping, "another identifier");
    assert_ne!(icmp(back, (8, 0, 7)).0, ping, "the other end asks");
    assert_eq!(ping.icmp_type(way), Some((8, 0)));
    assert_eq!(ping.icmp_type(!way), Some((0, 0)));
    assert_eq!(ping.icmp_id(), Some(7));

    let (error, way) = icmp(back, (3, 1, 0));
    assert_eq!((way, error.icmp_type(way)), (Orientation::Forward, Some((3, 1))));
    assert_ne!(icmp(there, (3, 1, 0)).0, error, "errors go one way");
    assert!(error.is_one_way() && error.icmp_id().is_none());
}

#[test]
fn shard_hash_vectors() {
    let (tcp, _) = key(L4Proto::Tcp, "10.0.0.1:40000", "10.0.0.2:443");
    assert_eq!(tcp.shard_hash(), 0xce79_1d08_0aac_5a15);
    let (udp, _) = key(L4Proto::Udp, "[2001:db8::2]:5353", "[2001:db8::1]:53");
    assert_eq!(udp.shard_hash(), 0x3fbe_e0c8_3499_f5da);
    let addrs = AddrPair::V4 { src: 0xc000_0202, dst: 0xc000_0201 };
    let (echo, _) =
        FiveTupleKey::icmp(addrs, Family::V4, (0, 0, 99), Directionality::Bidirectional);
    assert_eq!(echo.shard_hash(), 0x671b_4f6a_c4fa_70f5);
}

#[test]
fn both_one_way_keys_of_a_connection_share_a_shard() {
    let [there, back] = [AddrPair::V4 { src: 1, dst: 2 }, AddrPair::V4 { src: 2, dst: 1 }];
    let (there, _) = FiveTupleKey::from_parts(there, (3, 4), 6, Directionality::Unidirectional);
    let (back, _) = FiveTupleKey::from_parts(back, (4, 3), 6, Directionality::Unidirectional);
    assert_ne!(there, back);
    assert_eq!(there.shard_hash(), back.shard_hash());
    assert_eq!(there.community_id(0), back.community_id(0));
}
