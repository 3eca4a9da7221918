//! What packets say (MQTT 5.0 §3).

use flowscope_core::ParseError;

use crate::framing::Packet;
use crate::wire::Fields;
use crate::{MqttConnect, MqttPacket, MqttTopic, MqttWill};

/// Bytes of a topic that are kept.
const MAX_TOPIC: usize = 256;
/// Bytes of a name and of a topic filter that are kept.
const MAX_NAME: usize = 128;
/// Topic filters that are kept.
const MAX_TOPICS: usize = 16;
/// Bytes of all topic filters of a packet that are kept.
const MAX_FILTERS: usize = 1024;

/// Level, and how a client connects. What a packet that was cut does not have is left out.
pub(crate) fn connect(packet: Packet<'_>) -> Result<(u8, MqttConnect), ParseError> {
    let mut fields = Fields(packet.kept);
    let invalid = ParseError::InvalidField("CONNECT");
    let protocol = fields.string().ok_or(invalid)?;
    let level = fields.u8().ok_or(invalid)?;
    let is_known = matches!((protocol, level & 0x7f), (b"MQTT", 3..=5) | (b"MQIsdp", 3))
        && packet.first == 0x10;
    if !is_known {
        return Err(ParseError::NotTheProtocol);
    }
    // Bridges set the highest bit.
    let level = level & 0x7f;
    let flags = fields.u8().ok_or(invalid)?;
    let mut connect = MqttConnect {
        protocol: protocol.to_vec(),
        has_password: flags & 0x40 != 0,
        clean_start: flags & 2 != 0,
        keep_alive: fields.u16().ok_or(invalid)?,
        ..MqttConnect::default()
    };
    match payload(&mut fields, level, flags, &mut connect) {
        Some(()) => Ok((level, connect)),
        None if packet.is_whole() => Err(invalid),
        None => Ok((level, connect)),
    }
}

fn payload(fields: &mut Fields<'_>, level: u8, flags: u8, connect: &mut MqttConnect) -> Option<()> {
    if level == 5 {
        fields.properties()?;
    }
    connect.client_id = kept(fields.string()?, MAX_NAME);
    if flags & 4 != 0 {
        if level == 5 {
            fields.properties()?;
        }
        let topic = kept(fields.string()?, MAX_TOPIC);
        let payload_len = u64::from(fields.u16()?);
        connect.will =
            Some(MqttWill { topic, qos: flags >> 3 & 3, retain: flags & 0x20 != 0, payload_len });
        fields.bytes(payload_len as usize)?;
    }
    if flags & 0x80 != 0 {
        connect.username = Some(kept(fields.string()?, MAX_NAME));
    }
    if flags & 0x40 != 0 {
        fields.string()?;
    }
    Some(())
}

/// `CONNACK`: whether there is a session, the code, and the name that the server assigns.
pub(crate) fn connack(packet: Packet<'_>, level: u8) -> Option<(bool, u8, Option<Vec<u8>>)> {
    let mut fields = Fields(packet.kept);
    let (flags, code) = (fields.u8()?, fields.u8()?);
    let properties = if level == 5 { fields.properties().unwrap_or_default() } else { &[] };
    Some((flags & 1 != 0, code, assigned_name(properties)))
}

/// The property Assigned Client Identifier of `CONNACK` (§3.2.2.3.7).
fn assigned_name(properties: &[u8]) -> Option<Vec<u8>> {
    let mut fields = Fields(properties);
    loop {
        match fields.u8()? {
            0x12 => return Some(kept(fields.string()?, MAX_NAME)),
            // Numbers of one, two and four bytes, strings, and pairs of them.
            0x24 | 0x25 | 0x28 | 0x29 | 0x2a => drop(fields.u8()?),
            0x13 | 0x21 | 0x22 => drop(fields.u16()?),
            0x11 | 0x27 => drop(fields.bytes(4)?),
            0x15 | 0x16 | 0x1a | 0x1c | 0x1f => drop(fields.string()?),
            0x26 => {
                fields.string()?;
                fields.string()?;
            }
            _ => return None,
        }
    }
}

