//! What every protocol has to satisfy, of DHCP for IPv6.

use flowscope_conformance::Suite;
use flowscope_dhcp::Dhcpv6;

fn main() -> std::process::ExitCode {
    Suite::<Dhcpv6>::new(env!("CARGO_MANIFEST_DIR")).run()
}
