//! How long the body of a message is (RFC 9112 §6.3).

use crate::anomalies::HeadAnomalies;
use crate::fields::Fields;
use crate::message::{Framing, HttpAnomalyKind, HttpVersion};
use crate::pairing::RequestClass;

/// Rules 3 to 5 and 7: a request has the body its fields announce, or none.
pub(crate) fn of_request(
    version: HttpVersion,
    fields: &Fields,
    anomalies: &mut HeadAnomalies,
) -> Framing {
    announced(version, fields, anomalies).unwrap_or(Framing::None)
}

/// All rules: `asked` is what the response answers.
pub(crate) fn of_response(
    version: HttpVersion,
    status: u16,
    asked: RequestClass,
    fields: &Fields,
    anomalies: &mut HeadAnomalies,
) -> Framing {
    // Always, since what contradicts itself is of interest whether or not it counts.
    let announced = announced(version, fields, anomalies);
    match (status, asked) {
        (101, _) => Framing::Tunnel,
        // Rule 2, which holds for 204 too: "Any 2xx (Successful) response to a CONNECT request implies
        // that the connection will become a tunnel immediately after the empty line".
        (200..300, RequestClass::Connect) => Framing::Tunnel,
        // Rule 1: "terminated by the first empty line after the header fields".
        (100..200 | 204 | 304, _) | (_, RequestClass::Head) => Framing::None,
        // Rule 8: "determined by the number of octets received prior to the server closing".
        _ => announced.unwrap_or(Framing::UntilClose),
    }
}

/// What the fields say, if anything.
fn announced(
    version: HttpVersion,
    fields: &Fields,
    anomalies: &mut HeadAnomalies,
) -> Option<Framing> {
    let mut lengths = Lengths::default();
    let mut codings = Codings::default();
    let mut hosts = 0;
    for (name, value) in fields.iter_raw() {
        // Lengths first: most fields are none of the three.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => hosts += 1,
            14 if name.eq_ignore_ascii_case(b"content-length") => lengths.add(value, anomalies),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => codings.add(value),
            _ => {}
        }
    }
    if hosts > 1 {
        anomalies.add(HttpAnomalyKind::HostRepeated, 0);
    }
    let coded = codings.framing(anomalies);
    if codings.present {
        if lengths.present {
            anomalies.add(HttpAnomalyKind::LengthAndTransferEncoding, 0);
        }
        if version == HttpVersion::HTTP_10 {
            anomalies.add(HttpAnomalyKind::TransferEncodingIn10, 0);
        }
    }
    coded.or_else(|| lengths.framing())
}

#[derive(Default)]
struct Lengths {
    present: bool,
    last: Option<u64>,
    invalid: bool,
}

impl Lengths {
    /// Takes a value, or a list of them: "5, 5" is what becomes of two fields on the way.
    fn add(&mut self, value: &[u8], anomalies: &mut HeadAnomalies) {
        for element in value.split(|byte| *byte == b',') {
            let element = element.trim_ascii();
            let Some(length) = number(element) else {
                anomalies.add(HttpAnomalyKind::LengthInvalid, 0);
                self.invalid |= !element.is_empty();
                continue;
            };
            match self.last {
                Some(last) if last != length => anomalies.add(HttpAnomalyKind::LengthsDiffer, 0),
                Some(_) => anomalies.add(HttpAnomalyKind::LengthRepeated, 0),
                None => {}
            }
            self.last = Some(length);
        }
        self.present = true;
    }

    fn framing(&self) -> Option<Framing> {
        if self.invalid {
            return Some(Framing::UntilClose);
        }
        self.last.map(Framing::Length)
    }
}

/// `1*DIGIT`, of at most 64 bits.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[derive(Default)]
struct Codings {
    present: bool,
    /// Codings named, without the identity of RFC 2616.
    count: usize,
    chunked: usize,
    last_is_chunked: bool,
    unknown: bool,
}

impl Codings {
    fn add(&mut self, value: &[u8]) {
        self.present = true;
        for element in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if element.is_empty() {
                continue;
            }
            let name =
                element.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
            let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
            if is(b"identity") {
                self.unknown = true;
                continue;
            }
            self.count += 1;
            self.last_is_chunked = is(b"chunked");
            self.chunked += usize::from(self.last_is_chunked);
            let known =
                [&b"chunked"[..], b"gzip", b"x-gzip", b"deflate", b"compress", b"x-compress"];
            self.unknown |= !known.into_iter().any(is);
        }
        self.unknown |= self.count == 0;
    }

    fn framing(&self, anomalies: &mut HeadAnomalies) -> Option<Framing> {
        if self.unknown {
            anomalies.add(HttpAnomalyKind::UnknownTransferCoding, 0);
        }
        if self.count == 0 {
            return None;
        }
        if !self.last_is_chunked || self.chunked > 1 {
            anomalies.add(HttpAnomalyKind::ChunkedNotLast, 0);
        }
        Some(if self.last_is_chunked { Framing::Chunked } else { Framing::UntilClose })
    }
}
