//! A table that grows to more flows than fit in the index without copying it a little at a time.

#![allow(missing_docs)]

use std::num::NonZeroUsize;

use flowscope_core::{Extracted, L4Proto, LinkType, Orientation, PacketView, Timestamp};
use flowscope_track::{Clock, ClockConfig, EndReason, FlowTable, TrackerConfig};

/// The index of 28 672 flows is the largest that is made anew at once.
const FLOWS: u32 = 80_000;

struct Input {
    table: FlowTable<u32>,
    clock: Clock,
}

impl Input {
    fn packet(&mut self, key: u32) {
        let mut found = Extracted::new(key, Orientation::Forward);
        found.l4 = Some(L4Proto::Udp);
        let view = PacketView::new(&[], LinkType::RAW, Timestamp::from_secs(1));
        let now = self.clock.observe(view.ts());
        self.table.track(view, &found, now, &mut ());
    }

    fn end(&mut self, key: u32) {
        let now = self.clock.now();
        assert!(self.table.end(&key, now, &mut ()));
    }
}

#[test]
fn a_table_that_grows_loses_no_flow_and_opens_none_twice() {
    let config = TrackerConfig::default().max_flows(NonZeroUsize::new(1 << 20).unwrap());
    let mut input =
        Input { table: FlowTable::new(config), clock: Clock::new(ClockConfig::default()) };
    // How many packets a flow has; `None` after it was ended.
    let mut expected: Vec<Option<u64>> = Vec::new();
    let mut ended = 0;
    for key in 0..FLOWS {
        input.packet(key);
        expected.push(Some(1));
        // An earlier flow goes on, and another one ends.
        let other = key.wrapping_mul(2_654_435_761) % (key + 1);
        if let Some(packets) = &mut expected[other as usize] {
            input.packet(other);
            *packets += 1;
        }
        let last = (key / 2).wrapping_mul(40_503) % (key + 1);
        if key % 3 == 0 && expected[last as usize].take().is_some() {
            input.end(last);
            ended += 1;
        }
    }
    for (key, expected) in (0..FLOWS).zip(&expected) {
        let flow = input.table.get(&key);
        assert_eq!(flow.map(|flow| flow.stats().initiator.counters.packets), *expected, "{key}");
    }
    assert_eq!(input.table.stats().ended(EndReason::Forced), ended);
    assert!(ended > 10_000);
    assert_eq!(input.table.flows().count(), (FLOWS - ended as u32) as usize);
}
