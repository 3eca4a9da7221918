//! Options of `ladder`.

use std::num::NonZeroUsize;

use clap::Args;

use super::Running;
use super::conversation::Conversation;

#[derive(Args, Debug)]
pub(crate) struct LadderArgs {
    #[command(flatten)]
    pub(crate) conversation: Conversation,
    /// Print at most this many rows: of more, the first and the last
    #[arg(short = 'n', long, value_name = "N", default_value = "200")]
    pub(crate) limit: NonZeroUsize,
    /// Draw it as SVG, for a browser or a document
    #[arg(long)]
    pub(crate) svg: bool,
    #[command(flatten)]
    pub(crate) running: Running,
}

pub(super) const LADDER_HELP: &str = "\
A row for each packet: its number, the time since the first packet and since the one before, an
arrow from its sender with the TCP flags, sequence and acknowledgement number relative to the
first of each side, the window in bytes where its scale is known, and bytes of payload. Below it,
what was noteworthy: segments sent again or out of order, zero windows, bytes that were never
captured, resets that are not in sequence, and messages of protocols that are read.

If several conversations match, the first is printed.

Exit status: as for `flowscope flows`; 1 if there is no such conversation.

Examples:
  flowscope ladder trace.pcap 4
  flowscope ladder -n 40 trace.pcap 10.0.0.1:40000-10.0.0.2:80
  flowscope ladder --svg -o handshake.svg trace.pcap 4";
