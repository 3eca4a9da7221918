use std::fmt;
use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};
use flowscope_files::FileInfo;

use crate::names::cipher;
use crate::{
    SmbAccess, SmbAction, SmbCommand, SmbDialect, SmbDisposition, SmbShareType, SmbStatus,
};

/// A request with its response, a response without a request, or what is known at the end of a connection. Sections are those of
/// [MS-SMB2].
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmbExchange {
    /// When the request was captured; without one, the response. Of [`SmbCommand::Transform`] the first such message, of a
    /// file that was not closed when it was opened.
    pub ts: Timestamp,
    /// Who sent the request, or would have.
    pub side: FlowSide,
    /// What is asked for.
    pub command: SmbCommand,
    /// Whether the request is in SMB 1; without one, the response.
    pub is_smb1: bool,
    /// Whether the request was captured.
    pub is_requested: bool,
    /// Number of the message within the connection (§2.2.1); of SMB 1 that of the multiplexed message.
    pub message_id: u64,
    /// Number of the session, which the server assigns; 0: none yet (§2.2.1).
    pub session_id: u64,
    /// Number of the share that is connected to, which the server assigns; 0: none (§2.2.1).
    pub tree_id: u32,
    /// The dialect that was agreed on before, or is with this; `None` if that was not captured.
    pub dialect: Option<SmbDialect>,
    /// What the response says; `None` without one.
    pub status: Option<SmbStatus>,
    /// From the request to its response: to the last one, where the first says that it takes long.
    pub latency: Option<Duration>,
    /// What the command is about.
    pub detail: SmbDetail,
}

/// What a command is about.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SmbDetail {
    /// Of [`SmbCommand::Logoff`], and of those whose rest was not captured.
    None,
    /// Of [`SmbCommand::Negotiate`].
    Negotiation(Box<SmbNegotiation>),
    /// Of [`SmbCommand::SessionSetup`].
    Login(Box<SmbLogin>),
    /// Of [`SmbCommand::TreeConnect`] and [`SmbCommand::TreeDisconnect`].
    Tree(Box<SmbTree>),
    /// Of [`SmbCommand::Create`], [`SmbCommand::Close`] and [`SmbCommand::SetInfo`].
    File(Box<SmbFile>),
    /// Of [`SmbCommand::Transform`].
    Transformed(SmbTransformed),
}

/// How two ends agree on a dialect (§2.2.3, §2.2.4).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmbNegotiation {
    /// The dialects that the client offers, the first 16: of SMB 1 as sent, up to 32 bytes, of SMB 2 by
    /// [`SmbDialect::name`].
    pub offered: Vec<Vec<u8>>,
    /// Name of the client for itself; SMB 2.1 and later have one.
    pub client_guid: Option<SmbGuid>,
    /// Name of the server for itself.
    pub server_guid: Option<SmbGuid>,
    /// Whether the client, and the server, want all messages signed.
    pub client_requires_signing: Option<bool>,
    /// See [`client_requires_signing`](Self::client_requires_signing).
    pub server_requires_signing: Option<bool>,
    /// Whether both can encrypt: the server's capability in 3.0 and 3.0.2, its choice of a cipher in 3.1.1.
    pub can_encrypt: Option<bool>,
    /// The cipher that the server chooses in 3.1.1 (§2.2.3.1.2).
    pub cipher: Option<u16>,
    /// When the server was started; most servers do not say so.
    pub server_start: Option<Timestamp>,
    /// The time of the server.
    pub server_time: Option<Timestamp>,
    /// The most bytes that a client may read, and write, at once.
    pub max_read: Option<u32>,
    /// See [`max_read`](Self::max_read).
    pub max_write: Option<u32>,
}

impl SmbNegotiation {
    /// The cipher by name, where it has one.
    #[must_use]
    pub fn cipher_name(&self) -> Option<&'static str> {
        self.cipher.and_then(cipher)
    }
}

/// A step of a login (§2.2.5, §2.2.6).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmbLogin {
    /// How the user is authenticated: `NTLM` or `Kerberos`; `SPNEGO` where that is not agreed on yet, and `NEGOEX`
    /// (RFC 4178 §4.2).
    pub mechanism: Option<&'static str>,
    /// Who logs in with NTLM, in the step that says so.
    pub ntlm: Option<SmbNtlm>,
    /// What a server says of itself with NTLM: in this step, or in the one before.
    pub ntlm_server: Option<SmbNtlmServer>,
    /// The ticket that a user shows.
    pub kerberos: Option<SmbKerberos>,
    /// Whether the user is let in as a guest.
    pub is_guest: bool,
    /// Whether the login is anonymous: the user's name is empty ([MS-NLMP] §2.2.1.3), or the server says so (§2.2.6).
    pub is_anonymous: bool,
    /// Whether the server wants all messages of the session encrypted.
    pub is_encrypted: bool,
}

