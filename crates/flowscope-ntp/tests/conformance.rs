//! What every protocol has to satisfy.

use flowscope_conformance::Suite;
use flowscope_ntp::Ntp;

fn main() -> std::process::ExitCode {
    Suite::<Ntp>::new(env!("CARGO_MANIFEST_DIR")).run()
}
