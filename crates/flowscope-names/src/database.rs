//! Databases and brokers of messages.

use crate::answer::Answer::{self, Maybe, No, OnPort, Yes};

use crate::shape::Byte::{Any, From, In, Is};
use crate::shape::{be, header, le, sure_if};
use crate::text::{is_number, is_word, line, words};

/// MongoDB wire protocol: length, request id, id that is answered, opcode, all in reverse order. The opcode is one
/// that begins a connection: `OP_QUERY`, `OP_COMPRESSED`, `OP_MSG`.
pub(crate) fn mongodb(start: &[u8]) -> Answer {
    const OPCODE: &[u8] = &[0xd4, 0xdc, 0xdd];
    let shape = [
        Any,
        Any,
        Any,
        Is(0),
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        In(OPCODE),
        Is(7),
        Is(0),
        Is(0),
    ];
    header(start, &shape, |start| sure_if(le(start, 0, 4) > 16))
}

/// Kafka: a request with its length, key, version, correlation id and the name of the client.
pub(crate) fn kafka(start: &[u8]) -> Answer {
    let shape = [
        Is(0),
        Any,
        Any,
        Any,
        Is(0),
        From(0, 80),
        Is(0),
        From(0, 20),
        Any,
        Any,
        Any,
        Any,
        Is(0),
        From(1, 127),
    ];
    header(start, &shape, |start| {
        let (len, name) = (be(start, 0, 4), be(start, 12, 2));
        let client = &start[14..];
        let client = &client[..client.len().min(name)];
        if len < name + 10 || !client.iter().all(u8::is_ascii_graphic) {
            No
        } else if client.len() < name {
            Maybe
        } else {
            Yes
        }
    })
}

/// CQL: an `OPTIONS` frame without a body, or a `STARTUP` frame with a map of strings. Versions 3 to 5 have these
/// headers.
pub(crate) fn cassandra(start: &[u8]) -> Answer {
    let options = [From(3, 5), From(0, 0x1f), Any, Any, Is(5), Is(0), Is(0), Is(0), Is(0)];
    let startup = [
        From(3, 5),
        From(0, 0x1f),
        Any,
        Any,
        Is(1),
        Is(0),
        Is(0),
        Any,
        Any,
        Is(0),
        From(1, 15),
        Is(0),
        From(7, 31),
        From(b'A', b'Z'),
        From(b'A', b'Z'),
        From(b'A', b'Z'),
    ];
    match header(start, &options, |_| Yes) {
        No => header(start, &startup, |_| Yes),
        answer => answer,
    }
}

/// TDS: a pre-login message that begins with the option `VERSION`, or the login of TDS 7 whose length is repeated.
pub(crate) fn tds(start: &[u8]) -> Answer {
    let prelogin = [
        Is(0x12),
        In(&[0, 1]),
        Is(0),
        Any,
        Is(0),
        Is(0),
        Any,
        Is(0),
        Is(0),
        Is(0),
        Any,
        Is(0),
        Is(6),
    ];
    let login = [
        Is(0x10),
        In(&[0, 1]),
        Any,
        Any,
        Is(0),
        Is(0),
        Any,
        Is(0),
        Any,
        Any,
        Is(0),
        Is(0),
        Any,
        Any,
        Any,
        From(0x70, 0x74),
    ];
    match header(start, &prelogin, |_| Yes) {
        No => header(start, &login, |start| sure_if(le(start, 8, 4) + 8 >= be(start, 2, 2))),
        answer => answer,
    }
}

/// Oracle's TNS: a `CONNECT` packet with a version from 300 to 399 and a plausible place of its data, or a `RESEND`.
pub(crate) fn tns(start: &[u8]) -> Answer {
    let resend = [Is(0), Is(8), Is(0), Is(0), Is(11), Any, Is(0), Is(0)];
    let connect = [
        Any,
        Any,
        Is(0),
        Is(0),
        Is(1),
        Any,
        Is(0),
        Is(0),
        Is(1),
        From(0x2c, 0x8f),
        In(&[0, 1]),
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Any,
        Is(0),
        From(0x22, 0x60),
    ];
    match header(start, &resend, |_| Yes) {
        No => header(start, &connect, |start| {
            sure_if(be(start, 0, 2) == 0x3a || be(start, 0, 2) >= be(start, 26, 2))
        }),
        answer => answer,
    }
}

/// ZooKeeper: the request that opens a session, with version 0 and a password of 16 bytes.
pub(crate) fn zookeeper(start: &[u8]) -> Answer {
    let mut shape = [Any; 32];
    shape[..8].copy_from_slice(&[
        Is(0),
        Is(0),
        Is(0),
        In(&[0x2c, 0x2d]),
        Is(0),
        Is(0),
        Is(0),
        Is(0),
    ]);
    shape[28..].copy_from_slice(&[Is(0), Is(0), Is(0), Is(16)]);
    header(start, &shape, |_| Yes)
}

