//! What every protocol has to satisfy, of the NetBIOS name service.

use flowscope_conformance::Suite;
use flowscope_dns::Nbns;

fn main() -> std::process::ExitCode {
    Suite::<Nbns>::new(env!("CARGO_MANIFEST_DIR")).run()
}
