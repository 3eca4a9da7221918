//! `bridge INTERFACE INTERFACE`: passes frames between two interfaces, in both directions, until Ctrl-C.
//!
//! What one interface receives is sent through the other. Each block of the ring is held while its frames
//! are sent: a slow interface slows the reading of the other one, whose kernel then drops and counts.
//!
//! Frames that the kernel or the card has joined do not fit: `ethtool -K eth0 gro off lro off` first. The
//! interfaces should have no address of this host.
#![allow(clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::process::ExitCode;

use netring::ring::{AfPacket, CaptureError};
use netring::{AsyncCapture, Live, Sender};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    example_live::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut names = std::env::args().skip(1);
    let (Some(a), Some(b)) = (names.next(), names.next()) else {
        return Err("usage: bridge INTERFACE INTERFACE".into());
    };
    let (from_a, from_b) = (open(&a)?, open(&b)?);
    let (to_a, to_b) = (Sender::open(&a)?, Sender::open(&b)?);
    eprintln!("bridging {a} and {b}");
    let (there, back) = tokio::try_join!(pass(from_a, to_b), pass(from_b, to_a))?;
    for (from, to, passed) in [(&a, &b, there), (&b, &a, back)] {
        eprintln!("{from} to {to}: {passed}");
    }
    Ok(())
}

/// What an interface receives, but not what is sent through it.
fn open(name: &str) -> Result<AsyncCapture<Live<AfPacket>>, netring::Error> {
    let builder = AsyncCapture::builder().promiscuous(true).ignore_outgoing(true);
    Ok(builder.open(name)?.stop_when(tokio::signal::ctrl_c()))
}

/// Passes frames on until the end, and says how many.
async fn pass(
    mut from: AsyncCapture<Live<AfPacket>>,
    mut to: Sender<AfPacket>,
) -> Result<String, netring::Error> {
    let mut left_out = 0_u64;
    loop {
        let block = match from.next_block().await {
            Ok(Some(block)) => block,
            Ok(None) => break,
            // It is reported once. Packets come again when the interface is up.
            Err(netring::Error::Capture(CaptureError::InterfaceDown { .. })) => continue,
            Err(error) => return Err(error),
        };
        let frames: Vec<&[u8]> = block.packets().map(|packet| packet.frame()).collect();
        let mut rest = &frames[..];
        loop {
            let before = to.sent();
            let sent = to.send_all(rest).await;
            rest = &rest[(to.sent() - before) as usize..];
            match sent {
                Ok(()) => break,
                Err(netring::Error::Capture(
                    CaptureError::FrameTooLong { .. } | CaptureError::InterfaceDown { .. },
                )) => {
                    left_out += 1;
                    rest = &rest[1..];
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(format!("{} frames passed, {left_out} left out; {}", to.sent(), from.stats()?))
}
