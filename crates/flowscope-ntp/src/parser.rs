use flowscope_core::{
    Datagram, DatagramParser, FlowSide, MessageCheck, ParserStatus, Probe, Timestamp, parse_once,
};

use crate::{NtpMessage, NtpMode, NtpShort, NtpTimes, NtpTimestamp};

/// Reads the NTP messages of a UDP flow: one in each datagram.
///
/// A datagram that is no message, because its version is none or it is shorter than a header, gives nothing.
/// After more than 32 of them, and no message before, the parser fails. It holds no memory.
#[derive(Clone, Debug, Default)]
pub struct NtpParser {
    check: MessageCheck,
}

/// Bytes of the header (RFC 5905 §7.3).
const HEADER: usize = 48;
/// Bytes of the headers of control messages (RFC 9327 §2) and of private ones, which are longer in requests.
const CONTROL_HEADER: usize = 12;
const PRIVATE_HEADER: usize = 8;

impl NtpParser {
    /// A parser at the start of a flow.
    #[must_use]
    pub fn new() -> Self {
        NtpParser::default()
    }
}

impl DatagramParser for NtpParser {
    type Message = NtpMessage;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<NtpMessage> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<NtpMessage>) -> ParserStatus {
        let message = read(&datagram);
        let status = self.check.record(message.is_some());
        out.extend(message);
        status
    }

    /// The format has nothing that only NTP has; it is sure of a header that makes sense, on its port.
    fn probe(_: FlowSide, payload: &[u8]) -> Probe {
        let Some(message) = read(&Datagram::new(FlowSide::Initiator, Timestamp::ZERO, payload))
        else {
            return Probe::No;
        };
        let is_plain = |times: NtpTimes| times.stratum <= 16 && times.poll.unsigned_abs() <= 32;
        if message.times.is_some_and(is_plain) { Probe::Yes } else { Probe::Maybe }
    }
}

fn read(datagram: &Datagram<'_>) -> Option<NtpMessage> {
    let bytes = datagram.payload;
    let first = *bytes.first()?;
    let (leap, version, mode) = (first >> 6, first >> 3 & 7, NtpMode(first & 7));
    let least = match mode {
        NtpMode::CONTROL => CONTROL_HEADER,
        NtpMode::PRIVATE => PRIVATE_HEADER,
        _ => HEADER,
    };
    // Mode 0 is version 1's, which had none (RFC 1305 appendix B).
    let is_mode = mode.name().is_some() || version == 1;
    if !(1..=4).contains(&version) || !is_mode || bytes.len() < least {
        return None;
    }
    let captured = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let times = (least == HEADER).then(|| times(bytes)).flatten();
    let Datagram { side, ts, wire_len, .. } = *datagram;
    Some(NtpMessage { side, ts, len: wire_len.max(captured), leap, version, mode, times })
}

fn times(bytes: &[u8]) -> Option<NtpTimes> {
    let (header, behind) = bytes.split_first_chunk::<HEADER>()?;
    let short = |at| header[at..].first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
    let time = |at| header[at..].first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
    let (extensions, authenticated) = extensions(behind);
    Some(NtpTimes {
        stratum: header[1],
        poll: header[2].cast_signed(),
        precision: header[3].cast_signed(),
        root_delay: NtpShort(short(4)?),
        root_dispersion: NtpShort(short(8)?),
        reference_id: header[12..].first_chunk().copied()?,
        reference: NtpTimestamp(time(16)?),
        origin: NtpTimestamp(time(24)?),
        receive: NtpTimestamp(time(32)?),
        transmit: NtpTimestamp(time(40)?),
        extensions,
        authenticated,
    })
}

/// Counts the extension fields, and looks for an authentication code behind them.
///
/// A code is a key identifier and at most 20 bytes more; an extension field has at least 16 bytes, and 28 if it
/// is the last and no code follows (RFC 7822 §3).
fn extensions(mut bytes: &[u8]) -> (u16, bool) {
    const LONGEST_CODE: usize = 24;
    let mut count = 0;
    while bytes.len() > LONGEST_CODE {
        let [_, _, high, low] = bytes[..4] else { break };
        let len = usize::from(u16::from_be_bytes([high, low]));
        let Some(behind) = bytes.get(len..).filter(|_| len >= 16 && len.is_multiple_of(4)) else {
            break;
        };
        count += 1;
        bytes = behind;
    }
    // A crypto-NAK is a key identifier alone.
    (count, matches!(bytes.len(), 4 | 20 | 24))
}

#[cfg(test)]
mod tests;
