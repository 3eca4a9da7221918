#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{
    ParseError, ParserStatus, Probe, SessionParser, StreamChunk, Timestamp, feed_once,
};
use flowscope_lengths::Framing;

use crate::framing::{MAX_HEADER, MAX_KEPT, Packet, head};
use crate::{MqttAnswer, MqttExchange, MqttPacket, packet, probe};

/// Packets that may wait for their acknowledgement.
const MAX_OPEN: usize = 32;

/// Reads an MQTT connection, and emits an [`MqttExchange`] for each packet that is one when its acknowledgement is
/// there, or at once where there is none.
///
/// The client is the side that sends `CONNECT`, the first packet. `PINGREQ`, `PINGRESP` and `AUTH` are no records.
/// Bytes that were not captured are passed over where they lie within a packet; else they end parsing.
///
/// Holds at most 128 KiB: 8 KiB of a packet per side, and 32 packets without an acknowledgement, each up to 2 KiB; more
/// make the oldest a record.
#[derive(Clone, Debug, Default)]
pub struct MqttParser {
    framings: [Framing<MAX_HEADER, MAX_KEPT>; 2],
    connection: Option<Box<Connection>>,
    /// Oldest first.
    open: VecDeque<MqttExchange>,
    /// The latest time fed.
    now: Timestamp,
}

/// What is known of the connection.
#[derive(Clone, Debug)]
struct Connection {
    client: FlowSide,
    level: u8,
    client_id: Vec<u8>,
    is_accepted: bool,
}

impl MqttParser {
    fn packet(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        packet: Packet<'_>,
        out: &mut Vec<MqttExchange>,
    ) -> Result<(), ParseError> {
        let Some(connection) = &self.connection else {
            return self.connect(side, ts, packet, out);
        };
        let level = connection.level;
        let is_client = side == connection.client;
        match (packet.kind(), is_client) {
            // Only one is allowed (§3.1).
            (1, _) => return Err(ParseError::InvalidField("CONNECT")),
            (2, false) => self.connack(ts, packet, out)?,
            (3, _) => {
                let (id, read) = packet::publish(packet, level)?;
                self.begin(side, ts, packet, id, read, out);
            }
            (4 | 5 | 7, _) | (9 | 11, false) => self.acknowledge(side, ts, packet, out)?,
            (8, true) => {
                let (id, topics) = packet::subscribe(packet, level, true)?;
                self.begin(side, ts, packet, Some(id), MqttPacket::Subscribe(topics), out);
            }
            (10, true) => {
                let (id, topics) = packet::subscribe(packet, level, false)?;
                self.begin(side, ts, packet, Some(id), MqttPacket::Unsubscribe(topics), out);
            }
            // The server says it only since version 5.
            (14, _) => {
                let read = packet::disconnect(packet, level);
                self.begin(side, ts, packet, None, read, out);
            }
            // PUBREL, pings, AUTH.
            (6 | 12 | 13 | 15, _) => {}
            _ => return Err(ParseError::InvalidField("packet type")),
        }
        Ok(())
    }

    fn connect(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        packet: Packet<'_>,
        out: &mut Vec<MqttExchange>,
    ) -> Result<(), ParseError> {
        match packet.kind() {
            1 => {}
            // The CONNECT was captured late.
            2 => return Ok(()),
            _ => return Err(ParseError::NotTheProtocol),
        }
        let (level, connect) = packet::connect(packet)?;
        self.connection = Some(Box::new(Connection {
            client: side,
            level,
            client_id: connect.client_id.clone(),
            is_accepted: false,
        }));
        self.begin(side, ts, packet, None, MqttPacket::Connect(Box::new(connect)), out);
        Ok(())
    }

