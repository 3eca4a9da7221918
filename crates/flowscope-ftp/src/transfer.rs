use flowscope_core::{FlowSide, Timestamp};
use flowscope_files::FileInfo;

/// The name of the protocol of data connections.
pub(crate) const DATA: &str = "ftp-data";

/// What a data connection carried: a file, or the list of a directory.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct FtpTransfer {
    /// Time of the first bytes.
    pub ts: Timestamp,
    /// Number of the first packet of the control connection: its flow's id. `None` if the control connection is not known.
    pub control_flow: Option<u64>,
    /// The command that asked for it, in upper case (RFC 959 §4.1.3); `None` if that was not captured.
    pub command: Option<Vec<u8>>,
    /// The argument of the command, a path; of `STOU` what the server calls the file (RFC 1123 §4.1.2.9).
    pub name: Option<Vec<u8>>,
    /// Where in the file the transfer begins, in bytes: the last `REST` (RFC 3659 §5).
    pub offset: u64,
    /// Size of the file in bytes, where the reply that opens the transfer says it.
    pub file_size: Option<u64>,
    /// The side of the data connection that sent.
    pub sender: Option<FlowSide>,
    /// Bytes that were captured.
    pub bytes: u64,
    /// Bytes within that were sent and not captured.
    pub missing_bytes: u64,
    /// Whether the start or the end was not seen: the capture or a reset ended it, or fewer bytes came than the file has.
    pub is_cut: bool,
    /// Whether TLS protects it (RFC 4217 §9). What that encrypts is not counted.
    pub is_protected: bool,
    /// What is known of the file, as it was sent, if [asked for](crate::FtpDataParser::with_files). It has a hash if the
    /// transfer was whole and began at the start of the file.
    pub file: Option<Box<FileInfo>>,
}

/// What the control connection says of a data connection.
///
/// It goes from one parser to the other as text: the offset, the size or `-`, the command, and behind the next space the
/// argument.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Order {
    pub(crate) offset: u64,
    pub(crate) file_size: Option<u64>,
    pub(crate) command: Vec<u8>,
    pub(crate) name: Option<Vec<u8>>,
}

impl Order {
    pub(crate) fn to_text(&self) -> Vec<u8> {
        let size = self.file_size.map_or("-".to_owned(), |size| size.to_string());
        let mut text = format!("{} {size} ", self.offset).into_bytes();
        text.extend_from_slice(&self.command);
        if let Some(name) = &self.name {
            text.push(b' ');
            text.extend_from_slice(name);
        }
        text
    }

    pub(crate) fn of_text(text: &[u8]) -> Option<Self> {
        let mut words = text.splitn(4, |&byte| byte == b' ');
        let offset = number(words.next()?)?;
        let file_size = number(words.next()?);
        let command = words.next()?.to_vec();
        Some(Order { offset, file_size, command, name: words.next().map(<[u8]>::to_vec) })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.command.capacity() + self.name.as_ref().map_or(0, Vec::capacity)
    }
}

/// Whether a command opens a data connection (RFC 959 §4.1.3, RFC 3659 §7).
pub(crate) fn is_transfer(command: &[u8]) -> bool {
    is_of_file(command) || matches!(command, b"LIST" | b"NLST" | b"MLSD")
}

/// Whether what the data connection carries is a file.
pub(crate) fn is_of_file(command: &[u8]) -> bool {
    matches!(command, b"RETR" | b"STOR" | b"STOU" | b"APPE")
}

pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}

impl FtpTransfer {
    /// Whether the client sent, and not the server; `None` if the command is not known.
    #[must_use]
    pub fn is_upload(&self) -> Option<bool> {
        Some(matches!(self.command.as_deref()?, b"STOR" | b"STOU" | b"APPE"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_what_its_text_says() {
        for order in [
            Order { command: b"LIST".to_vec(), ..Order::default() },
            Order {
                offset: 7,
                file_size: Some(u64::MAX),
                command: b"RETR".to_vec(),
                name: Some(b"a file  of\xff".to_vec()),
            },
        ] {
            assert_eq!(Order::of_text(&order.to_text()), Some(order));
        }
        for text in ["", "x - RETR", "1", "1 -"] {
            assert_eq!(Order::of_text(text.as_bytes()), None, "{text}");
        }
    }
}
