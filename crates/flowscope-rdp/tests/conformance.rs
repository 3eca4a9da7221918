//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    flowscope_conformance::Suite::<flowscope_rdp::Rdp>::new(env!("CARGO_MANIFEST_DIR")).run()
}
