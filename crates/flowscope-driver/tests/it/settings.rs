//! Settings of a driver, each with both of its values.

use std::num::NonZeroUsize;

use flowscope_core::Loss;
use flowscope_driver::{Checksums, DriverConfig, FlowDriver, Router};
use flowscope_extract::FiveTupleKey;
use flowscope_testkit::Dialogue;
use flowscope_testkit::attacks::fragments;
use flowscope_track::{FlowEvent, ShuntRefusal};

use super::{EXTRACTOR, packets};

#[test]
fn packets_are_events_unless_they_are_left_out() {
    let count = |on: bool| {
        let config = DriverConfig::default().packet_events(on);
        let mut driver = FlowDriver::with_config(EXTRACTOR, config);
        for packet in packets(Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:7").handshake()) {
            driver.handle_packet(packet.view());
        }
        let events: Vec<_> = std::iter::from_fn(|| driver.poll_event()).collect();
        let of_packets = |event: &&FlowEvent<_>| matches!(event, FlowEvent::Packet { .. });
        let of_packets = events.iter().filter(of_packets).count();
        (of_packets, events.len() - of_packets)
    };
    let (with, without) = (count(true), count(false));
    assert_eq!((with.0, without.0), (3, 0));
    assert_eq!(with.1, without.1);
    assert!(with.1 > 0);
}

#[test]
fn fragments_that_are_not_joined_do_not_wait() {
    let mut driver = FlowDriver::with_config(EXTRACTOR, DriverConfig::default().fragments(None));
    for packet in fragments::never_whole(10, 1) {
        driver.handle_packet(packet.view());
    }
    assert_eq!(driver.pending_fragments(), 0);
    assert_eq!(driver.packets().lost(Loss::FragIncomplete), 10);
}

/// A capture that counts packets of a flow does not verify them.
#[test]
fn where_checksums_are_verified_no_packet_is_left_to_the_capture() {
    let may_shunt = |policy| {
        let config = DriverConfig::default().checksums(policy);
        let shards = NonZeroUsize::new(2).expect("not zero");
        Router::new(EXTRACTOR, &config, shards, |_: &FiveTupleKey| 0).may_shunt()
    };
    assert!(may_shunt(Checksums::Off).is_ok());
    for policy in [Checksums::Count, Checksums::Exclude] {
        assert!(matches!(may_shunt(policy), Err(ShuntRefusal::Checksums)));
    }
}
