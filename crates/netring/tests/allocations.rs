//! No packet allocates on its way from the kernel's ring to a `FlowEvent`.
//!
//! The test itself runs without a test harness, whose threads would be counted.

#[cfg(target_os = "linux")]
#[path = "live/world.rs"]
mod world;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "what the test harness would say")]
fn main() -> std::process::ExitCode {
    use flowscope_testkit::{needs, runner, tests};

    if std::env::var_os(needs::INSIDE).is_some() {
        packets_do_not_allocate();
        println!("1 passed");
        return std::process::ExitCode::SUCCESS;
    }
    runner::run([runner::group(needs::namespaces, tests![packets_do_not_allocate])])
}

#[cfg(target_os = "linux")]
fn packets_do_not_allocate() {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use flowscope_testkit::namespace::in_namespace;
    use flowscope_track::FlowEvent;
    use world::{block_on, builder, datagram, extractor, send, sender};

    in_namespace(concat!(module_path!(), "::packets_do_not_allocate"), || {
        let frames: Vec<Vec<u8>> = (0..200).map(datagram).collect();
        // What the sender is to do: wait, send every frame once, and again and again, and end.
        let phase = AtomicU32::new(0);
        std::thread::scope(|scope| {
            let mut from = sender("v0");
            let (frames, phase) = (&frames, &phase);
            scope.spawn(move || {
                let until = |next| {
                    while phase.load(Ordering::Relaxed) < next {
                        std::thread::yield_now();
                    }
                };
                until(1);
                frames.iter().for_each(|frame| send(&mut from, frame));
                until(2);
                while phase.load(Ordering::Relaxed) == 2 {
                    frames.iter().for_each(|frame| send(&mut from, frame));
                }
            });
            block_on(async {
                let capture = builder().open("v1").expect("the namespace is ours");
                let mut stream = capture.flow_stream(extractor());
                phase.store(1, Ordering::Relaxed);
                let mut packets = async |count: u32| {
                    let mut seen = 0;
                    while seen < count {
                        let event = stream.next().await.expect("frames come").expect("no fault");
                        seen += u32::from(matches!(event, FlowEvent::Packet { .. }));
                    }
                };
                // The timer for silence is made in the first one.
                packets(200).await;
                let silence = tokio::time::timeout(Duration::from_millis(50), packets(1)).await;
                assert!(silence.is_err(), "all was read");
                // So is the runtime's list of tasks that gave way, once one has.
                tokio::task::yield_now().await;
                phase.store(2, Ordering::Relaxed);
                // Every flow is there, and every list has the length that it takes.
                packets(100_000).await;
                let _profiler = dhat::Profiler::builder().testing().build();
                packets(100_000).await;
                let stats = dhat::HeapStats::get();
                assert_eq!(stats.total_blocks, 0, "{stats:?}");
            });
            phase.store(3, Ordering::Relaxed);
        });
    });
}
