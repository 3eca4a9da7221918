//! Several interfaces as one capture.

use std::time::Duration;

use flowscope_testkit::namespace::{cable, in_namespace};
use tokio::time::timeout;

use crate::world::{block_on, builder, datagram, extractor, send, sender};

pub(crate) fn interfaces_are_opened_by_a_pattern_of_their_names() {
    let name = concat!(module_path!(), "::interfaces_are_opened_by_a_pattern_of_their_names");
    in_namespace(name, || {
        cable("w0", "w1", "");
        block_on(async {
            for (pattern, captures) in [("w1", 1), ("?1", 2), ("any", 4)] {
                let capture = builder().open_matching(pattern).expect("there are some");
                assert_eq!(capture.source().source().sources().len(), captures, "{pattern}");
                let mut stream = capture.flow_stream(extractor());
                send(&mut sender("w0"), &datagram(1));
                send(&mut sender("v0"), &datagram(2));
                tokio::time::sleep(Duration::from_millis(20)).await;
                let ended = timeout(Duration::from_secs(10), stream.shutdown()).await;
                let stats = ended.expect("it ends").expect("the sockets are open");
                // Both ends of a cable see its frame.
                assert_eq!(stats.arrived, Some(captures as u64), "{pattern}: {stats}");
                assert_eq!(stats.packets.seen(), captures as u64);
            }
        });
    });
}
