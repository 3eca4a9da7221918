//! Fragments: how deep datagrams may be joined in each other, and when pieces are given up.

use flowscope_core::{Loss, MAX_DEPTH, Timestamp};
use flowscope_driver::{DriverConfig, FlowDriver, Progress};
use flowscope_testkit::Packet;
use flowscope_testkit::attacks::fragments;
use flowscope_track::EndReason;

use super::{EXTRACTOR, at};

#[test]
fn datagrams_are_joined_in_each_other_as_deep_as_a_path_is_long_and_once_more() {
    let tracked = |levels: usize| {
        let mut driver = FlowDriver::new(EXTRACTOR);
        for packet in fragments::in_each_other(levels, false) {
            driver.handle_packet(packet.view());
        }
        driver.finish(EndReason::EndOfInput);
        let ledger = driver.packets();
        assert_eq!(ledger.seen(), levels as u64 + 1, "{ledger:?}");
        (ledger.delivered(), ledger.lost(Loss::DepthExceeded))
    };
    let most = MAX_DEPTH + 1;
    assert_eq!(tracked(most), (most as u64 + 1, 0));
    // All frames of what was joined so far are refused; the piece that nothing joined is incomplete.
    let (delivered, refused) = tracked(most + 1);
    assert_eq!(delivered, 0);
    assert_eq!(refused, most as u64 + 1);
}

#[test]
fn pieces_are_given_up_by_packets_and_by_time() {
    // Those of IPv4, which all wait for the same time.
    let v4 = |packet: &Packet| packet.bytes[12..14] == [8, 0];
    let pieces = || fragments::never_whole(200, 1).filter(v4).map(|packet| at(1000, packet));
    // A packet that comes later, of whatever flow.
    let mut driver = FlowDriver::new(EXTRACTOR);
    pieces().for_each(|packet| driver.handle_packet(packet.view()));
    assert_eq!((driver.pending_fragments(), driver.packets().seen()), (100, 0));
    let due = driver.poll_timeout().expect("pieces wait");
    let whole = fragments::atomic(3).map(|packet| at(2000, packet));
    whole.for_each(|packet| driver.handle_packet(packet.view()));
    assert_eq!(driver.pending_fragments(), 0);
    assert_eq!(driver.packets().lost(Loss::FragIncomplete), 100);
    // Time alone: not a nanosecond early, and a bounded number by call.
    let mut driver = FlowDriver::new(EXTRACTOR);
    pieces().for_each(|packet| driver.handle_packet(packet.view()));
    assert_eq!(driver.poll_timeout(), Some(due));
    let early = Timestamp::from_nanos(due.as_nanos() - 1);
    assert_eq!(driver.handle_timeout(early), Progress::Done);
    assert_eq!(driver.pending_fragments(), 100);
    assert_eq!(driver.handle_timeout(due), Progress::More);
    assert_eq!(driver.pending_fragments(), 36);
    assert_eq!(driver.handle_timeout(due), Progress::Done);
    assert_eq!(driver.pending_fragments(), 0);
    // The end of input.
    let mut driver = FlowDriver::with_config(EXTRACTOR, DriverConfig::default());
    pieces().for_each(|packet| driver.handle_packet(packet.view()));
    driver.finish(EndReason::EndOfInput);
    assert_eq!((driver.pending_fragments(), driver.packets().seen()), (0, 100));
}
