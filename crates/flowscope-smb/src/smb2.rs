//! Messages of SMB 2 and 3 ([MS-SMB2] §2.2). Offsets within a message count from its header on; here the header is taken off.

use crate::names::SmbDialect;
use crate::security::{self, Sender};
use crate::smb1::MAX_OFFERED;
use crate::wire::{array, filetime, part, u16_at, u32_at, u64_at, utf16};
use crate::{
    SmbAccess, SmbAction, SmbDetail, SmbDisposition, SmbFile, SmbGuid, SmbLogin, SmbNegotiation,
    SmbShareType, SmbStatus, SmbTree,
};

/// Bytes of a header (§2.2.1).
pub(crate) const HEADER: usize = 64;
/// Bytes of the name of a file that are kept.
const MAX_NAME: usize = 512;
/// Bytes of the path of a share that are kept.
const MAX_SHARE: usize = 256;
/// Contexts of a negotiation that are looked at.
const MAX_CONTEXTS: usize = 16;

/// Codes of commands that are no records of their own.
pub(crate) const READ: u16 = 8;
pub(crate) const WRITE: u16 = 9;
/// Code of the command that sets what is known of a file.
pub(crate) const SET_INFO: u16 = 17;
/// A handle of a chained request: that of the request before it (§3.3.5.2.7.2).
pub(crate) const RELATED_ID: SmbGuid = SmbGuid([0xff; 16]);

/// A header (§2.2.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    /// Of a request another field.
    pub(crate) status: SmbStatus,
    pub(crate) command: u16,
    pub(crate) is_response: bool,
    pub(crate) is_async: bool,
    /// A request that goes on with session, share and file of the one before.
    pub(crate) is_related: bool,
    pub(crate) message_id: u64,
    /// 0 where the header has the number of an asynchronous command in its place.
    pub(crate) tree_id: u32,
    pub(crate) session_id: u64,
}

impl Header {
    /// `None` if its length is wrong.
    pub(crate) fn new(bytes: &[u8; HEADER]) -> Option<Self> {
        let flags = u32_at(bytes, 16)?;
        let is_async = flags & 2 != 0;
        if u16_at(bytes, 4)? != HEADER as u16 {
            return None;
        }
        Some(Header {
            status: SmbStatus(u32_at(bytes, 8)?),
            command: u16_at(bytes, 12)?,
            is_response: flags & 1 != 0,
            is_async,
            is_related: flags & 4 != 0,
            message_id: u64_at(bytes, 24)?,
            tree_id: if is_async { 0 } else { u32_at(bytes, 36)? },
            session_id: u64_at(bytes, 40)?,
        })
    }
}

/// Whether a body begins with this length of its structure. Of an error it has 9.
fn is_structure(body: &[u8], len: u16) -> bool {
    u16_at(body, 0) == Some(len)
}

/// What stands at an offset from the header on, and how long it is.
fn buffer(body: &[u8], offset_at: usize, len_at: usize) -> Option<&[u8]> {
    let (offset, len) = (u16_at(body, offset_at)?, u16_at(body, len_at)?);
    let at = usize::from(offset).checked_sub(HEADER);
    // Nothing may stand anywhere.
    Some(at.map_or(&[], |at| part(body, at, len.into())))
}

/// What a request is about, of the commands that are records; none where it cannot be read.
pub(crate) fn request(command: u16, body: &[u8]) -> Option<SmbDetail> {
    Some(match command {
        0 => SmbDetail::Negotiation(Box::new(negotiate_request(body)?)),
        1 => SmbDetail::Login(Box::new(setup_request(body)?)),
        2 if is_structure(body, 4) => SmbDetail::None,
        3 => SmbDetail::Tree(Box::new(tree_request(body)?)),
        4 if is_structure(body, 4) => SmbDetail::Tree(Box::default()),
        5 => SmbDetail::File(Box::new(create_request(body)?)),
        6 if is_structure(body, 24) => {
            SmbDetail::File(Box::new(SmbFile { id: Some(file_id(body, 8)?), ..SmbFile::default() }))
        }
        17 => SmbDetail::File(Box::new(set_info_request(body)?)),
        _ => return None,
    })
}

/// Adds what a response says. One of an error says nothing, nor does one that cannot be read.
pub(crate) fn answer(command: u16, body: &[u8], detail: &mut SmbDetail) {
    match (command, detail) {
        (0, SmbDetail::Negotiation(it)) => negotiate_response(body, it),
        (1, SmbDetail::Login(it)) => setup_response(body, it),
        (3, SmbDetail::Tree(it)) => tree_response(body, it),
        (5, SmbDetail::File(it)) => create_response(body, it),
        _ => {}
    }
}

