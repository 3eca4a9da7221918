//! What every protocol has to satisfy.

use flowscope_conformance::Suite;
use flowscope_http::Http;

fn main() -> std::process::ExitCode {
    // A head of each side, 64 KiB each at most, and open exchanges.
    Suite::<Http>::new(env!("CARGO_MANIFEST_DIR")).max_heap_bytes(192 * 1024).run()
}
