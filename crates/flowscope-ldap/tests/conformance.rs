//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    // 64 operations without a result, and 4 KiB of a message per side.
    flowscope_conformance::Suite::<flowscope_ldap::Ldap>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(256 * 1024)
        .run()
}
