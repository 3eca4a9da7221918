//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    // 128 requests without a response, and 256 open files, with names of up to 512 bytes.
    flowscope_conformance::Suite::<flowscope_smb::Smb>::new(env!("CARGO_MANIFEST_DIR"))
        .max_heap_bytes(512 * 1024)
        .run()
}
