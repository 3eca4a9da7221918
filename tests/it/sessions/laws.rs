//! The laws of any run, on traffic at random.

use std::num::NonZeroUsize;

use flowscope::core::Timestamp;
use flowscope::driver::{Driver, DriverConfig};
use flowscope::reassembly::{OverlapPolicy, StreamConfig};
use flowscope::track::TrackerConfig;
use flowscope_tests::session::{EXTRACTOR, protocols, run};
use flowscope_tests::traffic;
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use super::{Packet, Rng, hear_packets};

/// As many as there is time for.
const CASES: u32 = if cfg!(debug_assertions) { 200 } else { 5000 };

/// Connections of all protocols at the same time, captured badly.
fn mixed(rng: &mut Rng) -> Vec<Packet> {
    let captures: Vec<Vec<Packet>> = (0..1 + rng.below(5))
        .map(|n| {
            let (turns, port) = match rng.below(5) {
                0 => (traffic::tls(rng), 443),
                1 => (traffic::dns(rng), 53),
                2 => (traffic::noise(rng), 4000),
                _ => (traffic::http(rng), *rng.pick(&[80, 8081])),
            };
            // Ports are used again now and then.
            let client = format!("10.0.0.{}:40000", n.min(2));
            traffic::connection(&turns, [&client, &format!("10.0.1.1:{port}")], rng)
        })
        .collect();
    let all = traffic::merged(captures, rng);
    let all = if rng.one_in(2) { traffic::captured_badly(all, rng) } else { all };
    let all = traffic::captured_badly(all, rng);
    traffic::with_silences(all, rng)
}

fn config(rng: &mut Rng) -> DriverConfig {
    let policies = [OverlapPolicy::First, OverlapPolicy::Last, OverlapPolicy::Linux];
    let held = NonZeroUsize::new(*rng.pick(&[1, 500, 1 << 20])).unwrap();
    let streams = StreamConfig::default().overlap(*rng.pick(&policies)).max_held(held);
    let flows = NonZeroUsize::new(*rng.pick(&[1, 2, 100])).unwrap();
    let budget = *rng.pick(&[1 << 12, 1 << 16, 512 << 20]);
    let tracker = TrackerConfig::default().max_flows(flows).memory_budget(budget);
    DriverConfig::default().streams(streams).tracker(tracker)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_traffic_obeys(seed: u64) {
        let mut rng = Rng::new(seed);
        let heard = hear_packets(&mixed(&mut rng));
        prop_assert!(!heard.events.is_empty());
    }

    #[test]
    fn any_traffic_obeys_where_there_is_little_room(seed: u64) {
        let mut rng = Rng::new(seed);
        let (packets, config) = (mixed(&mut rng), config(&mut rng));
        run(|| Driver::with_config(EXTRACTOR, protocols(), config.clone()), &packets);
    }

    #[test]
    fn a_whole_capture_in_any_order_of_connections_says_the_same_of_each(seed: u64) {
        let mut rng = Rng::new(seed);
        let captures: Vec<Vec<Packet>> = (0..3)
            .map(|n| {
                let turns = traffic::http(&mut rng);
                let client = format!("10.0.0.{n}:40000");
                traffic::connection(&turns, [&client, "10.0.1.1:80"], &mut rng)
            })
            .collect();
        // At one time, so that it makes no difference how long anything waits.
        let at_once = |mut packets: Vec<Packet>| {
            packets.iter_mut().for_each(|packet| packet.ts = Timestamp::from_secs(1));
            hear_packets(&packets).said()
        };
        let mut alone: Vec<String> =
            captures.iter().flat_map(|capture| at_once(capture.clone())).collect();
        let mut together = at_once(traffic::merged(captures, &mut rng));
        alone.sort_unstable();
        together.sort_unstable();
        prop_assert_eq!(together, alone);
    }
}
