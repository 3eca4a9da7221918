//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    flowscope_conformance::Suite::<flowscope_dnp3::Dnp3>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(16 * 1024)
        .run()
}