/// What a response without its request is added to.
pub(crate) fn without_request(command: u16) -> SmbDetail {
    match command {
        0 => SmbDetail::Negotiation(Box::default()),
        1 => SmbDetail::Login(Box::default()),
        3 | 4 => SmbDetail::Tree(Box::default()),
        5 | 6 | 17 => SmbDetail::File(Box::default()),
        _ => SmbDetail::None,
    }
}

/// §2.2.3.
fn negotiate_request(body: &[u8]) -> Option<SmbNegotiation> {
    if !is_structure(body, 36) {
        return None;
    }
    let count = usize::from(u16_at(body, 2)?);
    let dialects = body.get(36..)?.as_chunks().0.iter();
    let name = |dialect: &[u8; 2]| {
        SmbDialect::Revision(u16::from_le_bytes(*dialect)).to_string().into_bytes()
    };
    Some(SmbNegotiation {
        offered: dialects.take(count.min(MAX_OFFERED)).map(name).collect(),
        client_requires_signing: Some(u16_at(body, 4)? & 2 != 0),
        // All of it is 0 in 2.0.2.
        client_guid: guid(body, 12),
        ..SmbNegotiation::default()
    })
}

/// The dialect that a server chooses (§2.2.4).
pub(crate) fn chosen(body: &[u8]) -> Option<SmbDialect> {
    is_structure(body, 65).then(|| u16_at(body, 4))?.map(SmbDialect::Revision)
}

/// §2.2.4.
fn negotiate_response(body: &[u8], it: &mut SmbNegotiation) {
    let Some(dialect) = chosen(body) else { return };
    it.server_requires_signing = u16_at(body, 2).map(|mode| mode & 2 != 0);
    it.server_guid = guid(body, 8);
    it.max_read = u32_at(body, 32);
    it.max_write = u32_at(body, 36);
    it.server_time = filetime(body, 40);
    it.server_start = filetime(body, 48);
    match dialect {
        SmbDialect::Revision(0x0311) => {
            let count = u16_at(body, 6).unwrap_or(0);
            let at = u32_at(body, 60).and_then(|offset| offset.checked_sub(HEADER as u32));
            it.cipher = at.and_then(|at| cipher(body.get(at as usize..)?, count));
            it.can_encrypt = Some(it.cipher.is_some());
        }
        // The capability is of 3.0 and 3.0.2.
        SmbDialect::Revision(0x0300 | 0x0302) => {
            it.can_encrypt = u32_at(body, 24).map(|capabilities| capabilities & 0x40 != 0);
        }
        SmbDialect::WILDCARD => {}
        _ => it.can_encrypt = Some(false),
    }
}

/// The cipher in a list of contexts (§2.2.3.1): each at a place that is a multiple of 8. 0 is none.
fn cipher(mut contexts: &[u8], count: u16) -> Option<u16> {
    for _ in 0..usize::from(count).min(MAX_CONTEXTS) {
        let (kind, len) = (u16_at(contexts, 0)?, usize::from(u16_at(contexts, 2)?));
        // SMB2_ENCRYPTION_CAPABILITIES: a number of ciphers, of an answer one.
        if kind == 2 {
            return u16_at(part(contexts, 8, len), 2).filter(|&cipher| cipher != 0);
        }
        contexts = contexts.get(8 + len.next_multiple_of(8)..)?;
    }
    None
}

/// §2.2.5.
fn setup_request(body: &[u8]) -> Option<SmbLogin> {
    if !is_structure(body, 25) {
        return None;
    }
    let mut login = SmbLogin::default();
    security::read(Sender::Client, buffer(body, 12, 14)?, &mut login);
    Some(login)
}

/// §2.2.6.
fn setup_response(body: &[u8], login: &mut SmbLogin) {
    if !is_structure(body, 9) {
        return;
    }
    // An error has no token at the place where one stands here.
    let Some((flags, token)) = u16_at(body, 2).zip(buffer(body, 4, 6)) else { return };
    login.is_guest = flags & 1 != 0;
    login.is_anonymous |= flags & 2 != 0;
    login.is_encrypted = flags & 4 != 0;
    security::read(Sender::Server, token, login);
}

/// §2.2.9.
fn tree_request(body: &[u8]) -> Option<SmbTree> {
    if !is_structure(body, 9) {
        return None;
    }
    let path = utf16(buffer(body, 4, 6)?, MAX_SHARE);
    Some(SmbTree { path: Some(path), ..SmbTree::default() })
}

/// §2.2.10.
fn tree_response(body: &[u8], tree: &mut SmbTree) {
    if !is_structure(body, 16) {
        return;
    }
    tree.kind = body.get(2).map(|&kind| SmbShareType(kind));
    tree.is_encrypted = u32_at(body, 4).is_some_and(|flags| flags & 0x8000 != 0);
}

