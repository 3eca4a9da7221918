//! Bytes of heap per established flow.

use flowscope_benches::{Established, Figure, Options, Report};
use stats_alloc::Region;

use crate::HEAP;
use crate::contestants::{Contestant, How};

pub(crate) fn per_flow(options: &Options) {
    for flows in [100_000, 1_000_000] {
        if !options.wants(&format!("memory-{flows}")) {
            continue;
        }
        let flows = options.scaled(flows, 1000);
        let report = Report::new(&format!("heap, {flows} established flows"), "bytes/flow");
        for how in [How::Peer, How::Batches] {
            let mut established = Established::new(flows);
            let region = Region::new(HEAP);
            let mut contestant = Contestant::new(how, flows * 4);
            established.begin(|trace| contestant.feed(trace, 0..trace.len(), 0));
            let change = region.change();
            assert_eq!(contestant.len(), flows);
            let held = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
            let goal = if how == How::Peer { "" } else { "<= 256" };
            report.row(&Figure::once(how.name(), held / flows as f64), goal);
        }
    }
}
