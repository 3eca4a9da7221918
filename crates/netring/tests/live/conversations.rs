//! Conversations of flows that come in as fast as they can be sent.

use std::thread;
use std::time::{Duration, Instant};

use flowscope_core::{FlowSide, Loss};
use flowscope_testkit::Dialogue;
use flowscope_testkit::namespace::{in_namespace, ip};
use netring::{ConversationConfig, Piece, Stats};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::world::{builder, extractor, positive, send, sender};

/// Sends the same frames again and again: their bytes come once, the rest are retransmissions. So each
/// round is a connection of its own.
fn rounds(len: usize, rounds: u16) -> Vec<Vec<u8>> {
    let round = |n: u16| {
        let from = format!("10.0.0.1:{}", 20_000 + n);
        let mut talk = Dialogue::tcp(&from, "10.0.0.2:80").handshake();
        for _ in 0..(16 << 20) / len {
            talk = talk.data(FlowSide::Initiator, vec![7; len]);
        }
        talk.close(FlowSide::Initiator).build()
    };
    (0..rounds).flat_map(round).map(|(_, frame)| frame).collect()
}

/// Reads everything in tasks of the runtime; returns what was read and the counters.
async fn read_all(frames: Vec<Vec<u8>>) -> (u64, Stats) {
    let capture = builder().ring(positive(64), positive(1 << 18)).open("v1");
    let stream = capture.expect("the namespace is ours").flow_stream(extractor());
    let mut stream = stream.conversations(ConversationConfig::default());
    let sends = thread::spawn(move || {
        let mut from = sender("v0");
        frames.iter().for_each(|frame| send(&mut from, frame));
    });
    let mut tasks = JoinSet::new();
    let start = Instant::now();
    loop {
        let next = tokio::time::timeout(Duration::from_millis(20), stream.next()).await;
        match next {
            Ok(Some(talk)) => {
                let mut talk = talk.expect("nothing befalls the cable");
                tasks.spawn(async move {
                    let mut read = 0;
                    while let Some(piece) = talk.next().await {
                        if let Piece::Bytes { bytes, .. } = piece {
                            read += bytes.len() as u64;
                        }
                    }
                    read
                });
            }
            Ok(None) => break,
            Err(_) if sends.is_finished() => stream.stop(),
            Err(_) => assert!(start.elapsed() < Duration::from_secs(20), "it ends"),
        }
    }
    sends.join().expect("all was sent");
    let mut read = 0;
    while let Some(task) = tasks.join_next().await {
        read += task.expect("no reader panics");
    }
    (read, stream.stats().expect("the socket is open"))
}

pub(crate) fn readers_lose_nothing_that_was_captured() {
    let name = concat!(module_path!(), "::readers_lose_nothing_that_was_captured");
    in_namespace(name, || {
        // As large as frames are before the card splits them.
        ip("link set v0 mtu 65535");
        ip("link set v1 mtu 65535");
        let one = || Builder::new_current_thread().enable_all().build();
        let several = || Builder::new_multi_thread().worker_threads(2).enable_all().build();
        for len in [1460, 65_000] {
            for runtime in [one(), several()] {
                let runtime: Runtime = runtime.expect("a runtime can be had");
                let (read, stats) = runtime.block_on(read_all(rounds(len, 4)));
                assert_eq!(stats.bytes.lost(Loss::SubscriberLag), 0, "{len}: {stats:?}");
                assert_eq!((stats.bytes.delivered(), stats.pending), (read, 0), "{stats:?}");
                assert_eq!(stats.arrived, Some(stats.packets.seen()), "{stats:?}");
                assert!(read > 1 << 20, "{read}");
            }
        }
    });
}
