//! DNS and ICMP.

use crate::capture::watch;
use crate::compare::{agree, ended, said};
use crate::traffic;
use crate::world::in_world;

/// What [`traffic::names`] asks, and the answers.
pub(crate) const NAMES: [&str; 8] = [
    "Udp query QUERY a.lab.test IN A, 0 answers",
    "Udp response NOERROR a.lab.test IN A, 1 answers",
    "Udp query QUERY t.lab.test IN TXT, 0 answers",
    "Udp response NOERROR t.lab.test IN TXT, 1 answers",
    "Tcp query QUERY b.lab.test IN A, 0 answers",
    "Tcp response NOERROR b.lab.test IN A, 1 answers",
    "Udp query QUERY nx.example IN AAAA, 0 answers",
    "Udp response REFUSED nx.example IN AAAA, 0 answers",
];

pub(crate) fn names_are_asked_for_over_udp_and_tcp() {
    let name = concat!(module_path!(), "::names_are_asked_for_over_udp_and_tcp");
    in_world(name, |world| {
        traffic::name_server(world);
        let watched = watch(world, || {
            traffic::names();
            traffic::ping("10.77.0.2");
        });
        agree(&watched);
        assert_eq!(said(&watched.sessions.events), NAMES);
        let flows = [
            "icmp 10.77.0.2 Shutdown",
            "tcp 10.77.0.2:53 Fin",
            "udp 10.77.0.2:53 Shutdown",
            "udp 10.77.0.2:53 Shutdown",
            "udp 10.77.0.2:53 Shutdown",
        ];
        assert_eq!(ended(&watched.flows.events), flows);
    });
}