/// Elasticsearch's transport: `ES`, length, request id, status, version; or a ping, whose length is -1.
pub(crate) fn elasticsearch(start: &[u8]) -> Answer {
    let ping = [Is(b'E'), Is(b'S'), Is(0xff), Is(0xff), Is(0xff), Is(0xff)];
    let message = [
        Is(b'E'),
        Is(b'S'),
        Is(0),
        Any,
        Any,
        Any,
        Is(0),
        Is(0),
        Is(0),
        Any,
        Any,
        Any,
        Any,
        Any,
        From(0, 31),
        Is(0),
        Any,
        Any,
        Any,
    ];
    match header(start, &ping, |_| Yes) {
        No => header(start, &message, |_| Yes),
        answer => answer,
    }
}

/// Memcached over TCP: a command of text, or a header of the binary protocol.
pub(crate) fn memcached(start: &[u8]) -> Answer {
    const COMMANDS: [&[u8]; 14] = [
        b"get", b"gets", b"gat", b"set", b"add", b"replace", b"append", b"prepend", b"cas",
        b"incr", b"decr", b"touch", b"stats", b"version",
    ];
    if start.first().is_some_and(|first| first & 0xfe == 0x80) {
        return memcached_binary(start);
    }
    let end = start.iter().position(u8::is_ascii_whitespace);
    let command = &start[..end.unwrap_or(start.len())];
    let fits = |known: &&[u8]| {
        if end.is_some() { *known == command } else { known.starts_with(command) }
    };
    if !COMMANDS.iter().any(fits) {
        return No;
    }
    match line(start) {
        Some((line, _)) => memcached_command(line),
        None if start.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\r')) => Maybe,
        None => No,
    }
}

/// A line that is a command with the words that it has to have. Other protocols have those without any too.
fn memcached_command(line: &[u8]) -> Answer {
    let words = words(line);
    let numbers = |from: usize, to: usize| words[from..to].iter().all(|word| is_number(word));
    let is_key = |key: &&[u8]| is_word(key) && key[0] != b'/';
    match (words[0], words.len()) {
        (b"get" | b"gets", 2..) => sure_if(words[1..].iter().all(is_key)),
        (b"gat", 3..) => sure_if(numbers(1, 2)),
        (b"set" | b"add" | b"replace" | b"append" | b"prepend", 5 | 6) => sure_if(numbers(2, 5)),
        (b"cas", 6 | 7) => sure_if(numbers(2, 6)),
        (b"incr" | b"decr" | b"touch", 3 | 4) => sure_if(numbers(2, 3)),
        (b"stats" | b"version", 1) => OnPort,
        _ => No,
    }
}

/// Magic number, opcode, key length, length of extras, data type 0, vbucket or status, body length. The lengths are those
/// that the opcode has.
fn memcached_binary(start: &[u8]) -> Answer {
    let shape = [
        In(&[0x80, 0x81]),
        From(0, 0x22),
        Is(0),
        Any,
        In(&[0, 4, 8, 20]),
        Is(0),
        Is(0),
        Any,
        Is(0),
        Is(0),
        Any,
        Any,
    ];
    header(start, &shape, |start| {
        let [key, extras, body] = [be(start, 2, 2), be(start, 4, 1), be(start, 8, 4)];
        let is_request = start[0] == 0x80;
        let fits = match start[1] {
            // Get, delete, and what they are called without an answer.
            0 | 4 | 9 | 12 | 13 | 20 if is_request => key > 0 && extras == 0 && body == key,
            // Set, add, replace.
            1..=3 if is_request => key > 0 && extras == 8 && body > key + extras,
            // Increment, decrement.
            5 | 6 if is_request => key > 0 && extras == 20 && body == key + extras,
            // No operation, version; SASL has the name of a mechanism.
            10 | 11 if is_request => key + extras + body == 0,
            0x20..=0x22 if is_request => extras == 0 && body >= key,
            _ if is_request => false,
            _ => key == 0 && matches!(extras, 0 | 4) && body >= extras && start[7] < 0x90,
        };
        sure_if(fits)
    })
}

/// Memcached over UDP: request id, number 0 of 1, reserved, then as over TCP.
pub(crate) fn memcached_datagram(bytes: &[u8], _: usize) -> Answer {
    let shape = [Any, Any, Is(0), Is(0), Is(0), Any, Is(0), Is(0), Any];
    header(bytes, &shape, |bytes| match (bytes[5], memcached(&bytes[8..])) {
        (1, OnPort) => Yes,
        (1, answer) => answer,
        // The first of several is an answer.
        (2.., _) => sure_if(bytes[8..].starts_with(b"STAT ") || bytes[8..].starts_with(b"VALUE ")),
        _ => No,
    })
}

/// AMQP, all versions: the header that a client begins with, with its protocol id.
pub(crate) fn amqp(start: &[u8]) -> Answer {
    let shape = [Is(b'A'), Is(b'M'), Is(b'Q'), Is(b'P'), From(0, 3), Any, Any, Any];
    header(start, &shape, |start| sure_if(start[5..8].iter().all(|&byte| byte < 16)))
}
