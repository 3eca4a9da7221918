//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    // 128 requests without an answer.
    flowscope_conformance::Suite::<flowscope_radius::Radius>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(384 * 1024)
        .run()
}
