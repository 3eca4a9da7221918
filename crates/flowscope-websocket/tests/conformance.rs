//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    // The body of a Close frame per side, and the message at hand.
    flowscope_conformance::Suite::<flowscope_websocket::Websocket>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(4096)
        .run()
}
