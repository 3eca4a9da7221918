//! What every protocol has to satisfy, of LLMNR.

use flowscope_conformance::Suite;
use flowscope_dns::Llmnr;

fn main() -> std::process::ExitCode {
    // Over TCP a message of each side, 64 KiB each at most, and queries without a response.
    Suite::<Llmnr>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(256 * 1024)
        .same_wire_format(&["dns", "mdns"])
        .run()
}
