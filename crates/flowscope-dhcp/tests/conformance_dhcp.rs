//! What every protocol has to satisfy, of DHCP for IPv4.

use flowscope_conformance::Suite;
use flowscope_dhcp::Dhcp;

fn main() -> std::process::ExitCode {
    Suite::<Dhcp>::new(env!("CARGO_MANIFEST_DIR")).run()
}
