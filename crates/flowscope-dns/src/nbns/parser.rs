use std::net::Ipv4Addr;

use flowscope_core::{
    Datagram, DatagramParser, FlowSide, MessageCheck, ParseError, ParserStatus, Probe, Timestamp,
    parse_once,
};

use super::{NbnsAddress, NbnsDefect, NbnsMessage, NbnsName, NbnsNodeName, NbnsOpcode, NbnsType};
use crate::probe::is_netbios;
use crate::wire::{Budget, MAX_MESSAGE, Unreadable, be16, be32};
use crate::{DnsConfig, Header};

/// Reads the NetBIOS name service messages of a UDP flow: one in each datagram.
///
/// A datagram that is no message, because it has no room for a header or its first name is not in first-level
/// encoding, gives nothing. After more than 32 of them, and no message before, the parser fails. It holds no
/// memory.
#[derive(Clone, Debug, Default)]
pub struct NbnsParser {
    check: MessageCheck,
}

impl NbnsParser {
    /// A parser at the start of a flow.
    #[must_use]
    pub fn new() -> Self {
        NbnsParser::default()
    }
}

impl DatagramParser for NbnsParser {
    type Message = NbnsMessage;

    fn parse(&mut self, payload: &[u8], side: FlowSide) -> Vec<NbnsMessage> {
        parse_once(self, Datagram::new(side, Timestamp::ZERO, payload))
    }

    fn parse_into(&mut self, datagram: Datagram<'_>, out: &mut Vec<NbnsMessage>) -> ParserStatus {
        let config = DnsConfig::default();
        if self.check.has_failed(config.max_invalid_messages) {
            return ParserStatus::Failed(ParseError::NotTheProtocol);
        }
        let message = read(&datagram);
        self.check.record(message.is_some());
        out.extend(message);
        self.check.status(config.max_invalid_messages)
    }

    fn probe(_: FlowSide, payload: &[u8]) -> Probe {
        let Some(header) = Header::read(payload) else { return Probe::No };
        // What a message is about has to be there: a name, its type and its class.
        let about = begin(header, payload).filter(|(body, _)| body.bytes.len() >= body.at + 4);
        match about {
            Some(_) if is_netbios(header, payload) => Probe::Yes,
            Some(_) => Probe::Maybe,
            None => Probe::No,
        }
    }
}

/// Reads a message as far as it can be read.
///
/// Time and memory are linear in the bytes: names are paid for from a [`Budget`].
fn read(datagram: &Datagram<'_>) -> Option<NbnsMessage> {
    let bytes = datagram.payload.get(..MAX_MESSAGE).unwrap_or(datagram.payload);
    let header = Header::read(bytes)?;
    let (mut body, name) = begin(header, bytes)?;
    let captured = u32::try_from(datagram.payload.len()).unwrap_or(u32::MAX);
    let len = datagram.wire_len.max(captured);
    let (rtype, class) = (be16(bytes, body.at)?, be16(bytes, body.at + 2)?);
    let mut message = NbnsMessage {
        side: datagram.side,
        ts: datagram.ts,
        len,
        header,
        name,
        rtype: NbnsType(rtype),
        class,
        ttl: None,
        addresses: Vec::new(),
        names: Vec::new(),
        unit_id: None,
        defect: None,
    };
    body.at = Header::LEN;
    if let Err(why) = body.read_into(&mut message) {
        let cut = captured < len && matches!(why, Unreadable::Short);
        message.defect = Some(if cut { NbnsDefect::Cut } else { NbnsDefect::Malformed });
    }
    Some(message)
}

/// The body of a message and its first name, if that is a NetBIOS name. The body stands behind the name.
fn begin(header: Header, bytes: &[u8]) -> Option<(Body<'_>, NbnsName)> {
    if header.counts == [0; 4] {
        return None;
    }
    let mut body = Body { bytes, at: Header::LEN, budget: Budget::of(bytes) };
    let name = body.name().ok()?;
    Some((body, name))
}

