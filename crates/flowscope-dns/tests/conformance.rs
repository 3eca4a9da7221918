//! What every protocol has to satisfy.

use flowscope_conformance::Suite;
use flowscope_dns::Dns;

fn main() -> std::process::ExitCode {
    // A message of each side, 64 KiB each at most, and queries without a response.
    Suite::<Dns>::new(env!("CARGO_MANIFEST_DIR")).max_heap_bytes(256 * 1024).run()
}
