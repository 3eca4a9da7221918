//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    // 8 KiB of a packet per side, and 32 packets without an acknowledgement.
    flowscope_conformance::Suite::<flowscope_mqtt::Mqtt>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(128 * 1024)
        .run()
}