/// §2.2.13.
fn create_request(body: &[u8]) -> Option<SmbFile> {
    if !is_structure(body, 57) {
        return None;
    }
    let options = u32_at(body, 40)?;
    Some(SmbFile {
        name: Some(utf16(buffer(body, 44, 46)?, MAX_NAME)),
        access: u32_at(body, 24).map(SmbAccess),
        disposition: u32_at(body, 36).map(SmbDisposition),
        delete_on_close: options & 0x1000 != 0,
        // It has to be one, or must not be one; else the answer says it.
        is_directory: match options & 0x41 {
            0x01 => Some(true),
            0x40 => Some(false),
            _ => None,
        },
        ..SmbFile::default()
    })
}

/// §2.2.14.
fn create_response(body: &[u8], file: &mut SmbFile) {
    let (true, Some(id)) = (is_structure(body, 89), file_id(body, 64)) else { return };
    file.id = Some(id);
    file.action = u32_at(body, 4).map(SmbAction);
    file.created = filetime(body, 8);
    file.accessed = filetime(body, 16);
    file.modified = filetime(body, 24);
    file.changed = filetime(body, 32);
    file.size = u64_at(body, 48);
    file.is_directory = u32_at(body, 56).map(|attributes| attributes & 0x10 != 0);
}

/// §2.2.39: a new name, or whether the file is to be deleted. None of what else can be set.
fn set_info_request(body: &[u8]) -> Option<SmbFile> {
    // Information of a file, and its class ([MS-FSCC] §2.4).
    let class = match body.get(2..4)? {
        [1, class] if is_structure(body, 33) => *class,
        _ => return None,
    };
    let at = usize::from(u16_at(body, 8)?).checked_sub(HEADER)?;
    let data = part(body, at, u32_at(body, 4)? as usize);
    let mut file = SmbFile { id: Some(file_id(body, 16)?), ..SmbFile::default() };
    match class {
        // FileRenameInformation, FileRenameInformationEx.
        10 | 65 => {
            let len = u32_at(data, 16)? as usize;
            file.new_name = Some(utf16(part(data, 20, len), MAX_NAME));
        }
        // FileDispositionInformation, FileDispositionInformationEx.
        13 | 64 => file.deleted = Some(data.first()? & 1 != 0),
        _ => return None,
    }
    Some(file)
}

/// The handle that a request to read or to write is about (§2.2.19, §2.2.21): both have it at the same place.
pub(crate) fn transfer_request(body: &[u8]) -> Option<SmbGuid> {
    if is_structure(body, 49) { file_id(body, 16) } else { None }
}

/// Bytes of a request to write that stand in front of its buffer (§2.2.21).
pub(crate) const WRITE_REQUEST: usize = 48;
/// Bytes of a response to a request to read that stand in front of its buffer (§2.2.20).
pub(crate) const READ_RESPONSE: usize = 16;

/// Where in the file bytes are read or written (§2.2.19, §2.2.21): both requests have it at the same place.
pub(crate) fn transfer_offset(body: &[u8]) -> u64 {
    u64_at(body, 8).unwrap_or(0)
}

/// Where in the body of a request to write the data stands, and how long it is (§2.2.21).
pub(crate) fn write_data(body: &[u8]) -> Option<(u64, u32)> {
    Some((u64::from(u16_at(body, 2)?).checked_sub(HEADER as u64)?, u32_at(body, 4)?))
}

/// Where in the body of a response to a request to read the data stands, and how long it is (§2.2.20).
pub(crate) fn read_data(body: &[u8]) -> Option<(u64, u32)> {
    let at = u64::from(*body.get(2)?).checked_sub(HEADER as u64)?;
    transfer_response(body).map(|len| (at, len))
}

/// The size that a file gets, and its handle (§2.2.39; FileEndOfFileInformation, [MS-FSCC] §2.4.14).
pub(crate) fn new_size(body: &[u8]) -> Option<(SmbGuid, u64)> {
    if !is_structure(body, 33) || body.get(2..4)? != [1, 20] {
        return None;
    }
    let at = usize::from(u16_at(body, 8)?).checked_sub(HEADER)?;
    Some((file_id(body, 16)?, u64_at(body, at)?))
}

/// How many bytes were read, or written (§2.2.20, §2.2.22): both say it at the same place.
pub(crate) fn transfer_response(body: &[u8]) -> Option<u32> {
    if is_structure(body, 17) { u32_at(body, 4) } else { None }
}

/// The number of the session of an encrypted message, from behind the protocol's name on; 0 of one that is too short (§2.2.41).
pub(crate) fn encrypted_session(header: &[u8]) -> u64 {
    u64_at(header, 40).unwrap_or(0)
}

/// A handle: persistent and volatile part (§2.2.14.1).
fn file_id(body: &[u8], at: usize) -> Option<SmbGuid> {
    array(body, at).map(SmbGuid)
}

/// A GUID, unless it is all zeros.
fn guid(body: &[u8], at: usize) -> Option<SmbGuid> {
    array(body, at).filter(|guid| *guid != [0; 16]).map(SmbGuid)
}
