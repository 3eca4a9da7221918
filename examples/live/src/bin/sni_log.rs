//! `sni_log INTERFACE|FILE`: who asks for which TLS server, a line as soon as a handshake is over.
//!
//! Time, client, server, SNI, the protocols offered by ALPN, and JA4. Ctrl-C ends it, and handshakes
//! that are under way then are told too.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::process::ExitCode;

use flowscope::driver::SessionEvent;
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::tls::{TlsHandshake, TlsHandshakes};
use flowscope::track::FlowRef;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    example_live::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let input = std::env::args().nth(1).ok_or("usage: sni_log INTERFACE|FILE")?;
    let mut sessions = example_live::open(&input)?
        .stop_when(tokio::signal::ctrl_c())
        .flow_stream(AutoDetectEncap(FiveTuple::bidirectional()))
        .session_stream(TlsHandshakes::default());
    while let Some(event) = sessions.next().await {
        match event {
            Ok(SessionEvent::Application { flow, message, .. }) => print(&flow, &message),
            Ok(_) => {}
            // An interface that is down goes on once it is up again.
            Err(error) => eprintln!("{error}"),
        }
    }
    eprintln!("{}", sessions.stats()?);
    Ok(())
}

fn print(flow: &FlowRef<FiveTupleKey>, handshake: &TlsHandshake) {
    let (client, server) = flow.key.endpoints(flow.orientation);
    let Some(hello) = &handshake.client_hello else { return };
    let name = hello.server_name().map_or("-".into(), |name| name.escape_ascii().to_string());
    let offered: Vec<_> = hello.alpn().map(|name| name.escape_ascii().to_string()).collect();
    let ja4 = hello.ja4().map_or("-".into(), |ja4| ja4.to_string());
    let alpn = if offered.is_empty() { "-".into() } else { offered.join(",") };
    println!("{} {client} {server} {name} {alpn} {ja4}", handshake.started);
}
