#[cfg(test)]
mod tests;

use flowscope_core::{
    Datagram, DatagramParser, FlowSide, MessageCheck, ParserStatus, Probe, Timestamp, parse_once,
};

use crate::SnmpMessage;
use crate::read::{Contents, contents};

/// Reads the SNMP messages of a UDP flow: one in each datagram.
///
/// A datagram that is no message gives nothing. After more than 32 of them, and no message before, the parser fails.
/// It holds no memory.
#[derive(Clone, Debug, Default)]
pub struct SnmpParser {
    check: MessageCheck,
}

impl DatagramParser for SnmpParser {
    type Message = SnmpMessage;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<SnmpMessage> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<SnmpMessage>) -> ParserStatus {
        let Datagram { side, ts, payload, .. } = datagram;
        let contents = contents(payload);
        let status = self.check.record(contents.is_some());
        if let Some(Contents { version, community, security, pdu }) = contents {
            out.push(SnmpMessage { side, ts, version, community, security, pdu });
        }
        status
    }

    /// Sure of a sequence with a version and a PDU, or with the header of version 3.
    ///
    /// Who looks for the engine of version 3 may look for it on any port, also where there is none: that is not sure.
    fn probe(_: FlowSide, payload: &[u8]) -> Probe {
        match contents(payload) {
            Some(Contents { security: Some(security), .. })
                if security.engine_id.as_ref().is_none_or(Vec::is_empty) =>
            {
                Probe::Maybe
            }
            Some(_) => Probe::Yes,
            None => Probe::No,
        }
    }
}