/// A publication, with its identifier.
pub(crate) fn publish(
    packet: Packet<'_>,
    level: u8,
) -> Result<(Option<u16>, MqttPacket), ParseError> {
    let mut fields = Fields(packet.kept);
    let mut read = || {
        let topic = fields.string()?;
        let id = if packet.first & 6 == 0 { None } else { Some(fields.u16()?) };
        if level == 5 {
            fields.properties()?;
        }
        Some((topic, id))
    };
    match read() {
        Some((topic, id)) => {
            let header = packet.kept.len() - fields.0.len();
            let payload_len = u64::from(packet.len) - header as u64;
            Ok((id, MqttPacket::Publish { topic: kept(topic, MAX_TOPIC), payload_len }))
        }
        None if packet.is_whole() => Err(ParseError::InvalidField("PUBLISH")),
        None => {
            let payload_len = packet.len.into();
            Ok((None, MqttPacket::Publish { topic: Vec::new(), payload_len }))
        }
    }
}

/// The identifier and the topic filters of `SUBSCRIBE`, or those of `UNSUBSCRIBE`.
pub(crate) fn subscribe(
    packet: Packet<'_>,
    level: u8,
    has_options: bool,
) -> Result<(u16, Vec<MqttTopic>), ParseError> {
    let mut fields = Fields(packet.kept);
    let invalid = ParseError::InvalidField("Topic Filter");
    let id = fields.u16().ok_or(ParseError::InvalidField("Packet Identifier"))?;
    if level == 5 {
        fields.properties().ok_or(ParseError::InvalidField("Properties"))?;
    }
    let (mut topics, mut room) = (Vec::new(), MAX_FILTERS);
    while !fields.0.is_empty() && topics.len() < MAX_TOPICS {
        let mut read = || {
            let filter = fields.string()?;
            let options = if has_options { fields.u8()? } else { 0 };
            Some((filter, options))
        };
        match read() {
            Some((filter, options)) => {
                let filter = kept(filter, MAX_NAME.min(room));
                room -= filter.len();
                topics.push(MqttTopic { filter, qos: options & 3 });
            }
            None if packet.is_whole() => return Err(invalid),
            None => break,
        }
    }
    topics.shrink_to_fit();
    Ok((id, topics))
}

/// The identifier of an acknowledgement, and its codes, of `SUBACK` and `UNSUBACK` those of all topic filters.
pub(crate) fn acknowledgement(packet: Packet<'_>, level: u8) -> Option<(u16, Vec<u8>)> {
    let mut fields = Fields(packet.kept);
    let id = fields.u16()?;
    let codes = match packet.kind() {
        9 | 11 => {
            if level == 5 {
                fields.properties()?;
            }
            kept(fields.0, MAX_TOPICS)
        }
        // A code that is left out is 0 (§3.4.2.1).
        _ if level == 5 => vec![fields.u8().unwrap_or(0)],
        _ => Vec::new(),
    };
    Some((id, codes))
}

/// The reason code of `DISCONNECT`, which is left out if it is 0 (§3.14.2.1).
pub(crate) fn disconnect(packet: Packet<'_>, level: u8) -> MqttPacket {
    let code = packet.kept.first().copied().unwrap_or(0);
    MqttPacket::Disconnect((level == 5).then_some(code))
}

