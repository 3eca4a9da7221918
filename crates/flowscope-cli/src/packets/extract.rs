use std::path::PathBuf;

use flowscope::core::{LinkType, PacketSource, PacketView};
use flowscope::extract::{FiveTupleKey, ScopedKey};
use flowscope::pcap::{CaptureFiles, Interface};

use super::capture::Capture;
use super::reread::{FlowOf, FlowPackets, Numbered, reread};
use crate::args::{ExtractArgs, Format, Running};
use crate::choice::{can_be_reread, choose};
use crate::error::{Failure, Status};
use crate::files::refuse_overwriting;
use crate::numbers::Numbers;
use crate::output::{Condition, Flows, count};
use crate::recorder::FlowKey;
use crate::say;

/// Writes the packets of chosen flows to one capture.
pub(crate) fn extract(args: &ExtractArgs) -> Result<Status, Failure> {
    let ExtractArgs { files, running, .. } = args;
    let condition = Condition::of_flows(&args.condition)?;
    can_be_reread(files)?;
    if let Some(output) = running.output() {
        refuse_overwriting(files, output)?;
    }
    let flows =
        Flows::new(Format::Json, false, false, running.community_id_seed).meeting(Some(condition));
    // What cannot be written is known before anything is read.
    let capture = Capture::create(running.output())?;
    if running.tracking.vlan_key {
        extract_by::<ScopedKey<FiveTupleKey>>(files, running, &flows, capture)
    } else {
        extract_by::<FiveTupleKey>(files, running, &flows, capture)
    }
}

fn extract_by<K: FlowKey>(
    files: &[PathBuf],
    args: &Running,
    flows: &Flows,
    capture: Capture,
) -> Result<Status, Failure> {
    let (status, chosen) = choose(files, args, flows, false)?;
    let mut marked = Marked::default();
    if chosen.len() > 0 {
        reread::<K, _>(files, args, flows, &chosen, &mut marked)?;
    } else if status > Status::Incomplete {
        // Perhaps none of the inputs was a capture.
        return Ok(status);
    }
    let packets = copy(files, &marked.0, capture)?;
    if !args.quiet {
        let flows = count(chosen.len(), "flow");
        say(&format!("written: {} of {flows}", count(packets, "packet")));
    }
    Ok(status)
}

/// The packets that are to be written.
#[derive(Default)]
struct Marked(Numbers);

impl FlowPackets for Marked {
    const FRAMES: bool = false;

    fn packet(&mut self, _: FlowOf, packet: Numbered<'_>) -> Result<(), Failure> {
        self.0.insert(packet.number);
        Ok(())
    }

    fn over(&mut self, _: u64) -> Result<(), Failure> {
        Ok(())
    }
}

/// Writes the packets of these numbers. Returns how many there were.
fn copy(files: &[PathBuf], marked: &Numbers, mut capture: Capture) -> Result<u64, Failure> {
    let mut source = CaptureFiles::new(files);
    let (mut number, mut written) = (0, 0);
    while written < marked.len() {
        let mut taken = Ok(());
        let mut take = |views: &[PacketView<'_>]| {
            for view in views {
                number += 1;
                if taken.is_ok() && marked.contains(number) {
                    taken = capture.write(*view);
                    written += 1;
                }
            }
        };
        match source.next_batch(&mut take) {
            Ok(0) => break,
            Ok(_) => taken?,
            // It was printed when the capture was read first.
            Err(_) => {}
        }
    }
    let link = source.interfaces().next().map_or(LinkType::ETHERNET, Interface::link);
    capture.finish(link)?;
    Ok(written)
}
