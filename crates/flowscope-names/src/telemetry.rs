//! Records of traffic and of events.

use crate::answer::Answer::{self, Maybe, No, OnPort, Yes};

use crate::shape::Byte::{Any, From, In, Is};
use crate::shape::{be, header, sure_if};
use crate::text::{is_text, one_of};

/// NetFlow version 5 and 7, whose records have one size; version 9 (RFC 3954 §5) and IPFIX (RFC 7011 §3), whose
/// sets fill the datagram.
pub(crate) fn netflow(bytes: &[u8], len: usize) -> Answer {
    let shape = [
        Is(0),
        In(&[5, 7, 9, 10]),
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
    ];
    header(bytes, &shape, |bytes| {
        let count = be(bytes, 2, 2);
        match bytes[1] {
            5 => sure_if((1..=30).contains(&count) && len == 24 + 48 * count),
            7 => sure_if((1..=30).contains(&count) && len == 24 + 52 * count),
            9 => sure_if((1..1000).contains(&count) && sets_fill(bytes, 20, len, 0..=1)),
            _ => sure_if(count == len && sets_fill(bytes, 16, len, 2..=3)),
        }
    })
}

/// Whether sets with the ids of templates, or of records, go up to the end of the datagram.
fn sets_fill(
    bytes: &[u8],
    from: usize,
    len: usize,
    templates: std::ops::RangeInclusive<usize>,
) -> bool {
    let mut at = from;
    while at + 4 <= bytes.len() {
        let (id, size) = (be(bytes, at, 2), be(bytes, at + 2, 2));
        if !(templates.contains(&id) || id >= 256) || size < 4 {
            return false;
        }
        at += size;
    }
    at > from && (at == len || bytes.len() < len && at <= len)
}

/// sFlow versions 2, 4 and 5: version, the family of the agent's address.
pub(crate) fn sflow(bytes: &[u8], len: usize) -> Answer {
    let shape = [Is(0), Is(0), Is(0), In(&[2, 4, 5]), Is(0), Is(0), Is(0), In(&[1, 2])];
    header(bytes, &shape, |bytes| {
        // Behind the address: agent, sequence number, time and the number of samples; agents came with version 5.
        let at = 8 + if bytes[7] == 1 { 4 } else { 16 } + if bytes[3] == 5 { 12 } else { 8 };
        sure_if(len >= at + 4 && be(bytes, at, 4) < 256)
    })
}

/// Syslog: a priority of at most 191 (RFC 5424 §6.2.1), then version 1 or the month of a time (RFC 3164 §4.1.2). Any
/// text behind a priority is plausible.
pub(crate) fn syslog(start: &[u8]) -> Answer {
    const MONTHS: [&[u8]; 12] = [
        b"Jan ", b"Feb ", b"Mar ", b"Apr ", b"May ", b"Jun ", b"Jul ", b"Aug ", b"Sep ", b"Oct ",
        b"Nov ", b"Dec ",
    ];
    let Some((b'<', rest)) = start.split_first() else {
        return if start.is_empty() { Maybe } else { No };
    };
    let digits = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
    let Some(&end) = rest.get(digits) else { return Maybe };
    let priority =
        rest[..digits].iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    if end != b'>' || digits == 0 || priority > 191 {
        return No;
    }
    let message = &rest[digits + 1..];
    let version = [Is(b'1'), Is(b' '), From(b'0', b'9'), From(b'0', b'9'), From(b'0', b'9')];
    let no_time = [Is(b'1'), Is(b' '), Is(b'-'), Is(b' ')];
    let answers = [
        header(message, &version, |_| Yes),
        header(message, &no_time, |_| Yes),
        one_of(message, &MONTHS),
    ];
    if answers.contains(&Yes) {
        Yes
    } else if answers.contains(&Maybe) {
        Maybe
    } else if message.iter().take(64).all(|&byte| is_text(byte)) {
        OnPort
    } else {
        No
    }
}

/// The same over UDP.
pub(crate) fn syslog_datagram(bytes: &[u8], _: usize) -> Answer {
    syslog(bytes)
}

/// Syslog over TCP: the same, behind a count of bytes or not (RFC 6587 §3.4.1).
pub(crate) fn syslog_stream(start: &[u8]) -> Answer {
    let digits = start.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    match start.get(digits) {
        None if digits < 5 => Maybe,
        Some(b' ') if digits > 0 && start[0] != b'0' => syslog(&start[digits + 1..]),
        Some(b'<') if digits == 0 => syslog(start),
        _ => No,
    }
}
