//! Zeek's logs: `smb_files.log`, `smb_mapping.log`, `ntlm.log` and `smb_cmd.log`.

use flowscope_record::{Kind, Schema, Value, ZeekType};

use super::{C, X, name, ntlm, server, share, share_type, version};
use crate::{SmbCommand, SmbShareType, SmbStatus};

/// What was done with a file, of what Zeek's log has by default.
pub(super) fn action(x: &X) -> Option<&'static str> {
    let file = x.file().filter(|_| x.success() == Some(true))?;
    match (x.command, file.share_type) {
        (_, Some(SmbShareType::PIPE)) => None,
        (SmbCommand::Create, Some(SmbShareType(3))) => Some("SMB::PRINT_OPEN"),
        (SmbCommand::Create, _) => Some("SMB::FILE_OPEN"),
        (SmbCommand::SetInfo, _) if file.new_name.is_some() => Some("SMB::FILE_RENAME"),
        (SmbCommand::SetInfo, _) if file.deleted == Some(true) => Some("SMB::FILE_DELETE"),
        _ => None,
    }
}

/// A line for each file that is opened, renamed or deleted.
pub(super) fn files(x: &X, row: &mut dyn FnMut(&X)) {
    if action(x).is_some() {
        row(x);
    }
}

/// A line for each share that is connected to. What only SMB 1 says of it is left out: `service` and `native_file_system`.
pub(super) static MAPPING: Schema<X> = Schema {
    zeek_rows: Some(|x, row| {
        if x.command == SmbCommand::TreeConnect && x.success() == Some(true) {
            row(x);
        }
    }),
    columns: &[
        C::new(
            "path",
            Kind::Bytes,
            |x| Value::some(share(x)),
            "Path of the share ([MS-SMB2] §2.2.9).",
        )
        .zeek(0, "path", ZeekType::String),
        C::new(
            "share_type",
            Kind::Text,
            |x| Value::some(share_type(x).and_then(SmbShareType::name)),
            "DISK, PIPE or PRINT ([MS-SMB2] §2.2.10).",
        )
        .zeek(1, "share_type", ZeekType::String),
    ],
    ..Schema::new("smb_mapping", |x| x.ts)
};

/// A line for each login with NTLM that names a user, or is anonymous.
pub(super) static NTLM: Schema<X> = Schema {
    zeek_rows: Some(|x, row| {
        if ntlm(x).is_some() {
            row(x);
        }
    }),
    columns: &[
        C::new(
            "username",
            Kind::Bytes,
            |x| Value::some(ntlm(x).map(|it| &it.user[..]).filter(|it| !it.is_empty())),
            "User ([MS-NLMP] §2.2.1.3).",
        )
        .zeek(0, "username", ZeekType::String),
        C::new(
            "hostname",
            Kind::Bytes,
            |x| Value::some(ntlm(x).map(|it| &it.workstation[..]).filter(|it| !it.is_empty())),
            "Name of the client ([MS-NLMP] §2.2.1.3).",
        )
        .zeek(1, "hostname", ZeekType::String),
        C::new(
            "domainname",
            Kind::Bytes,
            |x| Value::some(ntlm(x).map(|it| &it.domain[..]).filter(|it| !it.is_empty())),
            "Domain that knows the user ([MS-NLMP] §2.2.1.3).",
        )
        .zeek(2, "domainname", ZeekType::String),
        C::new(
            "server_nb_computer_name",
            Kind::Bytes,
            |x| Value::some(server(x).and_then(|it| it.computer.as_deref())),
            "Name of the server for NetBIOS ([MS-NLMP] §2.2.2.1).",
        )
        .zeek(3, "server_nb_computer_name", ZeekType::String),
        C::new(
            "server_dns_computer_name",
            Kind::Bytes,
            |x| Value::some(server(x).and_then(|it| it.dns_computer.as_deref())),
            "Name of the server in DNS ([MS-NLMP] §2.2.2.1).",
        )
        .zeek(4, "server_dns_computer_name", ZeekType::String),
        C::new(
            "server_tree_name",
            Kind::Bytes,
            |x| Value::some(server(x).and_then(|it| it.dns_tree.as_deref())),
            "Forest of the server in DNS ([MS-NLMP] §2.2.2.1).",
        )
        .zeek(5, "server_tree_name", ZeekType::String),
        C::new(
            "success",
            Kind::Bool,
            |x| Value::some(x.success()),
            "Whether the server let the user in; none: no response.",
        )
        .zeek(6, "success", ZeekType::Bool),
    ],
    ..Schema::new("ntlm", |x| x.ts)
};

/// A line for each command.
pub(super) static COMMAND: Schema<X> = Schema {
    zeek_rows: Some(|x, row| {
        if x.command != SmbCommand::Transform {
            row(x);
        }
    }),
    columns: &[
        C::new("command", Kind::Text, |x| x.command.name().into(), "Command ([MS-SMB2] §2.2.1).")
            .zeek(0, "command", ZeekType::String),
        C::new(
            "argument",
            Kind::Bytes,
            |x| {
                let file = x.file().and_then(|it| it.name.as_deref()).map(name);
                Value::some(file.or_else(|| x.tree()?.path.as_deref()))
            },
            "Name of the file, or path of the share.",
        )
        .zeek(1, "argument", ZeekType::String),
        C::new(
            "status",
            Kind::Text,
            |x| Value::some(x.status.map(status)),
            "Status by name, without STATUS_, or its number; none: no response ([MS-ERREF] §2.3).",
        )
        .zeek(2, "status", ZeekType::String),
        C::new(
            "rtt",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the request to its response.",
        )
        .zeek(3, "rtt", ZeekType::Interval),
        C::new("version", Kind::Text, |x| version(x).into(), "SMB1 or SMB2.").zeek(
            4,
            "version",
            ZeekType::String,
        ),
        C::new("tree", Kind::Bytes, |x| Value::some(share(x)), "Path of the share.").zeek(
            5,
            "tree",
            ZeekType::String,
        ),
    ],
    ..Schema::new("smb_cmd", |x| x.ts)
};

fn status(status: SmbStatus) -> Value<'static> {
    match status.name() {
        Some(name) => name.trim_start_matches("STATUS_").into(),
        None => Value::short(status),
    }
}
