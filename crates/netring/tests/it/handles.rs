//! Streams that another task stops, and what all streams have in common.

use std::time::Duration;

use flowscope_extract::FiveTuple;
use flowscope_track::{EndReason, FlowEvent};
use futures_core::stream::FusedStream;
use netring::{AsyncCapture, Error};
use tokio::time::timeout;

use crate::source::{Script, Step, datagram};

const SOON: Duration = Duration::from_secs(5);

fn script() -> Script {
    Script::new([Step::Packets(vec![datagram(1, 0), datagram(2, 0)]), Step::Silence(10 * SOON)])
}

#[tokio::test]
async fn another_task_stops_a_stream_and_gets_its_counters() {
    let mut stream = AsyncCapture::new(script()).flow_stream(FiveTuple::bidirectional());
    let (handle, other) = (stream.handle(), stream.handle());
    let reader = tokio::spawn(async move {
        let mut ends = Vec::new();
        while let Some(event) = stream.next().await {
            if let FlowEvent::Ended { reason, .. } = event.unwrap() {
                ends.push(reason);
            }
        }
        (ends, stream.stats().unwrap())
    });
    let early = timeout(Duration::from_millis(20), handle.ended()).await;
    assert!(early.is_err() && !handle.is_over(), "nobody has stopped it");
    let stats = timeout(SOON, handle.shutdown()).await.expect("it ends").unwrap();
    let (ends, at_the_end) = reader.await.unwrap();
    assert_eq!(ends, [EndReason::Shutdown; 2]);
    assert_eq!((&stats, stats.packets.delivered()), (&at_the_end, 2));
    assert!(handle.is_over());
    // Any handle, any number of times.
    assert_eq!(other.shutdown().await.unwrap(), stats);
    assert_eq!(handle.shutdown().await.unwrap(), stats);
}

#[tokio::test]
async fn a_shutdown_that_was_given_up_has_stopped_the_stream() {
    let mut packets = AsyncCapture::new(script()).packet_stream();
    let handle = packets.handle();
    // Nobody reads: it waits.
    assert!(timeout(Duration::from_millis(20), handle.shutdown()).await.is_err());
    let mut read = 0;
    while let Some(packet) = timeout(SOON, packets.next()).await.expect("it was stopped") {
        packet.unwrap();
        read += 1;
    }
    assert!(packets.is_terminated());
    assert_eq!((read, handle.ended().await.unwrap().packets.delivered()), (2, 2));
}

#[tokio::test]
async fn a_dropped_stream_is_an_error_of_its_handles() {
    let mut stream = AsyncCapture::new(script()).flow_stream(FiveTuple::bidirectional());
    let handle = stream.handle();
    stream.next().await.unwrap().unwrap();
    // A handle stays with the capture when the stream becomes another one.
    let stream = stream.without_packets();
    assert!(!handle.is_over());
    let waiting = tokio::spawn({
        let handle = handle.clone();
        async move { handle.ended().await }
    });
    tokio::task::yield_now().await;
    drop(stream);
    let ended = timeout(SOON, waiting).await.expect("it ends").unwrap();
    assert!(matches!(ended, Err(Error::Dropped)), "{ended:?}");
    assert!(matches!(handle.shutdown().await, Err(Error::Dropped)));
}

#[tokio::test]
async fn shutdown_of_the_owner_is_reported_too() {
    let mut stream = AsyncCapture::new(script()).flow_stream(FiveTuple::bidirectional());
    let handle = stream.handle();
    let stats = stream.shutdown().await.unwrap();
    assert_eq!(handle.ended().await.unwrap(), stats);
}

/// Every stream is fused, and can be sent to the task that reads it, as can its handle.
#[test]
fn streams_are_fused_and_can_be_sent() {
    fn stream<T: FusedStream + Send + Unpin>() {}
    fn shared<T: Clone + Send + Sync>() {}
    type Key = flowscope_extract::FiveTupleKey;
    type Event = FlowEvent<Key>;
    stream::<netring::FlowStream<Script, FiveTuple>>();
    stream::<netring::Conversations<Script, FiveTuple>>();
    stream::<netring::PacketStream<Script>>();
    stream::<netring::Subscriber<Event>>();
    stream::<netring::Conversation<Key>>();
    stream::<netring::BothSides<Key>>();
    stream::<netring::OneSide<Key>>();
    #[cfg(target_os = "linux")]
    stream::<netring::ShardedStream<Event>>();
    shared::<netring::StreamHandle>();
    shared::<netring::Broadcast<Event>>();
}
