//! One message in a file: its length, a checksum, then what it is.

use std::io::{self, ErrorKind, Read};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::message::{Message, Source, is_name};

/// Bytes before what is checked: length and checksum.
pub(super) const HEAD: u64 = 8;

/// Most bytes behind the head. Messages are smaller; a greater length is that of no message.
const MAX_BODY: u32 = 4 << 20;

/// Encodes a message.
pub(super) fn encode(message: &Message) -> Vec<u8> {
    let Message { source: Source { site, run, partition }, record, number, rows, payload } =
        message;
    let names = format!("{site} {run} {partition} {record} {number} {rows}");
    let mut body = Vec::with_capacity(2 + names.len() + payload.len());
    // Names have at most 64 bytes each.
    body.extend((names.len() as u16).to_le_bytes());
    body.extend(names.as_bytes());
    body.extend(payload);
    let mut entry = Vec::with_capacity(body.len() + 8);
    entry.extend((body.len() as u32).to_le_bytes());
    entry.extend(checksum(&body));
    entry.extend(body);
    entry
}

/// Reads the next message, of which at most `rest` bytes are there. Returns it with the number of bytes that it takes.
///
/// # Errors
///
/// [`ErrorKind::InvalidData`] for what is no message, or only the beginning of one.
pub(super) fn read(file: &mut impl Read, rest: u64) -> io::Result<(Message, u64)> {
    let invalid = || io::Error::from(ErrorKind::InvalidData);
    let mut head = [0; 8];
    if rest < HEAD {
        return Err(invalid());
    }
    file.read_exact(&mut head)?;
    let [a, b, c, d, sum @ ..] = head;
    let len = u32::from_le_bytes([a, b, c, d]);
    if len > MAX_BODY || u64::from(len) > rest - HEAD {
        return Err(invalid());
    }
    let mut body = vec![0; len as usize];
    file.read_exact(&mut body)?;
    if checksum(&body) != sum {
        return Err(invalid());
    }
    let message = decode(body).ok_or_else(invalid)?;
    Ok((message, HEAD + u64::from(len)))
}

fn decode(body: Vec<u8>) -> Option<Message> {
    let (len, rest) = body.split_first_chunk()?;
    let (names, _) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    let mut parts = std::str::from_utf8(names).ok()?.split(' ');
    let name = |part: &str| is_name(part).then(|| part.to_owned());
    let source = Source {
        site: parts.next().and_then(name)?,
        run: parts.next().and_then(name)?,
        partition: parts.next()?.parse().ok()?,
    };
    let record = parts.next().and_then(name)?;
    let number = parts.next()?.parse().ok()?;
    let rows = parts.next()?.parse().ok()?;
    if parts.next().is_some() {
        return None;
    }
    let start = 2 + names.len();
    let payload = Bytes::from(body).slice(start..);
    Some(Message { source, record, number, rows, payload })
}

/// Four bytes of SHA-256: against damage, not against people, who can write the file anyway.
fn checksum(body: &[u8]) -> [u8; 4] {
    let digest = Sha256::digest(body);
    [digest[0], digest[1], digest[2], digest[3]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::sample;

    #[test]
    fn messages_come_back() {
        let message = sample(u64::MAX, b"payload");
        let entry = encode(&message);
        let len = entry.len() as u64;
        assert_eq!(read(&mut &entry[..], len).unwrap(), (message, len));
    }

    #[test]
    fn what_is_cut_or_damaged_is_no_message() {
        let entry = encode(&sample(7, b"payload"));
        for len in 0..entry.len() {
            assert!(read(&mut &entry[..len], len as u64).is_err(), "{len} bytes");
        }
        for at in 0..entry.len() {
            let mut damaged = entry.clone();
            damaged[at] ^= 1;
            assert!(read(&mut &damaged[..], damaged.len() as u64).is_err(), "byte {at}");
        }
        let endless = [0xff; 64];
        assert!(read(&mut &endless[..], u64::MAX).is_err());
    }

    #[test]
    fn a_name_of_no_message_is_refused() {
        for names in
            ["", "a b 0 c 1", "a b 0 c 1 2 3", "a ../b 0 c 1 2", "a b 65536 c 1 2", "a b 0 c x 2"]
        {
            let mut body = (names.len() as u16).to_le_bytes().to_vec();
            body.extend(names.as_bytes());
            assert!(decode(body).is_none(), "{names}");
        }
        assert!(decode(vec![255, 255, b'a']).is_none());
        assert!(decode(vec![0]).is_none());
    }
}
