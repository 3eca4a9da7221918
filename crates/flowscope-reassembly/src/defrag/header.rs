use flowscope_core::{Fragment, PacketView, Path, Payload};

use super::key::{Family, Key};

/// The IP header of a fragment: the key of its datagram, and the header of the reassembled datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub(super) family: Family,
    /// IPv4: the header with options. IPv6: everything before the fragment header.
    pub(super) bytes: &'a [u8],
    addrs: [[u64; 2]; 2],
    protocol: u8,
    /// Index in `bytes` of the last next-header field; IPv6 only.
    next_at: usize,
}

impl<'a> Header<'a> {
    /// `None` if the bytes are not what `fragment` and `payload` say.
    pub(super) fn read(
        view: &PacketView<'a>,
        fragment: &Fragment,
        payload: &Payload,
    ) -> Option<Self> {
        let packet = view.frame().get(fragment.header_at as usize..)?;
        match packet.first()? >> 4 {
            4 => Header::v4(packet),
            6 => Header::v6(packet, payload.offset.checked_sub(fragment.header_at)? as usize),
            _ => None,
        }
    }

    fn v4(packet: &'a [u8]) -> Option<Self> {
        let fixed = packet.first_chunk::<20>()?;
        let len = usize::from(fixed[0] & 0x0f) * 4;
        if len < fixed.len() {
            return None;
        }
        let address = |at: &[u8]| Some([0, u64::from(u32::from_be_bytes(*at.first_chunk()?))]);
        Some(Header {
            family: Family::V4,
            bytes: packet.get(..len)?,
            addrs: [address(&fixed[12..])?, address(&fixed[16..])?],
            protocol: fixed[9],
            next_at: 0,
        })
    }

    /// The payload begins right behind the fragment header, which is 8 bytes long.
    fn v6(packet: &'a [u8], payload_at: usize) -> Option<Self> {
        let fixed = packet.first_chunk::<40>()?;
        let fragment_at = payload_at.checked_sub(8)?;
        let bytes = packet.get(..fragment_at)?;
        let address = |at: usize| {
            let half = |at| Some(u64::from_be_bytes(*fixed.get(at..)?.first_chunk()?));
            Some([half(at)?, half(at + 8)?])
        };
        Some(Header {
            family: Family::V6,
            bytes,
            addrs: [address(8)?, address(24)?],
            protocol: *packet.get(fragment_at)?,
            next_at: last_next_header(bytes)?,
        })
    }

    pub(super) fn key(&self, id: u32, path: &Path) -> Key {
        // RFC 791 §3.2 includes the protocol. RFC 8200 §4.5 does not: it may differ between fragments.
        let protocol = if self.family == Family::V4 { self.protocol } else { 0 };
        Key { addrs: self.addrs, id, family: self.family, protocol, path: *path }
    }

    /// Appends the header, changed to one without a fragment header (RFC 8200 §4.5).
    pub(super) fn append_to(&self, buffer: &mut Vec<u8>) {
        let at = buffer.len();
        buffer.extend_from_slice(self.bytes);
        if self.family == Family::V6
            && let Some(next) = buffer.get_mut(at + self.next_at)
        {
            *next = self.protocol;
        }
    }
}

/// Changes the header at the start of `frame` to that of a whole datagram of `payload` bytes.
pub(super) fn make_whole(family: Family, frame: &mut [u8], header_len: usize, payload: usize) {
    let most = usize::from(u16::MAX);
    match family {
        Family::V4 => {
            put_v4(frame, 2, (header_len + payload).min(most) as u16);
            // Keeps the reserved bit and "don't fragment".
            let flags = frame.get(6).map_or(0, |flags| flags & 0xc0);
            put_v4(frame, 6, u16::from(flags) << 8);
        }
        Family::V6 => {
            let len = (header_len.saturating_sub(40) + payload).min(most) as u16;
            if let Some(field) = frame.get_mut(4..6) {
                field.copy_from_slice(&len.to_be_bytes());
            }
        }
    }
}

/// Sets 16 bits of an IPv4 header and corrects its checksum by the difference (RFC 1624), so that a
/// right one stays right and a wrong one wrong.
fn put_v4(header: &mut [u8], at: usize, value: u16) {
    let Some(header) = header.first_chunk_mut::<20>() else { return };
    let word = |header: &[u8; 20], at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let sum = u32::from(!word(header, 10)) + u32::from(!word(header, at)) + u32::from(value);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    header[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    header[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// Index of the next-header field that names the fragment header behind `bytes`: in the fixed header or the
/// last extension header. Each of those has 8 bytes or more, so the loop ends.
fn last_next_header(bytes: &[u8]) -> Option<usize> {
    let mut next_at = 6;
    let mut at = 40;
    while at < bytes.len() {
        let words = usize::from(*bytes.get(at + 1)?);
        at = match (bytes.get(next_at)?, std::mem::replace(&mut next_at, at)) {
            (&HOP_BY_HOP | &ROUTING | &DESTINATION, _) => at + (words + 1) * 8,
            (&AUTH, _) => at + (words + 2) * 4,
            _ => return None,
        };
    }
    (at == bytes.len() && bytes.get(next_at) == Some(&FRAGMENT)).then_some(next_at)
}

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTH: u8 = 51;
const DESTINATION: u8 = 60;

#[cfg(test)]
mod tests {
    use flowscope_testkit::{frame, internet_checksum};

    use super::*;

    #[test]
    fn a_right_checksum_stays_right_whatever_is_written() {
        let mut header = frame().ipv4("10.0.0.1", "10.0.0.2").build();
        for value in (0..=u16::MAX).chain([0, u16::MAX, 0]) {
            put_v4(&mut header, 2, value);
            assert_eq!(internet_checksum(&[&header]), 0, "{value}");
        }
    }
}
