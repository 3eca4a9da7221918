//! Numbers that have names.

use std::fmt;

/// A command ([MS-SMB2] §2.2.1) of which there are records.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SmbCommand {
    /// The dialect is agreed on, of SMB 1 too.
    Negotiate,
    /// A user logs in, in several steps.
    SessionSetup,
    /// A user logs out.
    Logoff,
    /// A share is connected to.
    TreeConnect,
    /// It is left.
    TreeDisconnect,
    /// A file, a directory or a pipe is opened, or created.
    Create,
    /// It is closed.
    Close,
    /// It gets another name, or is to be deleted.
    SetInfo,
    /// Messages whose commands are not read: they are encrypted or compressed ([MS-SMB2] §2.2.41, §2.2.42).
    Transform,
}

impl SmbCommand {
    /// The command with this code.
    pub(crate) const fn of(code: u16) -> Option<Self> {
        Some(match code {
            0 => SmbCommand::Negotiate,
            1 => SmbCommand::SessionSetup,
            2 => SmbCommand::Logoff,
            3 => SmbCommand::TreeConnect,
            4 => SmbCommand::TreeDisconnect,
            5 => SmbCommand::Create,
            6 => SmbCommand::Close,
            17 => SmbCommand::SetInfo,
            _ => return None,
        })
    }

    /// The name, as [MS-SMB2] has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            SmbCommand::Negotiate => "NEGOTIATE",
            SmbCommand::SessionSetup => "SESSION_SETUP",
            SmbCommand::Logoff => "LOGOFF",
            SmbCommand::TreeConnect => "TREE_CONNECT",
            SmbCommand::TreeDisconnect => "TREE_DISCONNECT",
            SmbCommand::Create => "CREATE",
            SmbCommand::Close => "CLOSE",
            SmbCommand::SetInfo => "SET_INFO",
            SmbCommand::Transform => "TRANSFORM",
        }
    }
}

impl fmt::Display for SmbCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A dialect: a version of the protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SmbDialect {
    /// Of SMB 1, one before `NT LM 0.12`.
    Older,
    /// Of SMB 1, `NT LM 0.12` ([MS-SMB] §2.2.4.5).
    NtLm012,
    /// A revision of SMB 2 or 3 ([MS-SMB2] §2.2.4): 0x0311 is 3.1.1.
    Revision(u16),
}

impl SmbDialect {
    /// Any revision of SMB 2: the client is to negotiate again, in SMB 2 ([MS-SMB2] §3.3.5.3.1).
    pub const WILDCARD: SmbDialect = SmbDialect::Revision(0x02ff);

    /// The name as Suricata has it: `2.02`, `2.10`, `3.00`, `3.02`, `3.11`, `2.??`; `NT LM 0.12`, and `older` of SMB 1. None of a
    /// revision that is not known.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self.name_or_revision() {
            Ok(name) => Some(name),
            Err(_) => None,
        }
    }

    /// The name, or the revision that has none.
    const fn name_or_revision(self) -> Result<&'static str, u16> {
        Ok(match self {
            SmbDialect::Older => "older",
            SmbDialect::NtLm012 => "NT LM 0.12",
            SmbDialect::Revision(0x0202) => "2.02",
            SmbDialect::Revision(0x0210) => "2.10",
            SmbDialect::Revision(0x0222) => "2.22",
            SmbDialect::Revision(0x0224) => "2.24",
            SmbDialect::Revision(0x02ff) => "2.??",
            SmbDialect::Revision(0x0300) => "3.00",
            SmbDialect::Revision(0x0302) => "3.02",
            SmbDialect::Revision(0x0310) => "3.10",
            SmbDialect::Revision(0x0311) => "3.11",
            SmbDialect::Revision(revision) => return Err(revision),
        })
    }

    /// Whether it is one of SMB 1.
    #[must_use]
    pub const fn is_smb1(self) -> bool {
        matches!(self, SmbDialect::Older | SmbDialect::NtLm012)
    }
}

impl fmt::Display for SmbDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name_or_revision() {
            Ok(name) => f.pad(name),
            Err(revision) => write!(f, "{revision:#06x}"),
        }
    }
}

/// The name of a cipher ([MS-SMB2] §2.2.3.1.2).
pub(crate) const fn cipher(id: u16) -> Option<&'static str> {
    Some(match id {
        1 => "AES-128-CCM",
        2 => "AES-128-GCM",
        3 => "AES-256-CCM",
        4 => "AES-256-GCM",
        _ => return None,
    })
}

/// What a share is of ([MS-SMB2] §2.2.10).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SmbShareType(pub u8);

impl SmbShareType {
    /// Files and directories.
    pub const DISK: SmbShareType = SmbShareType(1);
    /// Named pipes.
    pub const PIPE: SmbShareType = SmbShareType(2);

    /// The name: DISK, PIPE or PRINT, where the number has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "DISK",
            2 => "PIPE",
            3 => "PRINT",
            _ => return None,
        })
    }
}

/// What is to be done where there is a file already, or none ([MS-SMB2] §2.2.13).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SmbDisposition(pub u32);

