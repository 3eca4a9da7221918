//! Traffic as a host that leaves the work to its network card sees it.

use std::num::NonZeroUsize;
use std::thread;

use flowscope::extract::Endpoint;

use crate::capture::{Session, watch, watch_sharded};
use crate::compare::{
    agree, agree_by_flow, checksums, ended, packets, said, sessions_agree_by_flow,
};
use crate::names::NAMES;
use crate::traffic;
use crate::web::HTTP;
use crate::world::{Cores, World, in_world, in_world_on};

pub(crate) const PROGRAMS: [&str; 6] = ["iperf3", "nginx", "curl", "openssl", "dnsmasq", "dig"];

/// Everything at the same time.
fn everything(world: &mut World) -> impl FnOnce() + Send + use<> {
    traffic::web_server(world);
    traffic::name_server(world);
    let bulk = traffic::bulk(world);
    || {
        thread::scope(|scope| {
            scope.spawn(bulk);
            scope.spawn(|| traffic::http("10.77.0.2"));
            scope.spawn(traffic::names);
        });
    }
}

fn said_everything(sessions: &[Session]) {
    let mut expected = [&HTTP[..], &NAMES[..]].concat();
    // What befalls the bulk itself is told of no protocol.
    let is_bulk = |end: Endpoint| end.port == Some(5201);
    let others = sessions.iter().filter(|event| {
        let key = event.flow().key;
        !is_bulk(key.a()) && !is_bulk(key.b())
    });
    let mut said = said(&others.cloned().collect::<Vec<_>>());
    expected.sort_unstable();
    said.sort_unstable();
    assert_eq!(said, expected);
}

pub(crate) fn offloaded_frames_beyond_the_mtu() {
    let name = concat!(module_path!(), "::offloaded_frames_beyond_the_mtu");
    in_world(name, |world| {
        let traffic = everything(world);
        let watched = watch(world, traffic);
        agree(&watched);
        said_everything(&watched.sessions.events);
        // The server resets what it has not read to the end.
        let bulk = ["Fin", "Rst"].map(|reason| format!("tcp 10.77.0.2:5201 {reason}"));
        let bulk = ended(&watched.flows.events).into_iter().filter(|flow| bulk.contains(flow));
        assert_eq!(bulk.count(), 2, "to control, and for the data");

        let frames = packets(&watched.file);
        let long = frames.iter().filter(|frame| frame.wire_len > 1514).count();
        let longest = frames.iter().map(|frame| frame.wire_len).max();
        assert!(long > 100 && longest > Some(60_000), "{long} are longer, up to {longest:?}");
        let sums = checksums(&watched.file);
        assert!(sums.offloaded > 300 && sums.bad == 0, "{sums:?}");
    });
}

pub(crate) fn flows_are_the_same_from_several_cores() {
    let name = concat!(module_path!(), "::flows_are_the_same_from_several_cores");
    in_world_on(Cores::All, name, |world| {
        let traffic = everything(world);
        let watched = watch(world, traffic);
        agree_by_flow(&watched);
        said_everything(&watched.sessions.events);
    });
}

pub(crate) fn sessions_are_the_same_from_several_workers() {
    let name = concat!(module_path!(), "::sessions_are_the_same_from_several_workers");
    in_world_on(Cores::All, name, |world| {
        const WORKERS: NonZeroUsize = NonZeroUsize::new(3).expect("not zero");
        let traffic = everything(world);
        let (file, sessions, stats) = watch_sharded(world, WORKERS, traffic);
        sessions_agree_by_flow(&sessions, &stats, &packets(&file));
        said_everything(&sessions);
    });
}
