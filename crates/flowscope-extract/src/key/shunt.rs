use std::net::SocketAddr;

use flowscope_core::{L4Proto, ShuntKey, ToShuntKey};

use super::{Endpoint, FiveTupleKey};

/// `None` for keys of one direction, for protocols other than TCP and UDP, and for UDP to a port of a tunnel, whose
/// packets may belong to the flows inside.
impl ToShuntKey for FiveTupleKey {
    fn shunt_key(&self) -> Option<ShuntKey> {
        let (proto, a, b) = (self.proto(), self.a(), self.b());
        let end = |end: Endpoint| Some(SocketAddr::new(end.addr, end.port?));
        let is_tunnel = |end: &Endpoint| end.port.is_some_and(|port| TUNNELS.contains(&port));
        let plain = match proto {
            L4Proto::Tcp => true,
            L4Proto::Udp => !is_tunnel(&a) && !is_tunnel(&b),
            _ => false,
        };
        (plain && !self.is_one_way()).then_some(())?;
        Some(ShuntKey { proto, a: end(a)?, b: end(b)? })
    }
}

/// UDP ports of GTP-U, Teredo, GRE, VXLAN, VXLAN-GPE, AYIYA and GENEVE.
const TUNNELS: [u16; 7] = [2152, 3544, 4754, 4789, 4790, 5072, 6081];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_tcp_and_udp_keys_are_five_tuples() {
        let check = |proto, port: u16, expected| {
            let (a, b) = (SocketAddr::from(([10, 0, 0, 2], port)), "10.0.0.1:7".parse().unwrap());
            let (key, _) = FiveTupleKey::new(proto, a, b).unwrap();
            let found = key.shunt_key();
            assert_eq!(found.is_some(), expected, "{proto:?} {port}");
            if let Some(found) = found {
                assert_eq!((found.proto, found.a, found.b), (proto, b, a), "the lower end first");
            }
        };
        check(L4Proto::Tcp, 443, true);
        check(L4Proto::Tcp, 4789, true);
        check(L4Proto::Udp, 443, true);
        check(L4Proto::Udp, 4789, false);
        check(L4Proto::Sctp, 443, false);
    }
}