impl SmbDisposition {
    /// The name, where the number has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "FILE_SUPERSEDE",
            1 => "FILE_OPEN",
            2 => "FILE_CREATE",
            3 => "FILE_OPEN_IF",
            4 => "FILE_OVERWRITE",
            5 => "FILE_OVERWRITE_IF",
            _ => return None,
        })
    }
}

/// What was done ([MS-SMB2] §2.2.14).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SmbAction(pub u32);

impl SmbAction {
    /// The name, where the number has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "FILE_SUPERSEDED",
            1 => "FILE_OPENED",
            2 => "FILE_CREATED",
            3 => "FILE_OVERWRITTEN",
            _ => return None,
        })
    }
}

/// Rights that are asked for ([MS-SMB2] §2.2.13.1).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct SmbAccess(pub u32);

impl SmbAccess {
    /// The names of those that have one. Of a directory, the first are those of listing it, and of adding files and directories.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        RIGHTS.into_iter().filter(move |(bit, _)| self.0 & (1 << bit) != 0).map(|(_, name)| name)
    }
}

/// Rights by their bit ([MS-SMB2] §2.2.13.1.1).
const RIGHTS: [(u32, &str); 20] = [
    (0, "read_data"),
    (1, "write_data"),
    (2, "append_data"),
    (3, "read_ea"),
    (4, "write_ea"),
    (5, "execute"),
    (6, "delete_child"),
    (7, "read_attributes"),
    (8, "write_attributes"),
    (16, "delete"),
    (17, "read_control"),
    (18, "write_dac"),
    (19, "write_owner"),
    (20, "synchronize"),
    (24, "access_system_security"),
    (25, "maximum_allowed"),
    (28, "generic_all"),
    (29, "generic_execute"),
    (30, "generic_write"),
    (31, "generic_read"),
];

/// An NTSTATUS ([MS-ERREF] §2.3).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct SmbStatus(pub u32);

impl SmbStatus {
    /// It is done.
    pub const SUCCESS: SmbStatus = SmbStatus(0);
    /// It is going on, and another response follows ([MS-SMB2] §3.3.4.2).
    pub const PENDING: SmbStatus = SmbStatus(0x0103);
    /// The login goes on with another request.
    pub const MORE_PROCESSING_REQUIRED: SmbStatus = SmbStatus(0xc000_0016);
    /// A link is in the way, and nothing is opened ([MS-SMB2] §2.2.2.2.1).
    pub const STOPPED_ON_SYMLINK: SmbStatus = SmbStatus(0x8000_002d);

    /// Whether the command failed. A warning, such as that of a buffer that was too small, is no failure, except that of a link;
    /// nor is a login that goes on ([MS-SMB2] §3.3.4.4).
    #[must_use]
    pub const fn is_error(self) -> bool {
        match self {
            Self::MORE_PROCESSING_REQUIRED => false,
            Self::STOPPED_ON_SYMLINK => true,
            SmbStatus(status) => status >> 30 == 3,
        }
    }

