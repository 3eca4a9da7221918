use std::error::Error;

use netring_published::flow::FlowEvent;
use netring_published::flow::extract::FiveTuple;
use netring_published::{AsyncCapture, CaptureBuilder, StreamCapture};

use super::{Seen, flows, ready, room, stop};

/// The published crate's stream of flows, its ring set as ours is.
pub(crate) fn packet_ring(interface: &str) -> Result<Seen, Box<dyn Error>> {
    flows::runtime()?.block_on(async {
        let capture = CaptureBuilder::default()
            .interface(interface)
            .block_size(room::BLOCK_SIZE as usize)
            .block_count(room::BLOCKS as usize)
            .block_timeout_ms(room::RETIRE.as_millis() as u32)
            .build()?;
        let mut stream = AsyncCapture::new(capture)?.flow_stream(FiveTuple::bidirectional());
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
        seen.lost = stream.capture_stats()?.drops.into();
        Ok(seen)
    })
}
