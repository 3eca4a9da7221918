use std::error::Error;

use flowscope_core::FlowExtractor;
use flowscope_extract::FiveTuple;
use flowscope_track::FlowEvent;
use netring::{AsyncCapture, AsyncPacketSource, FlowStream, Live, Stats};
use netring_capture::AfPacket;

use super::{Seen, ready, ring, stop};

/// Our stream of flows over the packet ring.
pub(crate) fn packet_ring(interface: &str) -> Result<Seen, Box<dyn Error>> {
    runtime()?.block_on(async {
        let builder = AsyncCapture::<Live<AfPacket>>::builder().af_packet(ring::settings());
        read(builder.open(interface)?.flow_stream(FiveTuple::bidirectional())).await
    })
}

/// Our stream of flows over AF_XDP.
#[cfg(feature = "af-xdp")]
pub(crate) fn xdp(interface: &str, mode: netring_capture::XdpMode) -> Result<Seen, Box<dyn Error>> {
    runtime()?.block_on(async {
        let capture = netring_capture::AfXdp::open(interface, &ring::xdp_settings(mode))?;
        let capture = AsyncCapture::new(Live::new(capture)?);
        read(capture.flow_stream(FiveTuple::bidirectional())).await
    })
}

/// A thread that does everything.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

async fn read<S: AsyncPacketSource, E: FlowExtractor>(
    mut stream: FlowStream<S, E>,
) -> Result<Seen, Box<dyn Error>> {
    let stop = stop::signal();
    ready()?;
    let mut seen = Seen::default();
    let mut failed = None;
    stop::read_until(&mut stream, stop, |item| match item {
        Ok(event) => {
            seen.events += 1;
            match event {
                FlowEvent::Packet { .. } => seen.captured += 1,
                FlowEvent::Started { .. } => seen.flows += 1,
                _ => {}
            }
        }
        Err(error) => failed = Some(error),
    })
    .await;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let Stats { arrived, packets, .. } = stream.shutdown().await?;
    let tracked = packets.delivered();
    if tracked != seen.captured {
        return Err(format!("{tracked} packets tracked, {} told", seen.captured).into());
    }
    seen.lost = arrived.unwrap_or_default().saturating_sub(tracked);
    Ok(seen)
}
