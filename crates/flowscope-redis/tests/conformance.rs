//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    // 256 commands without a reply.
    flowscope_conformance::Suite::<flowscope_redis::Redis>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(192 * 1024)
        .run()
}
