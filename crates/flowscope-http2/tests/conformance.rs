//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    // 128 KiB of open streams, and two dynamic tables of 64 KiB as RFC 7541 counts them.
    flowscope_conformance::Suite::<flowscope_http2::Http2>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(448 * 1024)
        .run()
}
