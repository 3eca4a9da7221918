//! From the kernel's ring to a `FlowEvent` no packet allocates.
//!
//! Without the test harness, whose threads would be counted.

#[cfg(target_os = "linux")]
#[path = "live/world.rs"]
mod world;

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "what the test harness would say")]
fn main() {
    use std::sync::atomic::{AtomicBool, Ordering};

    use flowscope_testkit::namespace::in_namespace;
    use flowscope_track::FlowEvent;
    use netring::Next;
    use world::{block_on, builder, datagram, extractor, send, sender};

    in_namespace("allocations::main", || {
        let frames: Vec<Vec<u8>> = (0..200).map(datagram).collect();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let mut from = sender("v0");
            let (frames, done) = (&frames, &done);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    frames.iter().for_each(|frame| send(&mut from, frame));
                }
            });
            block_on(async {
                let capture = builder().open("v1").expect("the namespace is ours");
                let mut stream = capture.flow_stream(extractor());
                let mut packets = async |count: u32| {
                    let mut seen = 0;
                    while seen < count {
                        let event = stream.next().await.expect("frames come").expect("no fault");
                        seen += u32::from(matches!(event, FlowEvent::Packet { .. }));
                    }
                };
                // Every flow is there, and every list has the length that it takes.
                packets(100_000).await;
                let _profiler = dhat::Profiler::builder().testing().build();
                packets(100_000).await;
                let stats = dhat::HeapStats::get();
                assert_eq!(stats.total_blocks, 0, "{stats:?}");
            });
            done.store(true, Ordering::Relaxed);
        });
        println!("1 passed: 0 allocations in 100000 packets");
    });
}
