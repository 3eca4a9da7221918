//! Packets on the wire: MySQL, "Client/Server Protocol", Connection Phase Packets.

use flowscope_core::Probe;

use crate::message::{MysqlError, MysqlStart};

/// Longest payload that is read.
pub(crate) const MAX_PAYLOAD: usize = 8 * 1024;

const CONNECT_WITH_DB: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
const SSL: u32 = 1 << 11;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;
const CONNECT_ATTRS: u32 = 1 << 20;
const PLUGIN_AUTH_LENENC: u32 = 1 << 21;

/// A reader of bytes that gives `None` once there are too few.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, len: usize) -> Option<u64> {
        Some(self.take(len)?.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// Text up to NUL, which may be missing at the end of the packet.
    fn text(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let text = &self.0[..end];
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        text
    }

    /// Bytes whose length is in front of them as a length-encoded integer.
    fn counted(&mut self) -> Option<&'a [u8]> {
        let len = match self.number(1)? {
            0xfc => self.number(2)?,
            0xfd => self.number(3)?,
            0xfe => self.number(8)?,
            len if len < 0xfb => len,
            _ => return None,
        };
        self.take(usize::try_from(len).ok()?)
    }
}

/// Reads a greeting of version 10.
pub(crate) fn greeting(payload: &[u8], start: &mut MysqlStart) -> Option<()> {
    let mut reader = Reader(payload.strip_prefix(&[10])?);
    start.server_version = Some(reader.text().to_vec());
    start.connection_id = Some(reader.number(4)? as u32);
    reader.take(9)?;
    let low = reader.number(2)? as u32;
    start.server_capabilities = Some(low);
    if reader.take(3).is_none() {
        return Some(());
    }
    let all = low | (reader.number(2)? as u32) << 16;
    start.server_capabilities = Some(all);
    let salt = reader.number(1)? as usize;
    reader.take(10)?;
    if all & SECURE_CONNECTION != 0 {
        reader.take(salt.saturating_sub(8).max(13))?;
    }
    if all & PLUGIN_AUTH != 0 {
        start.server_plugin = Some(reader.text().to_vec());
    }
    Some(())
}

/// Reads what a client answers; gives whether it goes on to TLS. Fields behind one that is cut stay unknown.
pub(crate) fn response(payload: &[u8], start: &mut MysqlStart) -> Option<bool> {
    let mut reader = Reader(payload);
    let low = reader.number(2)? as u32;
    if low & PROTOCOL_41 == 0 {
        start.client_capabilities = Some(low);
        reader.take(3)?;
        if low & SSL != 0 && reader.0.is_empty() {
            return Some(true);
        }
        start.user = Some(reader.text().to_vec());
        reader.text();
        if low & CONNECT_WITH_DB != 0 {
            start.database = Some(reader.text().to_vec());
        }
        return Some(false);
    }
    let all = low | (reader.number(2)? as u32) << 16;
    start.client_capabilities = Some(all);
    reader.take(28)?;
    if all & SSL != 0 && reader.0.is_empty() {
        return Some(true);
    }
    start.user = Some(reader.text().to_vec());
    identity(reader, all, start);
    Some(false)
}

/// What is behind the user.
fn identity(mut reader: Reader<'_>, all: u32, start: &mut MysqlStart) -> Option<()> {
    if all & PLUGIN_AUTH_LENENC != 0 {
        reader.counted()?;
    } else if all & SECURE_CONNECTION != 0 {
        let len = reader.number(1)? as usize;
        reader.take(len)?;
    } else {
        reader.text();
    }
    if all & CONNECT_WITH_DB != 0 {
        start.database = Some(reader.text().to_vec());
    }
    if all & PLUGIN_AUTH != 0 {
        start.client_plugin = Some(reader.text().to_vec());
    }
    if all & CONNECT_ATTRS != 0 {
        let mut attributes = Reader(reader.counted()?);
        while !attributes.0.is_empty() {
            let (name, value) = (attributes.counted()?, attributes.counted()?);
            if name == b"program_name" {
                start.program_name = Some(value.to_vec());
            }
        }
    }
    Some(())
}

/// An ERR_Packet.
pub(crate) fn error(payload: &[u8]) -> Option<MysqlError> {
    let mut reader = Reader(payload.strip_prefix(&[0xff])?);
    let code = reader.number(2)? as u16;
    let (sqlstate, message) = match reader.0 {
        [b'#', rest @ ..] if rest.len() >= 5 => (Some(rest[..5].to_vec()), &rest[5..]),
        rest => (None, rest),
    };
    Some(MysqlError { code, sqlstate, message: message.to_vec() })
}

/// The length of a payload and its number, at the start of a packet.
pub(crate) fn header(head: &[u8]) -> (usize, u8) {
    let len = Reader(head).number(3).unwrap_or_default() as usize;
    (len, head.get(3).copied().unwrap_or_default())
}

/// What is said of first bytes: a greeting is sure once its version is seen to be one.
pub(crate) fn probe(start: &[u8]) -> Probe {
    let Some(head) = start.get(..4) else { return Probe::Maybe };
    match (header(head), start.get(4)) {
        ((1..=MAX_PAYLOAD, 0 | 1), None) | ((1..=MAX_PAYLOAD, 0), Some(0xff)) => Probe::Maybe,
        ((1..=MAX_PAYLOAD, 1), Some(_)) => Probe::Maybe,
        ((32..=1024, 0), Some(10)) => {
            let version = &start[5..];
            match version.iter().position(|byte| !byte.is_ascii_digit()) {
                Some(at @ 1..=3) if version[at] == b'.' => Probe::Yes,
                None if version.len() <= 3 => Probe::Maybe,
                _ => Probe::No,
            }
        }
        _ => Probe::No,
    }
}
