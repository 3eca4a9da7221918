//! HTTP and TLS.

use crate::capture::watch;
use crate::compare::{agree, ended, said};
use crate::traffic;
use crate::world::in_world;

pub(crate) const PROGRAMS: [&str; 3] = ["nginx", "curl", "openssl"];

/// What [`traffic::http`] asks, and the answers.
pub(crate) const HTTP: [&str; 16] = [
    "GET /",
    "200 Length(6)",
    "GET /big.txt",
    "200 Length(396000)",
    "GET /none",
    "404 Length(153)",
    "GET /big.txt",
    "200 Chunked",
    "PUT /upload",
    "201 Length(0)",
    "GET /",
    "GET /",
    "GET /",
    "200 Length(6)",
    "200 Length(6)",
    "200 Length(6)",
];

/// What [`traffic::tls`] says in the clear.
pub(crate) const TLS: [&str; 6] = [
    "hello tls12.lab.test",
    "server TLS 1.2",
    "certificates 1",
    "group 29",
    "hello tls13.lab.test",
    "server TLS 1.3",
];

pub(crate) fn requests_and_answers_over_http() {
    in_world(concat!(module_path!(), "::requests_and_answers_over_http"), |world| {
        traffic::web_server(world);
        let watched = watch(world, || traffic::http("10.77.0.2"));
        agree(&watched);
        assert_eq!(said(&watched.sessions.events), HTTP);
        assert_eq!(ended(&watched.flows.events), ["tcp 10.77.0.2:80 Fin"; 4]);
    });
}

pub(crate) fn handshakes_of_tls_1_2_and_1_3() {
    in_world(concat!(module_path!(), "::handshakes_of_tls_1_2_and_1_3"), |world| {
        traffic::web_server(world);
        let watched = watch(world, traffic::tls);
        agree(&watched);
        assert_eq!(said(&watched.sessions.events), TLS);
        assert_eq!(ended(&watched.flows.events), ["tcp 10.77.0.2:443 Fin"; 2]);
    });
}
