//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    flowscope_conformance::Suite::<flowscope_snmp::Snmp>::new(env!("CARGO_MANIFEST_DIR")).run()
}
