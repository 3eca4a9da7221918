//! AF_XDP reads what a mirror sends it, as from a switch: what it captures goes no further.

use std::num::NonZeroU32;

use flowscope_tests::session::{EXTRACTOR, protocols};
use netring::ring::{AfXdp, AfXdpConfig, XdpMode};
use netring::{AsyncCapture, Live};

use crate::capture::{all_of, alongside, recorded};
use crate::compare::{said, sessions_agree};
use crate::names::NAMES;
use crate::traffic;
use crate::web::{HTTP, TLS};
use crate::world::in_world;

pub(crate) const PROGRAMS: [&str; 7] =
    ["ethtool", "tc", "nginx", "curl", "openssl", "dnsmasq", "dig"];

fn sessions_of_a_mirror(mode: XdpMode, test: &str) {
    in_world(test, |world| {
        world.mirror();
        traffic::web_server(world);
        traffic::name_server(world);
        let work = || {
            traffic::http("10.77.0.2");
            traffic::tls();
            traffic::names();
        };
        let (file, sessions) = alongside(world, work, |over| {
            let frames = NonZeroU32::new(1 << 14).expect("not zero");
            let config = AfXdpConfig::default().mode(mode).frames(frames).rx_ring(frames);
            let capture = AfXdp::open("mirrored", &config);
            let capture = capture.expect("the world is ours, and nothing else reads it");
            let capture = AsyncCapture::new(Live::new(capture).expect("a runtime runs this"));
            let capture = recorded(capture, "sessions.pcap", over);
            all_of(
                capture.map(|capture| capture.flow_stream(EXTRACTOR).protocol_stream(protocols())),
            )
        });
        sessions_agree(&sessions, &file);
        assert_eq!(said(&sessions.events), [&HTTP[..], &TLS[..], &NAMES[..]].concat());
    });
}

pub(crate) fn sessions_of_a_mirror_behind_the_driver() {
    let test = concat!(module_path!(), "::sessions_of_a_mirror_behind_the_driver");
    sessions_of_a_mirror(XdpMode::Generic, test);
}

pub(crate) fn sessions_of_a_mirror_in_the_driver() {
    let test = concat!(module_path!(), "::sessions_of_a_mirror_in_the_driver");
    sessions_of_a_mirror(XdpMode::Native, test);
}
