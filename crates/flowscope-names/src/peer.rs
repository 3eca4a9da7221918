//! Networks of equals.

use crate::answer::Answer::{self, No, Yes};

use crate::shape::Byte::{Any, From, In, Is};
use crate::shape::{be, header, le, sure_if, zero};
use crate::text::one_of;

/// BitTorrent over UDP: the packet that opens a connection of uTP (BEP 29), which has no earlier packet to measure;
/// a request to connect to a tracker (BEP 15); a search in the local network (BEP 14).
pub(crate) fn bittorrent(bytes: &[u8], len: usize) -> Answer {
    match bytes.first() {
        Some(0x41) => {
            let shape =
                [Is(0x41), In(&[0, 2]), Any, Any, Any, Any, Any, Any, Is(0), Is(0), Is(0), Is(0)];
            header(bytes, &shape, |bytes| match bytes[1] {
                0 => sure_if(len == 20 && zero(bytes, 18, 2)),
                _ => sure_if(len == 30 && be(bytes, 20, 2) == 8),
            })
        }
        Some(0) => sure_if(
            bytes.starts_with(b"\0\0\x04\x17\x27\x10\x19\x80\0\0\0\0") && matches!(len, 16 | 98),
        ),
        _ => one_of(bytes, &[b"BT-SEARCH * HTTP/1.1\r\n"]),
    }
}

/// BitTorrent's distributed hash table (BEP 5): a dictionary whose first key is that of a query's arguments, of an
/// error or of a response, or the address of the asker (BEP 42).
pub(crate) fn bittorrent_dht(bytes: &[u8], _: usize) -> Answer {
    one_of(bytes, &[b"d1:ad2:id20:", b"d1:rd2:id20:", b"d1:eli20", b"d2:ip6:", b"d2:ip4:"])
}

/// Bitcoin: the number of a network, and a command in lower case, filled up with zeros.
pub(crate) fn bitcoin(start: &[u8]) -> Answer {
    const NETWORKS: [&[u8]; 5] = [
        b"\xf9\xbe\xb4\xd9",
        b"\x0b\x11\x09\x07",
        b"\xfa\xbf\xb5\xda",
        b"\x0a\x03\xcf\x40",
        b"\x1c\x16\x3f\x28",
    ];
    match one_of(start, &NETWORKS) {
        Yes => {
            let command = &start[4..start.len().min(16)];
            let letters = command
                .iter()
                .take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                .count();
            if letters == 0 && !command.is_empty()
                || command[letters..].iter().any(|&byte| byte != 0)
            {
                No
            } else if command.len() < 12 {
                Answer::Maybe
            } else {
                Yes
            }
        }
        answer => answer,
    }
}

/// eDonkey: the hello of a client, its answer, or the login to a server: a hash, an address and a port, and a small number of
/// tags. Towards a client the length of the hash comes first.
pub(crate) fn edonkey(start: &[u8]) -> Answer {
    let shape = [Is(0xe3), From(8, 255), In(&[0, 1, 2]), Is(0), Is(0), In(&[0x01, 0x4c])];
    header(start, &shape, |start| {
        let is_hello = start.get(5) == Some(&1) && start.get(6) == Some(&16);
        let tags = if is_hello { 29 } else { 28 };
        if start.len() < 33 {
            return Answer::Maybe;
        }
        sure_if((1..32).contains(&le(start, tags, 4)))
    })
}
