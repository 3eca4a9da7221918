use flowscope_core::{
    Datagram, DatagramParser, FlowSide, MessageCheck, ParserStatus, Probe, Timestamp, parse_once,
};

use super::options::OVERLOAD;
use super::{DhcpDefect, DhcpMessage};

/// Reads the DHCP messages of a UDP flow: one in each datagram.
///
/// A datagram that is no message, because it is shorter than the fixed part or neither request nor reply, gives
/// nothing. After more than 32 of them, and no message before, the parser fails. It holds no memory.
#[derive(Clone, Debug, Default)]
pub struct DhcpParser {
    check: MessageCheck,
}

/// Bytes of the fixed part (RFC 2131 §2).
const FIXED: usize = 236;
/// What options begin with (RFC 2131 §3).
const COOKIE: &[u8] = &[0x63, 0x82, 0x53, 0x63];
/// `sname` and `file`, which may have options too (RFC 2131 §4.1).
const SERVER_NAME: std::ops::Range<usize> = 44..108;
const BOOT_FILE: std::ops::Range<usize> = 108..FIXED;

impl DhcpParser {
    /// A parser at the start of a flow.
    #[must_use]
    pub fn new() -> Self {
        DhcpParser::default()
    }
}

impl DatagramParser for DhcpParser {
    type Message = DhcpMessage;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<DhcpMessage> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<DhcpMessage>) -> ParserStatus {
        let message = read(&datagram);
        let status = self.check.record(message.is_some());
        out.extend(message);
        status
    }

    /// Sure is who sees the cookie; BOOTP has none, or another.
    fn probe(_: FlowSide, payload: &[u8]) -> Probe {
        if !plausible(payload) {
            return Probe::No;
        }
        if payload[FIXED..].starts_with(COOKIE) { Probe::Yes } else { Probe::Maybe }
    }
}

/// Whether there is a fixed part that a client or server may have written.
fn plausible(bytes: &[u8]) -> bool {
    bytes.len() >= FIXED && matches!(bytes, [1 | 2, _, 0..=16, ..])
}

fn read(datagram: &Datagram<'_>) -> Option<DhcpMessage> {
    let bytes = datagram.payload;
    if !plausible(bytes) {
        return None;
    }
    let captured = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let len = datagram.wire_len.max(captured);
    let mut message = DhcpMessage::of_header(datagram.side, datagram.ts, len, bytes)?;
    if let Some(options) = bytes[FIXED..].strip_prefix(COOKIE)
        && let Err(defect) = read_options(&mut message, bytes, options)
    {
        message.defect = Some(if captured < len { DhcpDefect::Cut } else { defect });
    }
    if captured < len {
        message.defect = Some(DhcpDefect::Cut);
    }
    Some(message)
}

/// Reads the options and, where an option says so, those in `file` and `sname`, in this order (RFC 2131 §4.1).
fn read_options(message: &mut DhcpMessage, bytes: &[u8], options: &[u8]) -> Result<(), DhcpDefect> {
    message.options.read(options)?;
    // Only the first field may say it: the others are not the place for it, and cannot lead on.
    let overload = message.options.exact(OVERLOAD).map_or(0, |[fields]| fields);
    if matches!(overload, 1 | 3) {
        message.options.read(&bytes[BOOT_FILE])?;
    }
    if matches!(overload, 2 | 3) {
        message.options.read(&bytes[SERVER_NAME])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
