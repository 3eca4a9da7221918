//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    // 32 requests without an answer, and 32 KiB of a message per side.
    flowscope_conformance::Suite::<flowscope_krb5::Krb5>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(192 * 1024)
        .run()
}