/// What a client says of a user with NTLM ([MS-NLMP] §2.2.1.3). The proof of the password is not kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmbNtlm {
    /// The user, up to 128 bytes. Empty if the login is anonymous, see [`SmbLogin::is_anonymous`], or the name was not captured.
    pub user: Vec<u8>,
    /// The domain that knows the user, up to 128 bytes.
    pub domain: Vec<u8>,
    /// The name of the client, up to 128 bytes.
    pub workstation: Vec<u8>,
    /// Length of the proof in bytes: 24 of NTLMv1, more of NTLMv2, 0 or 1 of an anonymous login ([MS-NLMP] §2.2.2.6, §2.2.2.8).
    pub response_len: u16,
    /// Version of the client's system.
    pub version: Option<SmbNtlmVersion>,
}

impl SmbNtlm {
    /// `NTLMv1` or `NTLMv2`, by the length of the proof; none of an anonymous login.
    #[must_use]
    pub const fn response(&self) -> Option<&'static str> {
        match self.response_len {
            0..24 => None,
            24 => Some("NTLMv1"),
            _ => Some("NTLMv2"),
        }
    }
}

/// What a server says of itself with NTLM ([MS-NLMP] §2.2.1.2), each name up to 128 bytes; none is empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmbNtlmServer {
    /// Name of the server for NetBIOS.
    pub computer: Option<Vec<u8>>,
    /// Name of its domain for NetBIOS.
    pub domain: Option<Vec<u8>>,
    /// Name of the server in DNS.
    pub dns_computer: Option<Vec<u8>>,
    /// Name of its domain in DNS.
    pub dns_domain: Option<Vec<u8>>,
    /// Name of its forest in DNS.
    pub dns_tree: Option<Vec<u8>>,
    /// Version of its system.
    pub version: Option<SmbNtlmVersion>,
}

/// Version of a system ([MS-NLMP] §2.2.2.10). Displays as `10.0 build 17763 rev 15`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct SmbNtlmVersion {
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Number of the build.
    pub build: u16,
    /// Revision of NTLM: 15.
    pub revision: u8,
}

impl fmt::Display for SmbNtlmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SmbNtlmVersion { major, minor, build, revision } = self;
        write!(f, "{major}.{minor} build {build} rev {revision}")
    }
}

/// The ticket that a user shows (RFC 4120 §5.3), whose user is encrypted.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmbKerberos {
    /// Realm of the service, up to 128 bytes.
    pub realm: Vec<u8>,
    /// Components of the name of the service, the first 4, each up to 128 bytes: `cifs` and the name of the server.
    pub service: Vec<Vec<u8>>,
}

/// A share that is connected to (§2.2.9, §2.2.10).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmbTree {
    /// Server and share, such as `\\server\share`, up to 256 bytes.
    pub path: Option<Vec<u8>>,
    /// What it is of.
    pub kind: Option<SmbShareType>,
    /// Whether the server wants its messages encrypted.
    pub is_encrypted: bool,
}

/// A file, a directory or a pipe (§2.2.13, §2.2.14).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmbFile {
    /// Its path within the share, up to 512 bytes; empty: the share's root. `None` if it was opened before the capture, or
    /// too long ago.
    pub name: Option<Vec<u8>>,
    /// The path of its share, where that is known.
    pub share: Option<Vec<u8>>,
    /// What the share is of, where that is known.
    pub share_type: Option<SmbShareType>,
    /// The handle by which it is known while open.
    pub id: Option<SmbGuid>,
    /// What is to be done where there is a file already, or none.
    pub disposition: Option<SmbDisposition>,
    /// What was done.
    pub action: Option<SmbAction>,
    /// Rights that are asked for.
    pub access: Option<SmbAccess>,
    /// Whether it is deleted when it is closed.
    pub delete_on_close: bool,
    /// Whether it is a directory.
    pub is_directory: Option<bool>,
    /// Its size in bytes when it was opened.
    pub size: Option<u64>,
    /// When it was created, read, written and changed last.
    pub created: Option<Timestamp>,
    /// See [`created`](Self::created).
    pub accessed: Option<Timestamp>,
    /// See [`created`](Self::created).
    pub modified: Option<Timestamp>,
    /// See [`created`](Self::created).
    pub changed: Option<Timestamp>,
    /// Bytes that were read of it and written to it while open, of the responses that say so.
    pub bytes_read: u64,
    /// See [`bytes_read`](Self::bytes_read).
    pub bytes_written: u64,
    /// What is known of the content that was read of it while open, in one piece from its start on: if
    /// [asked for](crate::SmbParser::with_files), and the share is a disk. It has a hash if it is all that the file had when it was
    /// opened. What was not read counts as missing.
    pub read_file: Option<Box<FileInfo>>,
    /// The same of what was written. It has a hash if it is all that the file has when it is closed.
    pub written_file: Option<Box<FileInfo>>,
    /// The name it gets, up to 512 bytes ([MS-FSCC] §2.4.42).
    pub new_name: Option<Vec<u8>>,
    /// Whether [`SmbCommand::SetInfo`] says that it is to be deleted, or no more ([MS-FSCC] §2.4.11).
    pub deleted: Option<bool>,
}

