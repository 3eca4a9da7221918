//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    flowscope_conformance::Suite::<flowscope_pop3::Pop3>::new(env!("CARGO_MANIFEST_DIR")).run()
}
