//! Whole programs on top of `netring`, in `src/bin`, each answering one question:
//!
//! | program | question |
//! |---|---|
//! | `sni_log` | who asks for which TLS server, right now? |
//! | `five_subscribers` | how do several tasks read the same flows? |
//! | `conversations_to_disk` | what was said in each TCP flow? |
//! | `sharded` | how do several cores share an interface? |
//! | `flows_to_channel` | how do threads that know nothing of tokio get flows? |
//! | `custom_source` | how are packets read that come neither from an interface nor from a file? |
//!
//! `cargo build -p example-live` puts them into `target/debug`. Those that read an interface may only
//! do so with a capability; without it they tell the line that grants it. Most also take a capture
//! file, for which nobody needs any.
//!
//! Here is what they have in common: their end.

#![allow(clippy::print_stderr, reason = "programs tell there what is no part of their output")]

use std::error::Error;
use std::process::ExitCode;

use netring::Stats;
use netring::ring::CaptureError;

/// What `main` returns. Of a failure it tells the reason, which for a missing permission has the line
/// that grants it; a shell sees 4 then, and 1 for any other.
pub fn exit(result: Result<(), Box<dyn Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("{error}");
    match error.downcast_ref() {
        Some(netring::Error::Capture(CaptureError::NoPermission { .. })) => ExitCode::from(4),
        _ => ExitCode::FAILURE,
    }
}

/// Tells where every packet went.
pub fn tell(stats: &Stats) {
    eprintln!("{}", ledger(stats));
}

/// In one line, where every packet went.
pub fn ledger(stats: &Stats) -> String {
    let packets = &stats.packets;
    let mut line = format!("{} packets: {} tracked", packets.seen(), packets.delivered());
    for (cause, lost) in packets.losses() {
        line += &format!(", {lost} {cause}");
    }
    line
}