struct Body<'a> {
    bytes: &'a [u8],
    at: usize,
    budget: Budget,
}

impl Body<'_> {
    fn read_into(&mut self, message: &mut NbnsMessage) -> Result<(), Unreadable> {
        let [questions, records @ ..] = message.header.counts;
        for _ in 0..questions {
            self.name()?;
            self.take(4)?;
        }
        let records: u32 = records.into_iter().map(u32::from).sum();
        for _ in 0..records {
            self.record(message)?;
        }
        Ok(())
    }

    fn record(&mut self, message: &mut NbnsMessage) -> Result<(), Unreadable> {
        self.name()?;
        let head = self.take(10)?;
        let word = |at| be16(head, at).ok_or(Unreadable::Short);
        let (rtype, len) = (NbnsType(word(0)?), word(8)?);
        message.ttl = message.ttl.or(be32(head, 4));
        let data = self.take(usize::from(len))?;
        match rtype {
            // Its data is the second word of the request's header (RFC 1002 §4.2.16).
            NbnsType::NB if message.opcode() == NbnsOpcode::WACK => Ok(()),
            NbnsType::NB => {
                let (entries, rest) = data.as_chunks::<6>();
                message.addresses.extend(entries.iter().map(|&[f0, f1, a, b, c, d]| NbnsAddress {
                    flags: u16::from_be_bytes([f0, f1]),
                    address: Ipv4Addr::new(a, b, c, d),
                }));
                if rest.is_empty() { Ok(()) } else { Err(Unreadable::Malformed) }
            }
            NbnsType::NBSTAT => node_status(data, message),
            _ => Ok(()),
        }
    }

    /// A name: its first label in first-level encoding, the others its scope.
    fn name(&mut self) -> Result<NbnsName, Unreadable> {
        let walked = self.budget.walk(self.bytes, self.at)?;
        let mut labels = Labels { bytes: self.bytes, at: walked.forward.unwrap_or(self.at) };
        let first = labels.next().and_then(NbnsName::decode).ok_or(Unreadable::Malformed)?;
        let mut scope = Vec::new();
        for label in labels {
            // A pointer may lead into a chain that is longer than a name can be (RFC 1035 §2.3.4).
            if scope.len() + label.len() > 255 {
                return Err(Unreadable::Malformed);
            }
            if !scope.is_empty() {
                scope.push(b'.');
            }
            scope.extend_from_slice(label);
        }
        self.at = walked.end;
        Ok(NbnsName::new(first, scope))
    }

    fn take(&mut self, len: usize) -> Result<&[u8], Unreadable> {
        let taken = self.bytes.get(self.at..self.at + len).ok_or(Unreadable::Short)?;
        self.at += len;
        Ok(taken)
    }
}

/// The data of a node status response: names, then statistics that begin with the unit's identifier.
fn node_status(data: &[u8], message: &mut NbnsMessage) -> Result<(), Unreadable> {
    const ENTRY: usize = NbnsName::LEN + 2;
    let (&count, rest) = data.split_first().ok_or(Unreadable::Malformed)?;
    let (entries, rest) =
        rest.split_at_checked(usize::from(count) * ENTRY).ok_or(Unreadable::Malformed)?;
    for entry in entries.as_chunks::<ENTRY>().0 {
        let (Some(name), Some(flags)) = (entry.first_chunk(), be16(entry, NbnsName::LEN)) else {
            continue;
        };
        message.names.push(NbnsNodeName { name: NbnsName::new(*name, Vec::new()), flags });
    }
    message.unit_id = rest.first_chunk().copied();
    Ok(())
}

/// The labels of a name that was walked over before.
struct Labels<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while *self.bytes.get(self.at)? >= 0xc0 {
            self.at = usize::from(be16(self.bytes, self.at)? & 0x3fff);
        }
        let len = usize::from(*self.bytes.get(self.at)?);
        let label = self.bytes.get(self.at + 1..self.at + 1 + len)?;
        self.at += 1 + len;
        (len > 0).then_some(label)
    }
}

#[cfg(test)]
mod tests;
