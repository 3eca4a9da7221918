//! Presentation forms of types whose data the library leaves as bytes.

use std::fmt::Write as _;

use data_encoding::{BASE32_DNSSEC, BASE64, Encoding};

use super::write_strings;
use crate::RecordType;
use crate::name::write_label;
use crate::wire::be32;

/// The data of a record in presentation form. `None` if its type has no form here, or the bytes do not fit it.
///
/// Names in it are not compressed (RFC 3597 §4); one that is does not fit.
pub(super) fn text(rtype: RecordType, bytes: &[u8]) -> Option<String> {
    let mut form = Form { rest: bytes, text: String::new() };
    match rtype.0 {
        // RP (RFC 1183 §2.2).
        17 => form.name()?.name()?,
        // AFSDB, RT, KX (RFC 1183 §1 and §3.3, RFC 2230 §3.1).
        18 | 21 | 36 => form.u16()?.name()?,
        // X25, ISDN, GPOS, SPF: strings (RFC 1183 §3.1 and §3.2, RFC 1712 §3, RFC 7208 §3.1).
        19 | 20 | 27 | 99 => form.strings()?,
        // SIG and RRSIG, with times in seconds since 1970 (RFC 4034 §3.2).
        24 | 46 => form
            .rtype()?
            .u8()?
            .u8()?
            .u32()?
            .u32()?
            .u32()?
            .u16()?
            .name()?
            .base(&BASE64, usize::MAX)?,
        // LOC (RFC 1876 §3).
        29 => form.location()?,
        // DNAME (RFC 6672 §2.1).
        39 => form.name()?,
        // DS, CDS, TA, DLV (RFC 4034 §5.3).
        43 | 59 | 32768 | 32769 => form.u16()?.u8()?.u8()?.hex(usize::MAX)?,
        // NSEC (RFC 4034 §4.2).
        47 => form.name()?.types()?,
        // KEY, DNSKEY, CDNSKEY (RFC 4034 §2.2).
        25 | 48 | 60 => form.u16()?.u8()?.u8()?.base(&BASE64, usize::MAX)?,
        // DHCID (RFC 4701 §3.1).
        49 => form.base(&BASE64, usize::MAX)?,
        // NSEC3 (RFC 5155 §3.3).
        50 => {
            let form = form.u8()?.u8()?.u16()?.salt()?;
            let [len] = form.take()?;
            form.base(&BASE32_DNSSEC, usize::from(len))?.types()?
        }
        // NSEC3PARAM (RFC 5155 §4.3).
        51 => form.u8()?.u8()?.u16()?.salt()?,
        // SMIMEA (RFC 8162 §2).
        53 => form.u8()?.u8()?.u8()?.hex(usize::MAX)?,
        // ZONEMD (RFC 8976 §2.3).
        63 => form.u32()?.u8()?.u8()?.hex(usize::MAX)?,
        // EUI48 and EUI64 (RFC 7043 §3.2 and §4.2).
        108 if bytes.len() == 6 => form.octets()?,
        109 if bytes.len() == 8 => form.octets()?,
        // URI (RFC 7553 §4.1).
        256 => form.u16()?.u16()?.string(usize::MAX)?,
        _ => return None,
    };
    form.rest.is_empty().then_some(form.text)
}

/// What is left of the data, and what has been written of it.
struct Form<'a> {
    rest: &'a [u8],
    text: String,
}

