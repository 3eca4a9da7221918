//! What every protocol has to satisfy, of DNS.

use flowscope_conformance::Suite;
use flowscope_dns::Dns;

fn main() -> std::process::ExitCode {
    // A message of each side, 64 KiB each at most, and queries without a response, with the times at which they
    // were repeated.
    Suite::<Dns>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(320 * 1024)
        .same_wire_format(&["mdns", "llmnr"])
        .run()
}