    /// The name, of those that servers of files have in common.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x0000_0000 => "STATUS_SUCCESS",
            0x0000_0103 => "STATUS_PENDING",
            0x0000_0104 => "STATUS_REPARSE",
            0x8000_0005 => "STATUS_BUFFER_OVERFLOW",
            0x8000_0006 => "STATUS_NO_MORE_FILES",
            0x8000_002d => "STATUS_STOPPED_ON_SYMLINK",
            0xc000_0001 => "STATUS_UNSUCCESSFUL",
            0xc000_0002 => "STATUS_NOT_IMPLEMENTED",
            0xc000_0003 => "STATUS_INVALID_INFO_CLASS",
            0xc000_0004 => "STATUS_INFO_LENGTH_MISMATCH",
            0xc000_0008 => "STATUS_INVALID_HANDLE",
            0xc000_000d => "STATUS_INVALID_PARAMETER",
            0xc000_000e => "STATUS_NO_SUCH_DEVICE",
            0xc000_000f => "STATUS_NO_SUCH_FILE",
            0xc000_0010 => "STATUS_INVALID_DEVICE_REQUEST",
            0xc000_0011 => "STATUS_END_OF_FILE",
            0xc000_0016 => "STATUS_MORE_PROCESSING_REQUIRED",
            0xc000_0022 => "STATUS_ACCESS_DENIED",
            0xc000_0023 => "STATUS_BUFFER_TOO_SMALL",
            0xc000_0033 => "STATUS_OBJECT_NAME_INVALID",
            0xc000_0034 => "STATUS_OBJECT_NAME_NOT_FOUND",
            0xc000_0035 => "STATUS_OBJECT_NAME_COLLISION",
            0xc000_0039 => "STATUS_OBJECT_PATH_INVALID",
            0xc000_003a => "STATUS_OBJECT_PATH_NOT_FOUND",
            0xc000_003b => "STATUS_OBJECT_PATH_SYNTAX_BAD",
            0xc000_0043 => "STATUS_SHARING_VIOLATION",
            0xc000_0044 => "STATUS_QUOTA_EXCEEDED",
            0xc000_004f => "STATUS_EAS_NOT_SUPPORTED",
            0xc000_0054 => "STATUS_FILE_LOCK_CONFLICT",
            0xc000_0055 => "STATUS_LOCK_NOT_GRANTED",
            0xc000_0056 => "STATUS_DELETE_PENDING",
            0xc000_005e => "STATUS_NO_LOGON_SERVERS",
            0xc000_0061 => "STATUS_PRIVILEGE_NOT_HELD",
            0xc000_0064 => "STATUS_NO_SUCH_USER",
            0xc000_006a => "STATUS_WRONG_PASSWORD",
            0xc000_006d => "STATUS_LOGON_FAILURE",
            0xc000_006e => "STATUS_ACCOUNT_RESTRICTION",
            0xc000_006f => "STATUS_INVALID_LOGON_HOURS",
            0xc000_0070 => "STATUS_INVALID_WORKSTATION",
            0xc000_0071 => "STATUS_PASSWORD_EXPIRED",
            0xc000_0072 => "STATUS_ACCOUNT_DISABLED",
            0xc000_007f => "STATUS_DISK_FULL",
            0xc000_009a => "STATUS_INSUFFICIENT_RESOURCES",
            0xc000_00a2 => "STATUS_MEDIA_WRITE_PROTECTED",
            0xc000_00ac => "STATUS_PIPE_NOT_AVAILABLE",
            0xc000_00ae => "STATUS_PIPE_BUSY",
            0xc000_00b0 => "STATUS_PIPE_DISCONNECTED",
            0xc000_00b5 => "STATUS_IO_TIMEOUT",
            0xc000_00ba => "STATUS_FILE_IS_A_DIRECTORY",
            0xc000_00bb => "STATUS_NOT_SUPPORTED",
            0xc000_00c9 => "STATUS_NETWORK_NAME_DELETED",
            0xc000_00ca => "STATUS_NETWORK_ACCESS_DENIED",
            0xc000_00cb => "STATUS_BAD_DEVICE_TYPE",
            0xc000_00cc => "STATUS_BAD_NETWORK_NAME",
            0xc000_00d0 => "STATUS_REQUEST_NOT_ACCEPTED",
            0xc000_0101 => "STATUS_DIRECTORY_NOT_EMPTY",
            0xc000_0103 => "STATUS_NOT_A_DIRECTORY",
            0xc000_0120 => "STATUS_CANCELLED",
            0xc000_0121 => "STATUS_CANNOT_DELETE",
            0xc000_0128 => "STATUS_FILE_CLOSED",
            0xc000_0133 => "STATUS_TIME_DIFFERENCE_AT_DC",
            0xc000_015b => "STATUS_LOGON_TYPE_NOT_GRANTED",
            0xc000_0193 => "STATUS_ACCOUNT_EXPIRED",
            0xc000_0203 => "STATUS_USER_SESSION_DELETED",
            0xc000_0205 => "STATUS_INSUFF_SERVER_RESOURCES",
            0xc000_0224 => "STATUS_PASSWORD_MUST_CHANGE",
            0xc000_0225 => "STATUS_NOT_FOUND",
            0xc000_0234 => "STATUS_ACCOUNT_LOCKED_OUT",
            0xc000_0257 => "STATUS_PATH_NOT_COVERED",
            0xc000_035c => "STATUS_NETWORK_SESSION_EXPIRED",
            _ => return None,
        })
    }
}

/// Its name, or its number where it has none.
impl fmt::Display for SmbStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_have_names() {
        let names = |mask| SmbAccess(mask).names().collect::<Vec<_>>();
        assert_eq!(
            names(0x0012_0089),
            ["read_data", "read_ea", "read_attributes", "read_control", "synchronize"]
        );
        assert_eq!(
            names(0xf000_0000),
            ["generic_all", "generic_execute", "generic_write", "generic_read"]
        );
        assert_eq!(names(0), [""; 0]);
    }

    #[test]
    fn dialects_have_names() {
        for (dialect, name, text) in [
            (SmbDialect::Older, Some("older"), "older"),
            (SmbDialect::NtLm012, Some("NT LM 0.12"), "NT LM 0.12"),
            (SmbDialect::WILDCARD, Some("2.??"), "2.??"),
            (SmbDialect::Revision(0x0311), Some("3.11"), "3.11"),
            (SmbDialect::Revision(0x0031), None, "0x0031"),
        ] {
            assert_eq!((dialect.name(), &dialect.to_string()[..]), (name, text));
        }
    }

    #[test]
    fn what_goes_on_is_no_error() {
        for (status, is_error) in [
            (0, false),
            (0x103, false),
            (0x8000_0005, false),
            (0x8000_002d, true),
            (0xc000_0016, false),
            (0xc000_006d, true),
        ] {
            assert_eq!(SmbStatus(status).is_error(), is_error, "{status:#x}");
        }
        assert_eq!(SmbStatus(0xc000_0022).to_string(), "STATUS_ACCESS_DENIED");
        assert_eq!(SmbStatus(0xc0de_0001).to_string(), "0xc0de0001");
    }
}
