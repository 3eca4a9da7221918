use flowscope_core::{
    Datagram, DatagramParser, FlowSide, ParseError, ParserStatus, Probe, Timestamp, parse_once,
};

use crate::decode::{Raw, decode};
use crate::{DnsConfig, DnsMessage, DnsTransport, probe};

/// Reads the DNS messages of a UDP flow: one in each datagram.
///
/// A datagram that the capture has cut is read as far as it goes, as
/// [`DnsDefect::Cut`](crate::DnsDefect::Cut). One that is no message at all, because it has no room for
/// a header or says things no DNS sender says, gives nothing. It holds no memory.
#[derive(Clone, Debug, Default)]
pub struct DnsUdpParser {
    config: DnsConfig,
    trust: Trust,
}

impl DnsUdpParser {
    /// A parser with limits of the caller's.
    #[must_use]
    pub fn with_config(config: DnsConfig) -> Self {
        DnsUdpParser { config, trust: Trust::default() }
    }

    /// How many datagrams were no message.
    #[must_use]
    pub fn strangers(&self) -> u32 {
        self.trust.strangers
    }
}

impl DatagramParser for DnsUdpParser {
    type Message = DnsMessage;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<DnsMessage> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<DnsMessage>) -> ParserStatus {
        if self.trust.is_lost(&self.config) {
            return ParserStatus::Failed(ParseError::NotTheProtocol);
        }
        let message = read_datagram(&datagram, &self.config);
        self.trust.saw(message.is_some());
        out.extend(message);
        self.trust.status(&self.config)
    }

    fn probe(_side: FlowSide, payload: &[u8]) -> Probe {
        probe::probe(payload, u32::try_from(payload.len()).ok())
    }
}

pub(crate) fn read_datagram(datagram: &Datagram<'_>, config: &DnsConfig) -> Option<DnsMessage> {
    let &Datagram { side, ts, payload, wire_len } = datagram;
    let captured = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let len = wire_len.max(captured);
    decode(&Raw { side, ts, transport: DnsTransport::Udp, bytes: payload, len }, config)
}

/// Whether a flow still counts as DNS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trust {
    pub(crate) strangers: u32,
    earned: bool,
}

impl Trust {
    /// Takes note of a unit that was a message, or was not.
    pub(crate) fn saw(&mut self, message: bool) {
        self.earned |= message;
        self.strangers = self.strangers.saturating_add(u32::from(!message));
    }

    pub(crate) fn is_lost(&self, config: &DnsConfig) -> bool {
        !self.earned && self.strangers > config.max_strangers
    }

    pub(crate) fn status(&self, config: &DnsConfig) -> ParserStatus {
        if self.is_lost(config) {
            ParserStatus::Failed(ParseError::NotTheProtocol)
        } else {
            ParserStatus::Continue
        }
    }
}

#[cfg(test)]
mod tests;
