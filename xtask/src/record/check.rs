//! What tshark finds in a recording, and what must be there.

use std::collections::BTreeSet;
use std::path::Path;

use xshell::{Shell, cmd};

use crate::Result;

/// A display filter, and the number of packets that have to match it at least.
pub(crate) type Expected = (&'static str, usize);

/// What no recording may hold: traces of offloads, and what tshark cannot read.
const FAULTS: &str = "frame.len > 1600 || ip.checksum.status == 0 || tcp.checksum.status == 0 \
     || udp.checksum.status == 0 || _ws.malformed || tcp.analysis.lost_segment";

/// tshark checks checksums only if it is configured to.
const CHECKSUMS: [&str; 6] = [
    "-o",
    "ip.check_checksum:TRUE",
    "-o",
    "tcp.check_checksum:TRUE",
    "-o",
    "udp.check_checksum:TRUE",
];

/// Names in tshark's list of a packet's protocols that say nothing to a reader.
const NOT_SHOWN: [&str; 4] = ["eth", "ethertype", "data", "data-text-lines"];

/// What a recording holds.
pub(crate) struct Summary {
    pub(crate) packets: usize,
    pub(crate) tcp: usize,
    pub(crate) udp: usize,
    pub(crate) protocols: BTreeSet<String>,
    /// The filters of the recipe and how many packets match each.
    pub(crate) found: Vec<(&'static str, usize)>,
}

/// Reads a recording with tshark.
///
/// # Errors
///
/// When it is empty, lacks something expected, or holds a fault.
pub(crate) fn check(sh: &Shell, file: &Path, expected: &[Expected]) -> Result<Summary> {
    let fields = ["-e", "frame.protocols", "-e", "tcp.stream", "-e", "udp.stream"];
    let text =
        cmd!(sh, "tshark -n -r {file} -T fields {fields...}").quiet().ignore_stderr().read()?;
    let (mut tcp, mut udp) = (BTreeSet::new(), BTreeSet::new());
    let (mut packets, mut protocols) = (0, BTreeSet::new());
    for line in text.lines() {
        let mut columns = line.split('\t');
        let mut column = || columns.next().unwrap_or_default();
        packets += 1;
        protocols.extend(
            column().split(':').filter(|name| !NOT_SHOWN.contains(name)).map(str::to_owned),
        );
        tcp.extend(column().split(',').filter(|number| !number.is_empty()));
        udp.extend(column().split(',').filter(|number| !number.is_empty()));
    }
    if packets == 0 {
        return Err("the recording is empty".into());
    }
    let mut found = Vec::new();
    for &(filter, at_least) in expected {
        let count = matching(sh, file, filter)?.len();
        if count < at_least {
            return Err(format!("`{filter}` matches {count} packets, expected {at_least}").into());
        }
        found.push((filter, count));
    }
    if let Some(frame) = matching(sh, file, FAULTS)?.first() {
        return Err(format!("frame {frame} is not as on a cable: {FAULTS}").into());
    }
    Ok(Summary { packets, tcp: tcp.len(), udp: udp.len(), protocols, found })
}

/// Numbers of the frames that match a display filter.
fn matching(sh: &Shell, file: &Path, filter: &str) -> Result<Vec<String>> {
    let checksums = CHECKSUMS;
    let text = cmd!(sh, "tshark -n -r {file} {checksums...} -Y {filter} -T fields -e frame.number")
        .quiet()
        .ignore_stderr()
        .read()?;
    Ok(text.lines().map(str::to_owned).collect())
}
