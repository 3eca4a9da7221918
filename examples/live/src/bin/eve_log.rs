//! `eve_log INTERFACE|FILE`: HTTP transactions and flows as Suricata's EVE JSON, a line as soon as each is
//! over.
//!
//! Ctrl-C ends it, and what is open then is written too.
#![allow(clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::process::ExitCode;

use flowscope::extract::{AutoDetectEncap, FiveTuple};
use flowscope::http::HttpExchanges;
use flowscope::output::EveWriter;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    example_live::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let input = std::env::args().nth(1).ok_or("usage: eve_log INTERFACE|FILE")?;
    let mut sessions = example_live::open(&input)?
        .stop_when(tokio::signal::ctrl_c())
        .flow_stream(AutoDetectEncap(FiveTuple::bidirectional()))
        .session_stream(HttpExchanges::default());
    let mut eve = EveWriter::new(std::io::stdout());
    while let Some(event) = sessions.next().await {
        eve.event(&event?)?;
    }
    eprintln!("{}", sessions.stats()?);
    Ok(())
}
