//! DNS messages whose names go in circles, whose counts lie, or whose ids repeat.

use flowscope_core::FlowSide::Initiator;

use super::talk::{SEGMENT, connection, query, repeated, response};
use super::{Attack, Fate};
use crate::{Packet, Rng};

/// All of this module; about `volume` packets each.
pub fn list(volume: usize) -> Vec<Attack> {
    let all = |name, packets| Attack { name, packets, fate: Fate::Tracked };
    let each = |make: fn(usize) -> Vec<u8>| -> super::Packets {
        Box::new((0..volume).map(move |n| response(n, 53, &make(n))))
    };
    let stream = |make: fn(usize) -> Vec<u8>| -> super::Packets {
        let bytes = (volume * SEGMENT).min(1 << 20);
        Box::new(repeated(volume, move |n| connection(n, 53, SEGMENT, [(Initiator, make(bytes))])))
    };
    vec![
        all("pointers that go in circles", each(circles)),
        all("a chain of pointers", each(|_| chain())),
        all("65535 records that are not there", each(counts)),
        all("a name of 255 labels", each(|n| labels(n, 255))),
        all("the same long name 3000 times", each(|_| compressed())),
        all("messages of noise", each(noise)),
        all("an id again and again", Box::new(ids(volume))),
        all("queries that nobody answers", Box::new((0..volume).map(unanswered))),
        all("messages of 0 bytes in a stream", stream(|len| vec![0; len])),
        all(
            "messages of 65535 bytes in a stream",
            stream(|len| {
                let message =
                    [&[0xff, 0xff], &header(7, [1, 0, 0, 0])[..], &vec![0; 65_523]].concat();
                message.repeat(len.div_ceil(message.len()))
            }),
        ),
        all("messages of one byte in a stream", stream(|len| [0, 1, 7].repeat(len / 3 + 1))),
    ]
}

/// A header (RFC 1035 §4.1.1) of a response.
fn header(id: u16, counts: [u16; 4]) -> Vec<u8> {
    let counts = counts.into_iter().flat_map(u16::to_be_bytes);
    id.to_be_bytes().into_iter().chain([0x81, 0x80]).chain(counts).collect()
}

fn circles(n: usize) -> Vec<u8> {
    let question = header(n as u16, [1, 0, 0, 0]);
    let name: &[u8] = match n % 4 {
        // To itself; two to each other; behind a label; to the header.
        0 => &[0xc0, 12],
        1 => &[0xc0, 14, 0xc0, 12],
        2 => &[1, b'a', 0xc0, 12],
        _ => &[0xc0, 0],
    };
    [&question, name, &[0, 1, 0, 1]].concat()
}

/// Each pointer to the one before it.
fn chain() -> Vec<u8> {
    let mut message = header(7, [1, 1, 0, 0]);
    message.extend([1, b'a', 0, 0, 1, 0, 1]);
    let mut at = 12_u16;
    for _ in 0..2000 {
        let here = message.len() as u16;
        message.extend((0xc000 | at).to_be_bytes());
        at = here;
    }
    message.truncate(4000);
    message
}

fn counts(n: usize) -> Vec<u8> {
    let counts = [0, 1, 2, 3].map(|place| if n >> place & 1 == 0 { u16::MAX } else { 0 });
    let counts = if counts == [0; 4] { [u16::MAX; 4] } else { counts };
    [header(n as u16, counts), vec![0; n % 40]].concat()
}

fn labels(n: usize, count: usize) -> Vec<u8> {
    let name: Vec<u8> = (0..count).flat_map(|at| [1, b'a' + ((n + at) % 26) as u8]).collect();
    [&header(n as u16, [1, 0, 0, 0])[..], &name, &[0, 0, 1, 0, 1]].concat()
}

/// A name as long as there are, and records that all point to it.
fn compressed() -> Vec<u8> {
    let records = 5000_u16;
    let mut message = header(9, [1, records, 0, 0]);
    message.extend((0..126).flat_map(|_| [1, b'z']));
    message.extend([0, 0, 1, 0, 1]);
    for _ in 0..records {
        message.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12]);
    }
    message.truncate(60_000);
    message
}

fn noise(n: usize) -> Vec<u8> {
    let mut rng = Rng::new(n as u64);
    let len = rng.below(400);
    [header(n as u16, [1, 3, 2, 1]), rng.bytes(len)].concat()
}

/// One client asks and is answered under one id, other names each time.
fn ids(volume: usize) -> impl Iterator<Item = Packet> {
    (0..volume).map(|n| {
        let mut message = labels(7, 1 + n % 20);
        message[..2].copy_from_slice(&[0, 7]);
        if n % 3 == 2 {
            return response(0, 53, &message);
        }
        message[2] = 1;
        query(0, 53, &message)
    })
}

fn unanswered(n: usize) -> Packet {
    let mut message = labels(n, 3);
    message[2] = 1;
    query(n % 3, 53, &message)
}
