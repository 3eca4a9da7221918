//! `sni_log INTERFACE|FILE`: who asks for which TLS server, a line as soon as a handshake is over.
//!
//! Time, client, server, SNI, the protocols offered by ALPN, and JA4. Ctrl-C ends it, and handshakes
//! that are under way then are told too.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use flowscope::driver::SessionEvent;
use flowscope::extract::{AutoDetectEncap, FiveTuple, FiveTupleKey};
use flowscope::tls::{TlsHandshake, TlsHandshakes};
use netring::{AsyncCapture, AsyncPacketSource, Next as _};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    example_live::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let input = std::env::args().nth(1).ok_or("usage: sni_log INTERFACE|FILE")?;
    if Path::new(&input).is_file() {
        log(AsyncCapture::open_file(input)).await
    } else {
        log(AsyncCapture::builder().promiscuous(true).open(&input)?).await
    }
}

async fn log<S: AsyncPacketSource>(capture: AsyncCapture<S>) -> Result<(), Box<dyn Error>> {
    let mut sessions = capture
        .stop_when(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
        .flow_stream(AutoDetectEncap(FiveTuple::bidirectional()))
        .session_stream(TlsHandshakes::default());
    while let Some(event) = sessions.next().await {
        match event {
            Ok(SessionEvent::Application { flow, message, .. }) => print(&flow.key, &message),
            Ok(_) => {}
            // An interface that is down goes on once it is up again.
            Err(error) => eprintln!("{error}"),
        }
    }
    example_live::tell(&sessions.stats()?);
    Ok(())
}

fn print(key: &FiveTupleKey, handshake: &TlsHandshake) {
    // Which of the two began the flow is only told at its end; a server's port is the lower one.
    let (a, b) = (key.a(), key.b());
    let (client, server) = if a.port > b.port { (a, b) } else { (b, a) };
    let Some(hello) = &handshake.client_hello else { return };
    let name = hello.server_name().map_or("-".into(), |name| name.escape_ascii().to_string());
    let offered: Vec<_> = hello.alpn().map(|name| name.escape_ascii().to_string()).collect();
    let ja4 = hello.ja4().map_or("-".into(), |ja4| ja4.to_string());
    let alpn = if offered.is_empty() { "-".into() } else { offered.join(",") };
    println!("{} {client} {server} {name} {alpn} {ja4}", handshake.started);
}