impl<'a> Form<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*bytes)
    }

    /// So many of the bytes that are left, or all.
    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let len = if len == usize::MAX { self.rest.len() } else { len };
        let (bytes, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Writes a field, with a space before it unless it is the first.
    fn push(&mut self, field: impl std::fmt::Display) -> Option<&mut Self> {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        write!(self.text, "{field}").ok()?;
        Some(self)
    }

    fn u8(&mut self) -> Option<&mut Self> {
        let [number] = self.take()?;
        self.push(number)
    }

    fn u16(&mut self) -> Option<&mut Self> {
        let number = u16::from_be_bytes(self.take()?);
        self.push(number)
    }

    fn u32(&mut self) -> Option<&mut Self> {
        let number = u32::from_be_bytes(self.take()?);
        self.push(number)
    }

    fn rtype(&mut self) -> Option<&mut Self> {
        let rtype = RecordType(u16::from_be_bytes(self.take()?));
        self.push(rtype)
    }

    fn name(&mut self) -> Option<&mut Self> {
        self.push("")?;
        if let [0, rest @ ..] = self.rest {
            self.rest = rest;
            self.text.push('.');
            return Some(self);
        }
        let mut is_first = true;
        loop {
            let [len] = self.take()?;
            if len == 0 {
                return Some(self);
            }
            let label = (len < 64).then(|| self.bytes(usize::from(len)))??;
            if !is_first {
                self.text.push('.');
            }
            is_first = false;
            write_label(&mut self.text, label).ok()?;
        }
    }

    /// A text in quotes, of so many bytes or of all that are left.
    fn string(&mut self, len: usize) -> Option<&mut Self> {
        let string = self.bytes(len)?;
        self.push("")?;
        write_strings(&mut self.text, [&string]).ok()?;
        Some(self)
    }

    /// Strings up to the end, each with its length before it.
    fn strings(&mut self) -> Option<&mut Self> {
        while !self.rest.is_empty() {
            let [len] = self.take()?;
            self.string(usize::from(len))?;
        }
        Some(self)
    }

    fn hex(&mut self, len: usize) -> Option<&mut Self> {
        let bytes = self.bytes(len)?;
        self.push("")?;
        bytes.iter().try_for_each(|byte| write!(self.text, "{byte:02x}")).ok()?;
        Some(self)
    }

    /// `-` if it is empty (RFC 5155 §3.3).
    fn salt(&mut self) -> Option<&mut Self> {
        match self.take()? {
            [0] => self.push('-'),
            [len] => self.hex(usize::from(len)),
        }
    }

    fn octets(&mut self) -> Option<&mut Self> {
        let octets: Vec<String> =
            self.bytes(usize::MAX)?.iter().map(|octet| format!("{octet:02x}")).collect();
        self.push(octets.join("-"))
    }

    fn base(&mut self, encoding: &Encoding, len: usize) -> Option<&mut Self> {
        let bytes = self.bytes(len)?;
        self.push(encoding.encode_display(bytes))
    }

    /// The types of a bit map, up to the end (RFC 4034 §4.1.2).
    ///
    /// Each bit becomes a word: a map of more types than are assigned stays bytes.
    fn types(&mut self) -> Option<&mut Self> {
        const MAX_TYPES: u32 = 256;
        let mut count = 0;
        while !self.rest.is_empty() {
            let [window, len] = self.take()?;
            let bits =
                self.bytes(usize::from(len)).filter(|bits| (1..=32).contains(&bits.len()))?;
            count += bits.iter().map(|byte| byte.count_ones()).sum::<u32>();
            if count > MAX_TYPES {
                return None;
            }
            for (at, byte) in (0_u16..).zip(bits) {
                for bit in (0..8).filter(|bit| byte & (0x80 >> bit) != 0) {
                    self.push(RecordType(u16::from_be_bytes([window, 0]) + at * 8 + bit))?;
                }
            }
        }
        Some(self)
    }

    /// Where something is: version 0, the only one there is.
    fn location(&mut self) -> Option<&mut Self> {
        let fields: [u8; 16] = self.take()?;
        let [0, size, horizontal, vertical, ..] = fields else { return None };
        let (latitude, longitude) = (be32(&fields, 4)?, be32(&fields, 8)?);
        self.angle(latitude, ['S', 'N'])?.angle(longitude, ['W', 'E'])?;
        // Centimetres above 100 km below the ellipsoid.
        let altitude = i64::from(be32(&fields, 12)?) - 10_000_000;
        let sign = if altitude < 0 { "-" } else { "" };
        let (metres, rest) = (altitude.unsigned_abs() / 100, altitude.unsigned_abs() % 100);
        self.push(format_args!("{sign}{metres}.{rest:02}m"))?;
        [size, horizontal, vertical].into_iter().try_for_each(|length| {
            let (digit, power) = (length >> 4, length & 15);
            let length =
                (digit <= 9 && power <= 9).then(|| u64::from(digit) * 10_u64.pow(power.into()))?;
            self.push(format_args!("{}.{:02}m", length / 100, length % 100)).map(drop)
        })?;
        Some(self)
    }

    /// Thousandths of a second of arc from 2^31.
    fn angle(&mut self, angle: u32, [before, behind]: [char; 2]) -> Option<&mut Self> {
        const ZERO: u32 = 1 << 31;
        let (arc, side) = (angle.abs_diff(ZERO), if angle < ZERO { before } else { behind });
        let (degrees, minutes) = (arc / 3_600_000, arc / 60_000 % 60);
        let (seconds, thousandths) = (arc / 1000 % 60, arc % 1000);
        self.push(format_args!("{degrees} {minutes} {seconds}.{thousandths:03} {side}"))
    }
}
