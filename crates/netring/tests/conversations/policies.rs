//! Readers that are too slow, and what becomes of their flow and of the others.

use std::task::Poll;
use std::time::Duration;

use flowscope_core::{FlowSide, Loss};
use flowscope_track::EndReason;
use netring::{ConversationConfig, Ended, PacketDriver, Piece, Stalled};

use crate::world::{Fed, Frames, Reader, bytes, drain, flow, opened, poll, upload};

fn config(policy: Stalled) -> ConversationConfig {
    ConversationConfig::default().credit(10_000).stalled(policy)
}

/// A source that has been fed the batches of several flows in turn.
fn fed(flows: &[Vec<Frames>]) -> Fed {
    let source = Fed::default();
    for turn in 0..flows.iter().map(Vec::len).max().unwrap_or(0) {
        flows.iter().filter_map(|flow| flow.get(turn)).for_each(|batch| source.feed(batch.clone()));
    }
    source
}

#[test]
fn waiting_holds_the_capture_until_something_is_taken() {
    let source = fed(&[upload(1, 50_000)]);
    source.end();
    let mut stream = source.conversations(config(Stalled::Wait));
    let mut reader = opened(&mut stream).pop().unwrap();
    let polled = source.polled();
    // The credit is exceeded by no more than one batch.
    let queued = reader.talk.queued();
    assert!((9_000..=10_000).contains(&queued), "{queued}");
    for _ in 0..5 {
        assert!(poll(&mut stream).is_pending());
    }
    assert_eq!(source.polled(), polled, "the source is left alone");
    assert_eq!(stream.stats().unwrap().pending, queued);

    let mut rounds = 0;
    let ended = loop {
        rounds += 1;
        reader.drain();
        let (more, over) = drain(&mut stream);
        assert!(more.is_empty());
        assert!(reader.talk.queued() <= 11_000);
        if over {
            break rounds;
        }
    };
    assert!(ended >= 5, "held several times, {ended}");
    reader.drain();
    assert_eq!((reader.read, reader.lag, reader.not_captured), (50_000, 0, 0));
    assert!(matches!(
        reader.ended,
        Some(Ended::Flow { reason: EndReason::EndOfInput, ref stats }) if stats.initiator.counters.payload_bytes == 50_000
    ));
    let stats = stream.stats().unwrap();
    assert_eq!((stats.bytes.delivered(), stats.bytes.seen(), stats.pending), (50_000, 50_000, 0));
}