/// Messages of a connection that are encrypted or compressed, and are not read (§2.2.41, §2.2.42).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SmbTransformed {
    /// Messages that are encrypted, of both sides.
    pub encrypted: u64,
    /// Messages that are compressed and not encrypted, of both sides.
    pub compressed: u64,
    /// Bytes of both.
    pub bytes: u64,
}

/// A GUID ([MS-DTYP] §2.3.4), as sent. Displays as text: `6b29fc40-ca47-1067-b31d-00dd010662da`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SmbGuid(pub [u8; 16]);

impl fmt::Display for SmbGuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = u128::from_be_bytes(self.0);
        let first = ((number >> 96) as u32).swap_bytes();
        let second = ((number >> 80) as u16).swap_bytes();
        let third = ((number >> 64) as u16).swap_bytes();
        let fourth = (number >> 48) as u16;
        let last = number as u64 & 0xffff_ffff_ffff;
        write!(f, "{first:08x}-{second:04x}-{third:04x}-{fourth:04x}-{last:012x}")
    }
}

impl SmbExchange {
    /// A command of SMB 2 of which no request was captured, nor anything else yet.
    pub(crate) const fn new(
        ts: Timestamp,
        side: FlowSide,
        command: SmbCommand,
        detail: SmbDetail,
    ) -> Self {
        SmbExchange {
            ts,
            side,
            command,
            is_smb1: false,
            is_requested: false,
            message_id: 0,
            session_id: 0,
            tree_id: 0,
            dialect: None,
            status: None,
            latency: None,
            detail,
        }
    }

    /// The file that the command is about.
    #[must_use]
    pub fn file(&self) -> Option<&SmbFile> {
        match &self.detail {
            SmbDetail::File(file) => Some(file),
            _ => None,
        }
    }

    /// The login that the command is a step of.
    #[must_use]
    pub fn login(&self) -> Option<&SmbLogin> {
        match &self.detail {
            SmbDetail::Login(login) => Some(login),
            _ => None,
        }
    }

    /// The share that the command is about.
    #[must_use]
    pub fn tree(&self) -> Option<&SmbTree> {
        match &self.detail {
            SmbDetail::Tree(tree) => Some(tree),
            _ => None,
        }
    }

    /// What two ends agree on.
    #[must_use]
    pub fn negotiation(&self) -> Option<&SmbNegotiation> {
        match &self.detail {
            SmbDetail::Negotiation(negotiation) => Some(negotiation),
            _ => None,
        }
    }

    /// The messages that are encrypted or compressed.
    #[must_use]
    pub fn transformed(&self) -> Option<&SmbTransformed> {
        match &self.detail {
            SmbDetail::Transformed(transformed) => Some(transformed),
            _ => None,
        }
    }

    /// Whether the server did what it was asked for; `None` without a response, and of a login that goes on.
    #[must_use]
    pub fn success(&self) -> Option<bool> {
        let status = self.status.filter(|status| *status != SmbStatus::MORE_PROCESSING_REQUIRED)?;
        Some(!status.is_error())
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.detail {
            SmbDetail::None | SmbDetail::Transformed(_) => 0,
            SmbDetail::Negotiation(it) => {
                size_of::<SmbNegotiation>()
                    + it.offered.capacity() * size_of::<Vec<u8>>()
                    + it.offered.iter().map(Vec::capacity).sum::<usize>()
            }
            SmbDetail::Login(it) => size_of::<SmbLogin>() + it.heap_bytes(),
            SmbDetail::Tree(it) => size_of::<SmbTree>() + capacity([&it.path]),
            SmbDetail::File(it) => {
                size_of::<SmbFile>() + capacity([&it.name, &it.share, &it.new_name])
            }
        }
    }
}

impl SmbLogin {
    fn heap_bytes(&self) -> usize {
        let ntlm = self
            .ntlm
            .as_ref()
            .map_or(0, |it| it.user.capacity() + it.domain.capacity() + it.workstation.capacity());
        let kerberos = self.kerberos.as_ref().map_or(0, |it| {
            it.realm.capacity()
                + it.service.capacity() * size_of::<Vec<u8>>()
                + it.service.iter().map(Vec::capacity).sum::<usize>()
        });
        ntlm + kerberos + self.ntlm_server.as_ref().map_or(0, SmbNtlmServer::heap_bytes)
    }
}

impl SmbNtlmServer {
    pub(crate) fn heap_bytes(&self) -> usize {
        let SmbNtlmServer { computer, domain, dns_computer, dns_domain, dns_tree, .. } = self;
        capacity([computer, domain, dns_computer, dns_domain, dns_tree])
    }
}

fn capacity<const N: usize>(texts: [&Option<Vec<u8>>; N]) -> usize {
    texts.into_iter().flatten().map(Vec::capacity).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_three_numbers_in_little_endian_order() {
        let guid = SmbGuid([
            0x40, 0xfc, 0x29, 0x6b, 0x47, 0xca, 0x67, 0x10, 0xb3, 0x1d, 0x00, 0xdd, 0x01, 0x06,
            0x62, 0xda,
        ]);
        assert_eq!(guid.to_string(), "6b29fc40-ca47-1067-b31d-00dd010662da");
    }
}
