//! What every protocol has to satisfy.

fn main() -> std::process::ExitCode {
    flowscope_conformance::Suite::<flowscope_ftp::FtpData>::new(env!("CARGO_MANIFEST_DIR")).run()
}