    fn connack(
        &mut self,
        ts: Timestamp,
        packet: Packet<'_>,
        out: &mut Vec<MqttExchange>,
    ) -> Result<(), ParseError> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        if connection.is_accepted {
            return Err(ParseError::InvalidField("CONNACK"));
        }
        let (session_present, code, assigned) =
            packet::connack(packet, connection.level).ok_or(ParseError::InvalidField("CONNACK"))?;
        connection.is_accepted = true;
        if let Some(assigned) = assigned {
            connection.client_id = assigned;
        }
        let client_id = connection.client_id.clone();
        let is_connect = |open: &mut MqttExchange| matches!(open.packet, MqttPacket::Connect(_));
        let answer = MqttAnswer { kind: 2, codes: vec![code], session_present };
        if let Some(at) = self.open.iter_mut().position(is_connect) {
            self.finish(at, ts, answer, out);
            if let Some(exchange) = out.last_mut() {
                exchange.client_id = client_id;
            }
        }
        Ok(())
    }

    /// A packet that is a record.
    fn begin(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        packet: Packet<'_>,
        packet_id: Option<u16>,
        read: MqttPacket,
        out: &mut Vec<MqttExchange>,
    ) {
        let Some(connection) = &self.connection else { return };
        let is_connect = matches!(read, MqttPacket::Connect(_));
        let is_publish = matches!(read, MqttPacket::Publish { .. });
        let flags = if is_publish { packet.first } else { 0 };
        let dup = flags & 8 != 0;
        let is_same = |open: &&mut MqttExchange| {
            open.side == side && open.packet_id == packet_id && open.packet.name() == read.name()
        };
        if dup
            && packet_id.is_some()
            && let Some(open) = self.open.iter_mut().find(is_same)
        {
            open.dup = true;
            return;
        }
        let exchange = MqttExchange {
            ts,
            side,
            is_from_client: side == connection.client,
            version: connection.level,
            client_id: connection.client_id.clone(),
            dup,
            qos: flags >> 1 & 3,
            retain: flags & 1 != 0,
            packet_id,
            packet: read,
            answer: None,
            latency: None,
        };
        if !is_connect && packet_id.is_none() {
            out.push(exchange);
            return;
        }
        if self.open.len() == MAX_OPEN {
            out.extend(self.open.pop_front());
        }
        self.open.push_back(exchange);
    }

    fn acknowledge(
        &mut self,
        side: FlowSide,
        ts: Timestamp,
        packet: Packet<'_>,
        out: &mut Vec<MqttExchange>,
    ) -> Result<(), ParseError> {
        let level = self.connection.as_ref().map_or(0, |connection| connection.level);
        let Some((id, codes)) = packet::acknowledgement(packet, level) else {
            let invalid = ParseError::InvalidField("Packet Identifier");
            return if packet.is_whole() { Err(invalid) } else { Ok(()) };
        };
        let kind = packet.kind();
        // PUBREC is the first of two, unless it refuses (§4.3.3).
        if kind == 5 && codes.first().is_none_or(|&code| code < 0x80) {
            return Ok(());
        }
        let is_of = |open: &MqttExchange| {
            let fits = match open.packet {
                MqttPacket::Publish { .. } => kind < 8,
                MqttPacket::Subscribe(_) => kind == 9,
                MqttPacket::Unsubscribe(_) => kind == 11,
                MqttPacket::Connect(_) | MqttPacket::Disconnect(_) => false,
            };
            fits && open.side != side && open.packet_id == Some(id)
        };
        if let Some(at) = self.open.iter().position(is_of) {
            self.finish(at, ts, MqttAnswer { kind, codes, session_present: false }, out);
        }
        Ok(())
    }

    fn finish(
        &mut self,
        at: usize,
        ts: Timestamp,
        answer: MqttAnswer,
        out: &mut Vec<MqttExchange>,
    ) {
        out.extend(self.open.remove(at).map(|mut exchange| {
            exchange.latency = Some(ts.since(exchange.ts));
            exchange.answer = Some(answer);
            exchange
        }));
    }
}

impl SessionParser for MqttParser {
    type Message = MqttExchange;

    fn feed_initiator(&mut self, bytes: &[u8]) -> Vec<MqttExchange> {
        feed_once(self, StreamChunk::new(Initiator, Timestamp::ZERO, 0, bytes))
    }

    fn feed_responder(&mut self, bytes: &[u8]) -> Vec<MqttExchange> {
        feed_once(self, StreamChunk::new(Responder, Timestamp::ZERO, 0, bytes))
    }

    fn feed_into(&mut self, chunk: StreamChunk<'_>, out: &mut Vec<MqttExchange>) -> ParserStatus {
        let StreamChunk { side, ts, mut bytes, .. } = chunk;
        self.now = ts;
        // The packet borrows the framing, which is not the parser's meanwhile.
        let mut framing = std::mem::take(&mut self.framings[side.index()]);
        let status = loop {
            let read = framing
                .next(&mut bytes, head, |message| self.packet(side, ts, Packet::new(message), out));
            match read {
                Ok(Some(Ok(()))) => {}
                Ok(None) => break ParserStatus::Continue,
                Ok(Some(Err(error))) | Err(error) => break ParserStatus::Failed(error),
            }
        };
        self.framings[side.index()] = framing;
        status
    }

    fn gap(&mut self, side: FlowSide, len: u64, out: &mut Vec<MqttExchange>) -> ParserStatus {
        if self.framings[side.index()].skip(len) {
            // The packet may be over.
            return self.feed_into(StreamChunk::new(side, self.now, 0, b""), out);
        }
        // Where the next packet begins is not known any more.
        self.end(out);
        ParserStatus::Done
    }

    fn end(&mut self, out: &mut Vec<MqttExchange>) {
        out.extend(self.open.drain(..));
    }

    fn heap_bytes(&self) -> usize {
        let connection = self.connection.as_ref();
        self.framings.iter().map(Framing::heap_bytes).sum::<usize>()
            + connection.map_or(0, |it| size_of::<Connection>() + it.client_id.capacity())
            + self.open.capacity() * size_of::<MqttExchange>()
            + self.open.iter().map(MqttExchange::heap_bytes).sum::<usize>()
    }

    fn probe(_side: FlowSide, start: &[u8]) -> Probe {
        probe::probe(start)
    }
}
