//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    // 64 requests without a final response.
    flowscope_conformance::Suite::<flowscope_sip::Sip>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(768 * 1024)
        .run()
}
