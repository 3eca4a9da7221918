use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::Frame;
use crate::layer::Kind;

/// IP and its extension headers.
impl Frame {
    /// IPv4 with TTL 64.
    pub fn ipv4(self, src: impl ToString, dst: impl ToString) -> Self {
        let (src, dst) = (parse::<Ipv4Addr>(src), parse::<Ipv4Addr>(dst));
        let options = Vec::new();
        self.push(Kind::Ipv4 { src, dst, tos: 0, ttl: 64, id: 1, fragment: 0x4000, options })
    }

    /// IPv6 with hop limit 64.
    pub fn ipv6(self, src: impl ToString, dst: impl ToString) -> Self {
        let (src, dst) = (parse::<Ipv6Addr>(src), parse::<Ipv6Addr>(dst));
        self.push(Kind::Ipv6 { src, dst, tos: 0, ttl: 64, flow_label: 0 })
    }

    /// IPv4 or IPv6, as the addresses say.
    pub fn ip(self, src: impl ToString, dst: impl ToString) -> Self {
        match (parse::<IpAddr>(src), parse::<IpAddr>(dst)) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.ipv4(src, dst),
            (IpAddr::V6(src), IpAddr::V6(dst)) => self.ipv6(src, dst),
            _ => panic!("addresses of two families in one header"),
        }
    }

    /// Hop-by-hop options (0), padded to a multiple of 8.
    pub fn hop_by_hop(self, options: &[u8]) -> Self {
        self.extension(0, options)
    }

    /// Destination options (60), padded to a multiple of 8.
    pub fn destination(self, options: &[u8]) -> Self {
        self.extension(60, options)
    }

    /// A routing header (43), padded to a multiple of 8.
    pub fn routing(self, body: &[u8]) -> Self {
        self.extension(43, body)
    }

    /// An extension header of this number with a length field in units of 8 bytes (RFC 6564).
    pub fn extension(self, number: u8, body: &[u8]) -> Self {
        self.push(Kind::Extension { number, body: body.to_vec() })
    }

    /// An authentication header (51, RFC 4302) with 12 bytes of check value.
    pub fn auth(self) -> Self {
        self.push(Kind::Auth)
    }

    /// Makes this a jumbogram (RFC 2675): payload length 0, and `length` in a hop-by-hop option.
    pub fn jumbo(mut self, length: u32) -> Self {
        self.last().length = Some(0);
        let mut option = vec![0xc2, 4];
        option.extend(length.to_be_bytes());
        self.hop_by_hop(&option)
    }

    /// Time to live or hop limit.
    pub fn ttl(mut self, value: u8) -> Self {
        match &mut self.last().kind {
            Kind::Ipv4 { ttl, .. } | Kind::Ipv6 { ttl, .. } => *ttl = value,
            other => panic!("{other:?} has no TTL"),
        }
        self
    }

    /// Type of service or traffic class.
    pub fn tos(mut self, value: u8) -> Self {
        match &mut self.last().kind {
            Kind::Ipv4 { tos, .. } | Kind::Ipv6 { tos, .. } => *tos = value,
            other => panic!("{other:?} has no type of service"),
        }
        self
    }

    /// IPv6 flow label.
    pub fn flow_label(mut self, value: u32) -> Self {
        match &mut self.last().kind {
            Kind::Ipv6 { flow_label, .. } => *flow_label = value,
            other => panic!("{other:?} has no flow label"),
        }
        self
    }

    /// Makes this a fragment: `offset` in bytes. IPv6 gets a fragment header.
    pub fn fragment(mut self, ident: u32, offset: u16, more: bool) -> Self {
        match &mut self.last().kind {
            Kind::Ipv4 { id, fragment, .. } => {
                *id = ident as u16;
                *fragment = (u16::from(more) << 13) | (offset / 8);
                self
            }
            Kind::Ipv6 { .. } | Kind::Extension { .. } => {
                let next = self.last().next.take();
                let mut built = self.push(Kind::Fragment6 { id: ident, offset, more });
                built.last().next = next;
                built
            }
            other => panic!("{other:?} cannot be a fragment"),
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "callers hand on what they were given")]
fn parse<T: FromStr>(text: impl ToString) -> T {
    let text = text.to_string();
    text.parse().unwrap_or_else(|_| panic!("{text} is no address of the family asked for"))
}
