//! The negotiation of SMB 1 ([MS-CIFS] §2.2.4.52, [MS-SMB] §2.2.4.5), which may lead to SMB 2 ([MS-SMB2] §3.3.5.3).

use crate::wire::{array, filetime, part, u16_at, u32_at};
use crate::{SmbDialect, SmbGuid, SmbNegotiation, SmbStatus};

/// Dialects that are kept.
pub(crate) const MAX_OFFERED: usize = 16;
/// Bytes of the name of a dialect that are kept.
const MAX_DIALECT: usize = 32;

/// Bytes of the header behind the protocol's name ([MS-CIFS] §2.2.3.1).
const HEADER: usize = 28;
const NEGOTIATE: u8 = 0x72;
/// A flag of the header: a response.
const REPLY: u8 = 0x80;
/// Security mode: messages have to be signed.
const SIGNATURES_REQUIRED: u8 = 0x08;
/// A capability: the server has a GUID, and logins are of SPNEGO.
const EXTENDED_SECURITY: u32 = 0x8000_0000;

/// A message of SMB 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Message {
    /// A client offers dialects.
    Request { id: u16, offer: SmbNegotiation },
    /// A server has chosen the dialect with this place in the offer, or none.
    Response { id: u16, status: SmbStatus, chosen: Option<u16>, answer: SmbNegotiation },
    /// Another one.
    Other,
}

/// The message, without its protocol's name. `None` if it is none.
pub(crate) fn message(bytes: &[u8]) -> Option<Message> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    if header[0] != NEGOTIATE {
        return Some(Message::Other);
    }
    let id = u16_at(header, 26)?;
    let (&words, rest) = rest.split_first()?;
    let (words, data) = rest.split_at_checked(usize::from(words) * 2)?;
    let len = usize::from(u16_at(data, 0)?);
    let data = part(data, 2, len);
    if header[5] & REPLY == 0 {
        let offered = offered(data);
        return Some(Message::Request {
            id,
            offer: SmbNegotiation { offered, ..Default::default() },
        });
    }
    let status = SmbStatus(u32_at(header, 1)?);
    // 0xffff is none.
    let chosen = u16_at(words, 0).filter(|&index| index != u16::MAX);
    let mut answer = SmbNegotiation::default();
    // Of 17 words is the answer to NT LM 0.12.
    if words.len() == 34 {
        answer.server_requires_signing = Some(words[2] & SIGNATURES_REQUIRED != 0);
        answer.server_time = filetime(words, 23);
        if u32_at(words, 19).is_some_and(|capabilities| capabilities & EXTENDED_SECURITY != 0) {
            answer.server_guid = array(data, 0).map(SmbGuid);
        }
    }
    Some(Message::Response { id, status, chosen, answer })
}

/// Dialects: each a byte of 2 and text that ends with 0 ([MS-CIFS] §2.2.4.52.1).
fn offered(data: &[u8]) -> Vec<Vec<u8>> {
    let dialects = data.split_inclusive(|&byte| byte == 0).take(MAX_OFFERED);
    let name = |dialect: &[u8]| match dialect {
        [2, name @ .., 0] => Some(part(name, 0, MAX_DIALECT).to_vec()),
        _ => None,
    };
    dialects.map_while(name).collect()
}

/// The dialect with this name.
pub(crate) fn dialect(name: &[u8]) -> SmbDialect {
    match name {
        // Samba knows the same dialect by two names.
        b"NT LM 0.12" | b"NT LANMAN 1.0" => SmbDialect::NtLm012,
        b"SMB 2.002" => SmbDialect::Revision(0x0202),
        b"SMB 2.???" => SmbDialect::WILDCARD,
        _ => SmbDialect::Older,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_of(flags: u8, words: &[u8], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![NEGOTIATE, 0, 0, 0, 0, flags];
        bytes.resize(26, 0);
        bytes.extend([7, 0, (words.len() / 2) as u8]);
        bytes.extend(words);
        bytes.extend((data.len() as u16).to_le_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn dialects_are_read_as_far_as_they_go() {
        let offered = |data: &[u8]| match message(&message_of(0, &[], data)) {
            Some(Message::Request { id: 7, offer }) => offer.offered,
            other => panic!("{other:?}"),
        };
        assert_eq!(offered(b"\x02NT LM 0.12\0\x02SMB 2.???\0"), [&b"NT LM 0.12"[..], b"SMB 2.???"]);
        assert_eq!(offered(b"\x02a\0\x03b\0\x02c\0"), [b"a"]);
        assert_eq!(offered(b"\x02a\0\x02b"), [b"a"]);
        assert_eq!(offered(b"\x02\0"), [b""]);
        assert_eq!(offered(&b"\x02a\0".repeat(100)).len(), MAX_OFFERED);
        assert_eq!(offered(&[&[2][..], &[b'x'; 99], &[0]].concat()), [[b'x'; MAX_DIALECT]]);
    }

    #[test]
    fn what_is_cut_is_no_message() {
        let whole = message_of(REPLY, &[0; 34], &[9; 16]);
        for len in 0..whole.len() - 16 {
            assert_eq!(message(&whole[..len]), None, "{len}");
        }
        let Some(Message::Response { chosen: Some(0), answer, .. }) = message(&whole) else {
            panic!("a response")
        };
        assert_eq!((answer.server_guid, answer.server_requires_signing), (None, Some(false)));
        let none = message_of(REPLY, &[0xff, 0xff], &[]);
        assert!(matches!(message(&none), Some(Message::Response { chosen: None, .. })));
    }
}
