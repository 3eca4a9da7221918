//! What every protocol has to satisfy, of multicast DNS.

use flowscope_conformance::Suite;
use flowscope_dns::Mdns;

fn main() -> std::process::ExitCode {
    Suite::<Mdns>::new(env!("CARGO_MANIFEST_DIR")).same_wire_format(&["dns", "llmnr"]).run()
}
