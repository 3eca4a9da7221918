//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    flowscope_conformance::Suite::<example_finger::Finger>::new(env!("CARGO_MANIFEST_DIR")).run()
}
