//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    flowscope_conformance::Suite::<flowscope_modbus::Modbus>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(8 * 1024)
        .run()
}
