//! `custom_source [ADDRESS:PORT]`: flows of a source of one's own, here a VXLAN mirror: a switch that
//! sends a copy of every frame in a datagram (RFC 7348 §5).
//!
//! Needs no privilege: it reads from an ordinary socket, by default on 0.0.0.0:4789. Ctrl-C ends it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program")]

use std::error::Error;
use std::fs;
use std::os::fd::AsRawFd as _;
use std::process::ExitCode;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use flowscope::core::{Ledger, LinkType, Loss, PacketView};
use flowscope::extract::{AutoDetectEncap, FiveTuple};
use flowscope::track::FlowEvent;
use netring::{AsyncCapture, AsyncPacketSource, SourceStats};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

/// Frames that come as the payload of VXLAN datagrams.
///
/// Holds one datagram. Others wait in the socket's buffer (`sysctl net.core.rmem_default`); those for
/// which that has no room are counted.
struct VxlanMirror {
    socket: UdpSocket,
    datagram: Box<[u8]>,
    received: u64,
    malformed: u64,
    stopped: bool,
}

impl VxlanMirror {
    async fn bind(address: &str) -> std::io::Result<Self> {
        Ok(VxlanMirror {
            socket: UdpSocket::bind(address).await?,
            datagram: vec![0; 1 << 16].into(),
            received: 0,
            malformed: 0,
            stopped: false,
        })
    }
}

impl AsyncPacketSource for VxlanMirror {
    fn poll_batch(
        &mut self,
        cx: &mut Context<'_>,
        lend: &mut dyn FnMut(&[PacketView<'_>]),
    ) -> Poll<Result<usize, netring::Error>> {
        loop {
            let received = if self.stopped {
                // Only what is there already.
                match self.socket.try_recv(&mut self.datagram) {
                    Ok(len) => len,
                    Err(_) => return Poll::Ready(Ok(0)),
                }
            } else {
                let mut datagram = ReadBuf::new(&mut self.datagram);
                ready!(self.socket.poll_recv(cx, &mut datagram)).map_err(netring::Error::source)?;
                datagram.filled().len()
            };
            self.received += 1;
            // A header has the bit that says that it has a network number.
            let [0x08, _, _, _, _, _, _, _, frame @ ..] = &self.datagram[..received] else {
                self.malformed += 1;
                continue;
            };
            lend(&[PacketView::new(frame, LinkType::ETHERNET, SystemTime::now().into())]);
            return Poll::Ready(Ok(1));
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
    }

    fn stats(&mut self) -> Result<SourceStats, netring::Error> {
        let dropped = dropped(&self.socket).unwrap_or_default();
        let mut lost = Ledger::default();
        lost.lose(Loss::HeaderMalformed, self.malformed);
        lost.lose(Loss::KernelDrop, dropped);
        Ok(SourceStats::new(Some(self.received + dropped), lost))
    }

    fn latency(&self) -> Option<Duration> {
        // Live: time passes in silence too. Frames get their time when they are lent.
        Some(Duration::ZERO)
    }
}

/// Datagrams for which a socket had no room, as the last column of `/proc/net/udp` has it.
fn dropped(socket: &UdpSocket) -> Option<u64> {
    let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok()?;
    let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
    let sockets = ["/proc/net/udp", "/proc/net/udp6"].map(fs::read_to_string);
    let mut lines = sockets.iter().flatten().flat_map(|sockets| sockets.lines());
    let line = lines.find(|line| line.split_whitespace().nth(9) == Some(inode))?;
    line.split_whitespace().last()?.parse().ok()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    example_live::exit(run().await)
}

async fn run() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "0.0.0.0:4789".into());
    let mirror = VxlanMirror::bind(&address).await?;
    eprintln!("listening on {}", mirror.socket.local_addr()?);
    let mut flows = AsyncCapture::new(mirror)
        .stop_when(tokio::signal::ctrl_c())
        .flow_stream(AutoDetectEncap(FiveTuple::bidirectional()));
    while let Some(event) = flows.next().await {
        match event {
            Ok(FlowEvent::Ended { flow, reason, history, .. }) => {
                println!("{} {reason:?} {history}", flow.key);
            }
            Ok(_) => {}
            Err(error) => eprintln!("{error}"),
        }
    }
    eprintln!("{}", flows.stats()?);
    Ok(())
}
