//! Whole programs on top of `netring`, in `src/bin`, each answering one question:
//!
//! | program | question |
//! |---|---|
//! | `sni_log` | who asks for which TLS server, right now? |
//! | `eve_log` | what do clients ask of web servers, as EVE JSON? |
//! | `five_subscribers` | how do several tasks read the same flows? |
//! | `conversations_to_disk` | what was said in each TCP flow? |
//! | `sharded` | how do several cores share an interface? |
//! | `flows_to_channel` | how do threads that know nothing of tokio get flows? |
//! | `bridge` | how are frames sent, and passed between two interfaces? |
//! | `custom_source` | how are packets read that come neither from an interface nor from a file? |
//!
//! `cargo build -p example-live` puts them into `target/debug`. Those that read an interface may only
//! do so with a capability; without it they tell the line that grants it. Most also take a capture
//! file, for which nobody needs any.
//!
//! Here is what they have in common: how they begin and end.

#![allow(clippy::print_stderr, reason = "programs tell there what is no part of their output")]

use std::path::Path;
use std::process::ExitCode;

use netring::{AsyncCapture, AsyncPacketSource, Error};

/// What `main` returns. Of a failure it tells the reason, which for a missing permission has the line
/// that grants it; a shell sees 4 then, and 1 for any other.
pub fn exit(result: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    eprintln!("{error}");
    match error.downcast_ref::<Error>() {
        Some(error) if error.is_permission() => ExitCode::from(4),
        _ => ExitCode::FAILURE,
    }
}

/// The packets of an interface, or of a capture file if there is one of that name.
///
/// # Errors
///
/// When the interface cannot be captured from. What is wrong with a file is told as it is read.
pub fn open(input: &str) -> Result<Capture, Error> {
    if Path::new(input).is_file() {
        Ok(AsyncCapture::open_file(input).boxed())
    } else {
        Ok(AsyncCapture::builder().promiscuous(true).open(input)?.boxed())
    }
}

/// A capture of either kind.
pub type Capture = AsyncCapture<Box<dyn AsyncPacketSource + Send>>;