fn kept(text: &[u8], len: usize) -> Vec<u8> {
    text[..text.len().min(len)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(first: u8, kept: &[u8]) -> Packet<'_> {
        Packet { first, len: kept.len() as u32, kept }
    }

    #[test]
    fn a_connection_with_everything_in_it() {
        let bytes = b"\0\x04MQTT\x05\xf6\0\x0a\x05\x11\0\0\0\x0a\0\x02me\x05\x18\0\0\0\0\0\x01w\0\x04gone\0\x01u\0\x06sesame";
        let (level, connect) = super::connect(packet(0x10, bytes)).unwrap();
        let will = connect.will.clone().unwrap();
        assert_eq!((level, connect.keep_alive, connect.clean_start), (5, 10, true));
        assert_eq!((connect.client_id.as_slice(), connect.has_password), (&b"me"[..], true));
        assert_eq!(connect.username.as_deref(), Some(&b"u"[..]));
        assert_eq!(
            (will.topic.as_slice(), will.payload_len, will.qos, will.retain),
            (&b"w"[..], 4, 2, true)
        );
        for len in 0..bytes.len() {
            let whole = super::connect(packet(0x10, &bytes[..len]));
            assert!(whole.is_err(), "{len}");
            let cut = Packet { first: 0x10, len: 100, kept: &bytes[..len] };
            assert_eq!(super::connect(cut).is_ok(), len >= 10, "{len}");
        }
    }

    #[test]
    fn what_is_no_connect() {
        for (first, bytes) in [
            (0x11, &b"\0\x04MQTT\x04\x02\0\x3c\0\0"[..]),
            (0x10, b"\0\x04MQTT\x06\x02\0\x3c\0\0"),
            (0x10, b"\0\x04mqtt\x04\x02\0\x3c\0\0"),
            (0x10, b"\0\x06MQIsdp\x04\x02\0\x3c\0\0"),
        ] {
            assert_eq!(connect(packet(first, bytes)), Err(ParseError::NotTheProtocol), "{bytes:?}");
        }
        assert_eq!(connect(packet(0x10, b"\0\x04MQTT\x84\x02\0\x3c\0\0")).unwrap().0, 4);
    }

    #[test]
    fn names_that_servers_assign() {
        let name = b"\x21\0\x14\x27\0\x01\0\0\x26\0\x01k\0\x01v\x12\0\x03abc";
        assert_eq!(assigned_name(name).unwrap(), b"abc");
        assert_eq!(assigned_name(&name[..name.len() - 1]), None);
        assert_eq!(assigned_name(b"\x7f\x12\0\0"), None);
    }

    #[test]
    fn publications() {
        let read = |first, level, bytes: &'static [u8]| publish(packet(first, bytes), level);
        let of =
            |topic: &[u8], payload_len| MqttPacket::Publish { topic: topic.to_vec(), payload_len };
        assert_eq!(read(0x30, 4, b"\0\x01a21.5"), Ok((None, of(b"a", 4))));
        assert_eq!(read(0x32, 4, b"\0\x01a\0\x0921.5"), Ok((Some(9), of(b"a", 4))));
        assert_eq!(read(0x32, 5, b"\0\0\0\x09\x03\x23\0\x01x"), Ok((Some(9), of(b"", 1))));
        let invalid = Err(ParseError::InvalidField("PUBLISH"));
        assert_eq!(read(0x32, 4, b"\0\x01a\0"), invalid);
        assert_eq!(read(0x30, 5, b"\0\x01a\x09"), invalid);
        let cut = Packet { first: 0x32, len: 70_000, kept: b"\0\x01" };
        assert_eq!(publish(cut, 4), Ok((None, of(b"", 70_000))));
    }

    #[test]
    fn filters_are_bounded() {
        let filter = [&b"\0\xc8"[..], &[b'a'; 200], &[1]].concat();
        let bytes = [&b"\0\x07"[..], &filter.repeat(20)].concat();
        let (id, topics) = subscribe(packet(0x82, &bytes), 4, true).unwrap();
        let lens: Vec<_> = topics.iter().map(|topic| topic.filter.len()).collect();
        assert_eq!((id, lens), (7, [[128; 8], [0; 8]].concat()));
        let invalid = Err(ParseError::InvalidField("Topic Filter"));
        assert_eq!(subscribe(packet(0x82, b"\0\x07\0\x01a"), 4, true), invalid);
        assert_eq!(subscribe(packet(0xa2, b"\0\x07\0\x01a"), 4, false).unwrap().1[0].filter, b"a");
    }

    #[test]
    fn codes_of_acknowledgements() {
        let read =
            |first, level, bytes: &'static [u8]| acknowledgement(packet(first, bytes), level);
        assert_eq!(read(0x40, 4, b"\0\x07"), Some((7, vec![])));
        assert_eq!(read(0x40, 5, b"\0\x07"), Some((7, vec![0])));
        assert_eq!(read(0x50, 5, b"\0\x07\x97"), Some((7, vec![0x97])));
        assert_eq!(read(0x90, 4, b"\0\x07\x01\x80"), Some((7, vec![1, 0x80])));
        assert_eq!(read(0xb0, 5, b"\0\x07\0\x11"), Some((7, vec![0x11])));
        assert_eq!(read(0x90, 4, b"\0"), None);
    }
}
