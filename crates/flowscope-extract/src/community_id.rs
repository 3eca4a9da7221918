use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use crate::FiveTupleKey;

/// Community ID version 1 of a flow, as Suricata, Zeek and other tools compute it.
///
/// A SHA-1 over seed, addresses, protocol and ports, lower endpoint first; see
/// <https://github.com/corelight/community-id-spec>. Displays as `1:` and the digest in base64.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CommunityId([u8; 20]);

impl CommunityId {
    /// The SHA-1 digest. Its first eight bytes can distribute flows over hosts that share only the
    /// specification.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 20] {
        &self.0
    }

    /// What it displays as: `1:` and the digest in base64, in ASCII.
    #[must_use]
    pub fn to_text(&self) -> [u8; 30] {
        let mut text = *b"1:****************************";
        // Base64 of twenty bytes has 28 characters.
        let _ = STANDARD.encode_slice(self.0, &mut text[2..]);
        text
    }
}

impl FiveTupleKey {
    /// The Community ID of the flow. Tools must use the same `seed` (by default 0) to get equal values.
    ///
    /// An ICMP query and its reply have the same ID, with ICMP types in place of ports. The ID of other ICMP
    /// messages is computed from sender, receiver, type and code, separately for each direction. The
    /// identifier of a query is not included, so several flows may share an ID. For protocols without ports
    /// the ID is computed from addresses and protocol.
    #[must_use]
    pub fn community_id(&self, seed: u16) -> CommunityId {
        let (a, b) = self.addrs();
        let (p, q) = self.port_words();
        let named = self.proto().has_ports() || self.has_icmp_type();
        let (p, q) = if named { (p, q) } else { (0, 0) };
        let in_order = self.is_icmp_one_way() || (a, p) <= (b, q);
        let ((a, p), (b, q)) = if in_order { ((a, p), (b, q)) } else { ((b, q), (a, p)) };

        let mut hash = Sha1::new();
        hash.update(seed.to_be_bytes());
        for addr in [a, b] {
            match addr {
                IpAddr::V4(addr) => hash.update(addr.octets()),
                IpAddr::V6(addr) => hash.update(addr.octets()),
            }
        }
        hash.update([self.proto_number(), 0]);
        if named {
            hash.update(p.to_be_bytes());
            hash.update(q.to_be_bytes());
        }
        CommunityId(hash.finalize().into())
    }
}

impl fmt::Display for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.to_text()).unwrap_or_default())
    }
}

impl fmt::Debug for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommunityId({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use flowscope_core::L4Proto;

    use super::*;
    use crate::addr::AddrPair;
    use crate::icmp::Family;
    use crate::key::Directionality;

    fn id(seed: u16, proto: L4Proto, src: &str, dst: &str) -> String {
        let (src, dst): (SocketAddr, SocketAddr) = (src.parse().unwrap(), dst.parse().unwrap());
        FiveTupleKey::new(proto, src, dst).unwrap().0.community_id(seed).to_string()
    }

    /// Values from the repository of the specification.
    #[test]
    fn published_baseline() {
        let (client, server) = ("128.232.110.120:34855", "66.35.250.204:80");
        assert_eq!(id(0, L4Proto::Tcp, client, server), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(id(0, L4Proto::Tcp, server, client), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(id(1, L4Proto::Tcp, client, server), "1:3V71V58M3Ksw/yuFALMcW0LAHvc=");
        let dns = id(0, L4Proto::Udp, "192.168.1.52:54585", "8.8.8.8:53");
        assert_eq!(dns, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
    }

    #[test]
    fn published_icmp() {
        let [host, router] =
            [[192, 168, 0, 89], [192, 168, 0, 1]].map(|a| Ipv4Addr::from(a).into());
        let id = |addrs, kind| {
            let (key, _) =
                FiveTupleKey::icmp(addrs, Family::V4, (kind, 0, 1), Directionality::Bidirectional);
            key.community_id(0).to_string()
        };
        let (there, back) =
            (AddrPair::V4 { src: host, dst: router }, AddrPair::V4 { src: router, dst: host });
        assert_eq!(id(there, 8), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
        assert_eq!(id(back, 0), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
        assert_eq!(id(there, 20), "1:3o2RFccXzUgjl7zDpqmY7yJi8rI=");
        assert_ne!(id(back, 20), id(there, 20), "one way, so not reordered");
    }
}
