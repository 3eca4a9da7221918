use flowscope_core::{
    Datagram, DatagramParser, FlowSide, MessageCheck, ParseError, ParserStatus, Probe, Timestamp,
    parse_once,
};

use crate::decode::{RawMessage, decode};
use crate::{DnsConfig, DnsMessage, DnsTransport, probe};

/// Reads the DNS messages of a UDP flow: one in each datagram.
///
/// A datagram that the capture has cut is read as far as it goes, as
/// [`DnsDefect::Cut`](crate::DnsDefect::Cut). One that is no message at all, because it has no room for
/// a header or says things no DNS sender says, gives nothing. It holds no memory.
#[derive(Clone, Debug, Default)]
pub struct DnsUdpParser {
    config: DnsConfig,
    check: MessageCheck,
}

impl DnsUdpParser {
    /// A parser with limits of the caller's.
    #[must_use]
    pub fn with_config(config: DnsConfig) -> Self {
        DnsUdpParser { config, check: MessageCheck::default() }
    }

    /// The number of datagrams that were not DNS messages.
    #[must_use]
    pub fn invalid_messages(&self) -> u32 {
        self.check.invalid()
    }
}

impl DatagramParser for DnsUdpParser {
    type Message = DnsMessage;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<DnsMessage> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<DnsMessage>) -> ParserStatus {
        if self.check.has_failed(self.config.max_invalid_messages) {
            return ParserStatus::Failed(ParseError::NotTheProtocol);
        }
        let message = read_datagram(&datagram, &self.config);
        self.check.record(message.is_some());
        out.extend(message);
        self.check.status(self.config.max_invalid_messages)
    }

    fn probe(_side: FlowSide, payload: &[u8]) -> Probe {
        probe::probe(payload, u32::try_from(payload.len()).ok())
    }
}

pub(crate) fn read_datagram(datagram: &Datagram<'_>, config: &DnsConfig) -> Option<DnsMessage> {
    let &Datagram { side, ts, payload, wire_len } = datagram;
    let captured = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let len = wire_len.max(captured);
    decode(&RawMessage { side, ts, transport: DnsTransport::Udp, bytes: payload, len }, config)
}

#[cfg(test)]
mod tests;