#[tokio::test]
async fn the_capture_is_woken_when_a_reader_in_another_task_takes() {
    let source = fed(&[upload(1, 100_000), upload(2, 100_000)]);
    source.end();
    let mut stream = source.conversations(config(Stalled::Wait));
    let mut tasks = Vec::new();
    while let Some(talk) = stream.next().await {
        tasks.push(tokio::spawn(async move {
            let mut reader = Reader::new(talk.unwrap());
            std::future::poll_fn(|cx| {
                while reader.step(cx) {}
                if reader.ended.is_some() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            reader.read
        }));
    }
    for task in tasks {
        assert_eq!(task.await.unwrap(), 100_000);
    }
}

#[tokio::test(start_paused = true)]
async fn by_default_files_wait_and_live_flows_have_gaps() {
    for (source, waits) in [(Fed::default(), true), (Fed::live(), false)] {
        upload(1, 50_000).into_iter().for_each(|batch| source.feed(batch));
        let mut stream = source.conversations(ConversationConfig::default().credit(10_000));
        let mut reader = opened(&mut stream).pop().unwrap();
        loop {
            reader.drain();
            // It does not read for half a second.
            let more = tokio::time::timeout(Duration::from_millis(500), stream.next()).await;
            assert!(more.is_err());
            if reader.talk.queued() == 0 {
                break;
            }
        }
        reader.drain();
        assert_eq!(reader.read + reader.lag, 50_000);
        assert_eq!(reader.lag == 0, waits);
    }
}

#[test]
fn the_total_holds_the_capture_too() {
    let source = fed(&(0..20).map(|n| upload(n, 9_000)).collect::<Vec<_>>());
    let mut stream = source.conversations(config(Stalled::Wait).total(50_000));
    let mut readers = opened(&mut stream);
    assert_eq!(readers.len(), 20);
    let queued: u64 = readers.iter().map(|reader| reader.talk.queued()).sum();
    assert!((40_000..=50_000).contains(&queued), "{queued}");
    // Whoever is dropped makes room as well.
    readers.truncate(10);
    let polled = source.polled();
    assert!(drain(&mut stream).0.is_empty());
    assert!(source.polled() > polled);
}

#[test]
fn what_does_not_fit_is_one_gap_and_others_are_not_held() {
    let source = fed(&[upload(1, 50_000), upload(2, 50_000)]);
    let mut stream = source.conversations(config(Stalled::Gap));
    let (mut slow, mut quick) = (None, None);
    while let Poll::Ready(item) = poll(&mut stream) {
        let reader = Reader::new(item.unwrap().unwrap());
        match slow {
            None => slow = Some(reader),
            Some(_) => quick = Some(reader),
        }
        // One batch at a time from here on: the quick one reads after each.
        if quick.is_some() {
            break;
        }
    }
    let (mut slow, mut quick) = (slow.unwrap(), quick.unwrap());
    assert!(!drain(&mut stream).1);
    assert_eq!(source.polled(), 107, "two handshakes, 50 segments each, and once in vain");
    quick.drain();
    slow.drain();
    // Both were stalled while all came at once; what both lost is told to the byte.
    for reader in [&slow, &quick] {
        assert_eq!(reader.read + reader.lag, 50_000);
        assert_eq!(reader.talk.lagged(), reader.lag);
        assert!((9_000..10_000).contains(&reader.read), "{}", reader.read);
    }
    let lost = slow.lag + quick.lag;
    let stats = stream.stats().unwrap();
    assert_eq!(stats.bytes.lost(Loss::SubscriberLag), lost);
    assert_eq!(stats.bytes.delivered(), 100_000 - lost);

    // From now on only one of them is read, and it misses nothing.
    let (at, lag) = (quick.read + quick.lag, quick.lag);
    let mut talks = [1, 2].map(|n| {
        let seq = 1001 + 50_000;
        flow(n).next_seq(FlowSide::Initiator, seq).next_seq(FlowSide::Responder, 5001)
    });
    for turn in 0..100 {
        for (n, talk) in talks.iter_mut().enumerate() {
            let piece = bytes(n + 1, FlowSide::Initiator, at + turn * 1000, 1000);
            *talk = talk.clone().data(FlowSide::Initiator, piece);
            source.feed(vec![talk.clone().build().pop().unwrap()]);
        }
        assert!(poll(&mut stream).is_pending());
        quick.drain();
    }
    assert_eq!((quick.read, quick.lag), (150_000 - lag, lag));
    slow.drain();
    assert_eq!(slow.read + slow.lag, 150_000);
    assert!(slow.lag > 100_000);
}

#[test]
fn a_lagging_flow_goes_on_only_when_half_of_its_credit_is_free() {
    let source = fed(&[upload(1, 20_000)]);
    let mut stream = source.conversations(config(Stalled::Gap));
    let mut reader = opened(&mut stream).pop().unwrap();
    let queued = reader.talk.queued();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    // One piece is taken: not yet.
    assert!(reader.step(&mut cx));
    let mut talk =
        flow(1).next_seq(FlowSide::Initiator, 21_001).next_seq(FlowSide::Responder, 5001);
    talk = talk.data(FlowSide::Initiator, bytes(1, FlowSide::Initiator, 20_000, 1000));
    source.feed(talk.clone().build());
    assert!(poll(&mut stream).is_pending());
    assert_eq!(reader.talk.queued(), queued - 1000);
    for _ in 0..5 {
        assert!(reader.step(&mut cx));
    }
    talk = talk.data(FlowSide::Initiator, bytes(1, FlowSide::Initiator, 21_000, 1000));
    source.feed(vec![talk.build().pop().unwrap()]);
    assert!(poll(&mut stream).is_pending());
    assert_eq!(reader.talk.queued(), queued - 5000);
    reader.drain();
    assert_eq!((reader.read, reader.lag), (queued + 1000, 21_000 - queued));
}

#[test]
fn flows_that_nobody_reads_leave_room_for_one_that_is_read() {
    let source = fed(&(0..100).map(|n| upload(n, 30_000)).collect::<Vec<_>>());
    let config = ConversationConfig::default().total(500_000).stalled(Stalled::Gap);
    let mut stream = source.conversations(config);
    let stalled = opened(&mut stream);
    assert_eq!(stalled.len(), 100);
    let held: u64 = stalled.iter().map(|reader| reader.talk.queued()).sum();
    assert!(held < 500_000, "{held}");
    let mut read = None;
    for batch in upload(200, 100_000) {
        source.feed(batch);
        for reader in opened(&mut stream) {
            read = Some(reader);
        }
        if let Some(reader) = &mut read {
            reader.drain();
        }
    }
    let reader = read.unwrap();
    assert_eq!((reader.read, reader.lag), (100_000, 0));
}

#[test]
fn one_byte_segments_count_with_what_holding_them_takes() {
    let source = Fed::default();
    let mut talk = flow(1).handshake();
    for at in 0..5000 {
        talk = talk.data(FlowSide::Initiator, bytes(1, FlowSide::Initiator, at, 1));
    }
    source.feed(talk.build());
    let mut stream = source.conversations(config(Stalled::Gap));
    let mut reader = opened(&mut stream).pop().unwrap();
    assert!(reader.talk.queued() < 200, "{}", reader.talk.queued());
    reader.drain();
    assert_eq!(reader.read + reader.lag, 5000);
}

#[test]
fn a_flow_that_is_closed_for_lag_is_tracked_on() {
    let source = fed(&[upload(1, 30_000), upload(2, 5_000)]);
    let mut stream = source.conversations(config(Stalled::Close));
    let mut readers = opened(&mut stream);
    let mut other = readers.pop().unwrap();
    let mut closed = readers.pop().unwrap();
    let queued = closed.talk.queued();
    closed.drain();
    assert_eq!((closed.read, closed.lag), (queued, 0));
    assert_eq!(closed.ended, Some(Ended::Lagged));
    assert_eq!(closed.talk.lagged(), 30_000 - queued);
    // It makes no difference that it is dropped then.
    drop(closed);
    let more = bytes(1, FlowSide::Initiator, 30_000, 1000);
    let talk = flow(1).next_seq(FlowSide::Initiator, 31_001).next_seq(FlowSide::Responder, 5001);
    source.feed(talk.data(FlowSide::Initiator, more).build());
    source.end();
    assert!(drain(&mut stream).1);
    other.drain();
    assert_eq!((other.read, other.lag), (5_000, 0));
    assert!(matches!(other.ended, Some(Ended::Flow { .. })));
    let stats = stream.stats().unwrap();
    assert_eq!(stats.bytes.lost(Loss::SubscriberLag), 31_000 - queued);
    assert_eq!(stats.bytes.delivered(), 5_000 + queued);
    assert_eq!(stats.bytes.seen(), 36_000);
}

#[test]
fn a_conversation_that_is_dropped_is_not_read_any_further() {
    let source = fed(&[upload(1, 5_000), upload(2, 5_000)]);
    let mut stream = source.conversations(config(Stalled::Gap));
    let mut readers = opened(&mut stream);
    let mut kept = readers.pop().unwrap();
    let before = stream.driver().heap_bytes();
    drop(readers);
    assert!(stream.driver().heap_bytes() < before - 5_000, "the queue is freed at once");
    for n in [1, 2] {
        let mut talk =
            flow(n).next_seq(FlowSide::Initiator, 6_001).next_seq(FlowSide::Responder, 5001);
        for at in 0..3 {
            let piece = bytes(n, FlowSide::Initiator, 5_000 + at * 1000, 1000);
            talk = talk.data(FlowSide::Initiator, piece);
        }
        source.feed(talk.build());
    }
    source.end();
    assert!(drain(&mut stream).1);
    kept.drain();
    assert_eq!((kept.read, kept.lag), (8_000, 0));
    let stats = stream.stats().unwrap();
    assert_eq!(stats.bytes.lost(Loss::Unclaimed), 8_000);
    assert_eq!((stats.bytes.delivered(), stats.bytes.seen()), (8_000, 16_000));
}

#[test]
fn the_stream_dropped_ends_every_conversation() {
    let source = fed(&[upload(1, 5_000), upload(2, 5_000)]);
    let mut stream = source.conversations(config(Stalled::Wait));
    let readers = opened(&mut stream);
    drop(stream);
    for mut reader in readers {
        reader.drain();
        assert_eq!((reader.read, &reader.ended), (5_000, &Some(Ended::Abandoned)));
    }
}

#[tokio::test]
async fn a_stop_is_heeded_while_a_reader_stalls() {
    let source = fed(&[upload(1, 50_000)]);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let mut stream = source.conversations(config(Stalled::Wait)).stop_when(async {
        let _ = stopped.await;
    });
    let mut reader = opened(&mut stream).pop().unwrap();
    assert!(poll(&mut stream).is_pending());
    assert!(!source.stopped());
    stop.send(()).unwrap();
    // What was received until then is held whatever the credit, so that the end does not wait.
    assert!(stream.next().await.is_none());
    assert!(source.stopped());
    reader.drain();
    assert_eq!(reader.read, 50_000);
    assert!(matches!(reader.ended, Some(Ended::Flow { reason: EndReason::Shutdown, .. })));
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_readers() {
    let source = fed(&[upload(1, 50_000)]);
    let mut stream = source.conversations(config(Stalled::Wait));
    let stats = stream.shutdown().await.unwrap();
    assert_eq!((stats.bytes.delivered(), stats.pending), (0, 50_000));
    let mut reader = opened(&mut stream).pop().unwrap();
    reader.drain();
    assert_eq!(reader.read, 50_000);
    assert!(matches!(reader.ended, Some(Ended::Flow { reason: EndReason::Shutdown, .. })));
    assert_eq!(stream.stats().unwrap().bytes.delivered(), 50_000);
}

#[test]
fn a_conversation_tells_of_fins_in_their_place() {
    let source = Fed::default();
    let talk = flow(1)
        .handshake()
        .data(FlowSide::Initiator, bytes(1, FlowSide::Initiator, 0, 10))
        .fin(FlowSide::Initiator)
        .data(FlowSide::Responder, bytes(1, FlowSide::Responder, 0, 20))
        .ack_from(FlowSide::Initiator)
        .fin(FlowSide::Responder)
        .ack_from(FlowSide::Initiator);
    source.feed(talk.build());
    let mut stream = source.conversations(config(Stalled::Gap));
    let Poll::Ready(Some(Ok(mut talk))) = poll(&mut stream) else { panic!("a conversation") };
    let mut kinds = Vec::new();
    for piece in drain(&mut talk).0 {
        kinds.push(match piece {
            Piece::Bytes { side, bytes, .. } => format!("{side:?} {}", bytes.len()),
            Piece::Fin { side } => format!("{side:?} fin"),
            Piece::Ended(Ended::Flow { reason, .. }) => format!("{reason:?}"),
            other => format!("{other:?}"),
        });
    }
    assert_eq!(kinds, ["Initiator 10", "Initiator fin", "Responder 20", "Responder fin", "Fin"]);
}

#[test]
fn flows_that_say_nothing_are_no_conversations_and_a_missing_start_is_told() {
    let source = Fed::default();
    source.feed(flow(1).handshake().close(FlowSide::Initiator).build());
    // Acknowledged, and never captured; then more.
    let late = flow(2)
        .handshake()
        .next_seq(FlowSide::Initiator, 1101)
        .data(FlowSide::Initiator, bytes(2, FlowSide::Initiator, 100, 50))
        .ack_from(FlowSide::Responder);
    source.feed(late.build());
    source.end();
    let mut stream = source.conversations(config(Stalled::Gap));
    let mut readers = opened(&mut stream);
    assert_eq!(readers.len(), 1);
    readers[0].drain();
    assert_eq!((readers[0].read, readers[0].not_captured), (50, 100));
}

#[tokio::test]
async fn plain_bytes_leave_out_what_is_missing_and_count_it() {
    let source = Fed::default();
    let talk = flow(2)
        .handshake()
        .next_seq(FlowSide::Initiator, 1101)
        .data(FlowSide::Initiator, b"question")
        .ack_from(FlowSide::Responder)
        .data(FlowSide::Responder, b"answer");
    source.feed(talk.clone().build());
    source.feed(flow(3).handshake().data(FlowSide::Responder, b"hello").build());
    source.end();
    let mut stream = source.conversations(config(Stalled::Gap));
    let mut talks = drain(&mut stream).0.into_iter().map(Result::unwrap);
    let mut both = talks.next().unwrap().both_sides();
    let mut said = Vec::new();
    while let Some((side, bytes)) = both.next().await {
        said.push((side, bytes));
    }
    said.sort_by_key(|(side, _)| side.index());
    assert_eq!(said[0], (FlowSide::Initiator, "question".into()));
    assert_eq!(said[1], (FlowSide::Responder, "answer".into()));
    assert_eq!(both.missing(), 100);
    assert!(matches!(both.ended(), Some(Ended::Flow { .. })));
    let mut one = talks.next().unwrap().one_side(FlowSide::Responder);
    assert_eq!(one.next().await.as_deref(), Some(&b"hello"[..]));
    assert_eq!((one.next().await, one.missing()), (None, 0));
}
