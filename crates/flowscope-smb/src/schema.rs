//! The columns of an exchange. EVE has Suricata's `smb`, Zeek four logs.

mod eve;
mod zeek;

use flowscope_files::record as files;
use flowscope_record::{Column, Kind, Schema, Value, ZeekService, ZeekType, amount, wire_text};

use crate::{
    SmbAction, SmbCommand, SmbDialect, SmbDisposition, SmbExchange, SmbFile, SmbGuid,
    SmbNegotiation, SmbNtlm, SmbNtlmServer, SmbShareType, SmbStatus,
};

type C = Column<SmbExchange>;
type X = SmbExchange;

/// The columns of an exchange.
pub static SMB: Schema<SmbExchange> = Schema {
    zeek_log: "smb_files",
    zeek_service: Some(ZeekService { tcp: "smb", udp: "smb" }),
    zeek_rows: Some(zeek::files),
    zeek_also: &[&zeek::MAPPING, &zeek::NTLM, &zeek::COMMAND],
    sender: Some(|x| x.side),
    summary,
    columns: &[
        C::new(
            "command",
            Kind::Text,
            |x| x.command.name().into(),
            "NEGOTIATE, SESSION_SETUP, LOGOFF, TREE_CONNECT, TREE_DISCONNECT, CREATE, CLOSE, SET_INFO ([MS-SMB2] §2.2.1); TRANSFORM for all messages \
             of a connection that are encrypted or compressed. EVE has Suricata's names, Zeek the action on a file.",
        )
        .eve_as("smb.command", eve::command)
        .zeek_as(0, "action", ZeekType::Enum, |x| Value::some(zeek::action(x))),
        C::new(
            "dialect",
            Kind::Text,
            |x| Value::some(x.dialect.map(Value::short)),
            "Dialect of the connection: 2.02, 2.10, 3.00, 3.02, 3.11; 2.?? before another negotiation, and NT LM 0.12 of SMB 1 ([MS-SMB2] §2.2.4).",
        )
        .eve("smb.dialect"),
        C::new(
            "status",
            Kind::Text,
            |x| Value::some(x.status.map(Value::short)),
            "Status of the response by name, or its number; none: no response ([MS-ERREF] §2.3).",
        )
        .eve("smb.status"),
        C::new(
            "status_code",
            Kind::U64,
            |x| Value::some(x.status.map(|status| status.0)),
            "Number of the status ([MS-ERREF] §2.3). In EVE hexadecimal text.",
        )
        .eve_as("smb.status_code", |x| {
            Value::some(x.status.map(|status| Value::short(format_args!("{:#x}", status.0))))
        }),
        C::new(
            "session_id",
            Kind::U64,
            |x| x.session_id.into(),
            "Number of the session; 0: none yet ([MS-SMB2] §2.2.1).",
        )
        .eve("smb.session_id"),
        C::new(
            "tree_id",
            Kind::U64,
            |x| x.tree_id.into(),
            "Number of the share that is connected to; 0: none ([MS-SMB2] §2.2.1).",
        )
        .eve("smb.tree_id"),
        C::new(
            "client_dialects",
            Kind::List(&Kind::Bytes),
            |x| match x.negotiation() {
                Some(it) if !it.offered.is_empty() => {
                    Value::list(it.offered.iter().map(Vec::as_slice))
                }
                _ => Value::Null,
            },
            "Dialects that the client offers, the first 16 ([MS-SMB2] §2.2.3).",
        )
        .eve("smb.client_dialects"),
        C::new(
            "client_guid",
            Kind::Text,
            |x| guid(x.negotiation().and_then(|it| it.client_guid)),
            "Name of the client for itself; none in 2.0.2 ([MS-SMB2] §2.2.3).",
        )
        .eve("smb.client_guid"),
        C::new(
            "server_guid",
            Kind::Text,
            |x| guid(x.negotiation().and_then(|it| it.server_guid)),
            "Name of the server for itself ([MS-SMB2] §2.2.4).",
        )
        .eve("smb.server_guid"),
        C::new(
            "user",
            Kind::Bytes,
            |x| Value::some(ntlm(x).map(|it| &it.user).filter(|user| !user.is_empty()).map(Vec::as_slice)),
            "User who logs in with NTLM, up to 128 bytes; none: anonymous, or not captured ([MS-NLMP] §2.2.1.3). EVE has an object of user, \
             domain, host and version.",
        )
        .eve_as("smb.ntlmssp", eve::ntlmssp),
        C::new(
            "service",
            Kind::Bytes,
            eve::service,
            "Service of the ticket that a user shows, components between slashes (RFC 4120 §5.3). EVE has an object of realm and components.",
        )
        .eve_as("smb.kerberos", eve::kerberos),
        C::new(
            "filename",
            Kind::Bytes,
            |x| Value::some(x.file().and_then(|it| it.name.as_deref())),
            "Path of the file within its share, up to 512 bytes; empty: the root of the share; none: not known ([MS-SMB2] §2.2.13). EVE and Zeek have \
             `<share_root>` for the root, Zeek the new name.",
        )
        .eve_as("smb.filename", |x| match x.command {
            // Suricata has both names in one object.
            SmbCommand::SetInfo if x.file().is_some_and(|it| it.new_name.is_some()) => Value::Null,
            _ => Value::some(x.file().and_then(|it| it.name.as_deref()).map(name)),
        })
        .zeek_as(2, "name", ZeekType::String, |x| {
            Value::some(x.file().and_then(|it| it.new_name.as_ref().or(it.name.as_ref())).map(|it| name(it)))
        }),
        C::new(
            "new_name",
            Kind::Bytes,
            |x| Value::some(x.file().and_then(|it| it.new_name.as_deref())),
            "Name that the file gets, up to 512 bytes ([MS-FSCC] §2.4.42). EVE has an object of both names, Zeek the former one.",
        )
        .eve_as("smb.rename", eve::rename)
        .zeek_as(4, "prev_name", ZeekType::String, |x| {
            let file = x.file().filter(|it| it.new_name.is_some());
            Value::some(file.and_then(|it| it.name.as_deref()))
        }),
        C::new(
            "deleted",
            Kind::Bool,
            |x| Value::some(x.file().and_then(|it| it.deleted)),
            "Whether SET_INFO says that the file is to be deleted, or no more ([MS-FSCC] §2.4.11). EVE has an object of what is set.",
        )
        .eve_as("smb.set_info", eve::set_info),
        C::new(
            "share",
            Kind::Bytes,
            |x| Value::some(share(x)),
            "Path of the share, up to 256 bytes, such as `\\\\server\\share` ([MS-SMB2] §2.2.9). EVE has that of named pipes elsewhere.",
        )
        .eve_as("smb.share", |x| Value::some(share(x).filter(|_| !is_pipe(x))))
        .zeek(1, "path", ZeekType::String),
        C::new(
            "named_pipe",
            Kind::Bytes,
            |x| Value::some(share(x).filter(|_| is_pipe(x))),
            "The same of a share of named pipes, where EVE has it in place of the share ([MS-SMB2] §2.2.10).",
        )
        .eve("smb.named_pipe"),
        C::new(
            "share_type",
            Kind::Text,
            |x| Value::some(share_type(x).and_then(SmbShareType::name)),
            "Type of the share: DISK, PIPE or PRINT; EVE has FILE for the first ([MS-SMB2] §2.2.10).",
        )
        .eve_as("smb.share_type", |x| match share_type(x) {
            Some(SmbShareType(1)) => "FILE".into(),
            kind => Value::some(kind.and_then(SmbShareType::name)),
        }),
        C::new(
            "disposition",
            Kind::Text,
            |x| Value::some(x.file().and_then(|it| it.disposition).and_then(SmbDisposition::name)),
            "What is to be done where there is a file already, or none: FILE_OPEN, FILE_CREATE and so on ([MS-SMB2] §2.2.13).",
        )
        .eve("smb.disposition"),
        C::new(
            "delete_on_close",
            Kind::Bool,
            |x| Value::some(opened(x).map(|it| it.delete_on_close)),
            "Whether the file is deleted when it is closed ([MS-SMB2] §2.2.13). EVE has normal or delete on close.",
        )
        .eve_as("smb.access", |x| {
            let access = |it: &SmbFile| if it.delete_on_close { "delete on close" } else { "normal" };
            Value::some(opened(x).map(access))
        }),
        C::new(
            "created",
            Kind::Time,
            |x| Value::some(x.file().and_then(|it| it.created)),
            "When the file was created ([MS-SMB2] §2.2.14). In EVE seconds since 1970.",
        )
        .eve_as("smb.created", |x| eve::seconds(x.file().and_then(|it| it.created)))
        .zeek(7, "times.created", ZeekType::Time),
        C::new(
            "accessed",
            Kind::Time,
            |x| Value::some(x.file().and_then(|it| it.accessed)),
            "When it was read last ([MS-SMB2] §2.2.14). In EVE seconds since 1970.",
        )
        .eve_as("smb.accessed", |x| eve::seconds(x.file().and_then(|it| it.accessed)))
        .zeek(6, "times.accessed", ZeekType::Time),
        C::new(
            "modified",
            Kind::Time,
            |x| Value::some(x.file().and_then(|it| it.modified)),
            "When it was written last ([MS-SMB2] §2.2.14). In EVE seconds since 1970.",
        )
        .eve_as("smb.modified", |x| eve::seconds(x.file().and_then(|it| it.modified)))
        .zeek(5, "times.modified", ZeekType::Time),
        C::new(
            "changed",
            Kind::Time,
            |x| Value::some(x.file().and_then(|it| it.changed)),
            "When it was changed last, its attributes included ([MS-SMB2] §2.2.14). In EVE seconds since 1970.",
        )
        .eve_as("smb.changed", |x| eve::seconds(x.file().and_then(|it| it.changed)))
        .zeek(8, "times.changed", ZeekType::Time),
        C::new(
            "size",
            Kind::U64,
            |x| Value::some(x.file().and_then(|it| it.size)),
            "Size of the file in bytes when it was opened ([MS-SMB2] §2.2.14).",
        )
        .eve("smb.size")
        .zeek(3, "size", ZeekType::Count),
        C::new(
            "file_id",
            Kind::Text,
            |x| guid(x.file().and_then(|it| it.id)),
            "Handle of the file while it is open, in the form of a GUID ([MS-SMB2] §2.2.14.1).",
        )
        .eve("smb.fuid"),
        C::new(
            "read_mime_type",
            Kind::Text,
            |x| files::mime_type(closed(x).and_then(|it| it.read_file.as_deref())),
            "Media type of what was read of a file on a disk, by its first bytes. With --file-info. EVE has this and the next three in a list \
             `files`, an object for what was written and for what was read: filename, direction, mime_type, sha256, size, gaps, state, and \
             as tx_id the number of the message.",
        )
        .eve_as("files", |x| {
            let Some(it) = closed(x) else { return Value::Null };
            let (written, read) = (it.written_file.as_deref(), it.read_file.as_deref());
            files::exchange(it.name.as_deref(), written, read, x.message_id)
        }),
        C::new(
            "read_sha256",
            Kind::Text,
            |x| files::sha256(closed(x).and_then(|it| it.read_file.as_deref())),
            "SHA-256 (FIPS 180-4) of the file, if all that it had when it was opened was read, in order. With --file-info.",
        ),
        C::new(
            "written_mime_type",
            Kind::Text,
            |x| files::mime_type(closed(x).and_then(|it| it.written_file.as_deref())),
            "Media type of what was written to a file on a disk, by its first bytes. With --file-info.",
        ),
        C::new(
            "written_sha256",
            Kind::Text,
            |x| files::sha256(closed(x).and_then(|it| it.written_file.as_deref())),
            "SHA-256 (FIPS 180-4) of the file, if all that it has when it is closed was written, in order. With --file-info.",
        ),
        C::new(
            "message_id",
            Kind::U64,
            |x| x.message_id.into(),
            "Number of the request within the connection ([MS-SMB2] §2.2.1).",
        )
        .eve("flowscope.message_id"),
        C::new(
            "is_requested",
            Kind::Bool,
            |x| x.is_requested.into(),
            "Whether the request was captured.",
        ),
        C::new(
            "action",
            Kind::Text,
            |x| Value::some(x.file().and_then(|it| it.action).and_then(SmbAction::name)),
            "What was done: FILE_OPENED, FILE_CREATED, FILE_OVERWRITTEN or FILE_SUPERSEDED ([MS-SMB2] §2.2.14).",
        )
        .eve("flowscope.action"),
        C::new(
            "rights",
            Kind::List(&Kind::Text),
            |x| match x.file().and_then(|it| it.access) {
                Some(access) => Value::list(access.names()),
                None => Value::Null,
            },
            "Rights to the file that are asked for ([MS-SMB2] §2.2.13.1).",
        )
        .eve("flowscope.rights"),
        C::new(
            "is_directory",
            Kind::Bool,
            |x| Value::some(x.file().and_then(|it| it.is_directory)),
            "Whether it is a directory ([MS-SMB2] §2.2.14).",
        )
        .eve("flowscope.is_directory"),
        C::new(
            "bytes_read",
            Kind::U64,
            |x| Value::some(closed(x).map(|it| it.bytes_read)),
            "Bytes that were read of the file while it was open, by the responses that were captured ([MS-SMB2] §2.2.20).",
        )
        .eve("flowscope.bytes_read"),
        C::new(
            "bytes_written",
            Kind::U64,
            |x| Value::some(closed(x).map(|it| it.bytes_written)),
            "Bytes that were written to it ([MS-SMB2] §2.2.22).",
        )
        .eve("flowscope.bytes_written"),
        C::new(
            "client_requires_signing",
            Kind::Bool,
            |x| Value::some(x.negotiation().and_then(|it| it.client_requires_signing)),
            "Whether the client wants all messages signed ([MS-SMB2] §2.2.3).",
        )
        .eve("flowscope.client_requires_signing"),
        C::new(
            "server_requires_signing",
            Kind::Bool,
            |x| Value::some(x.negotiation().and_then(|it| it.server_requires_signing)),
            "Whether the server wants all messages signed ([MS-SMB2] §2.2.4).",
        )
        .eve("flowscope.server_requires_signing"),
        C::new(
            "can_encrypt",
            Kind::Bool,
            |x| Value::some(x.negotiation().and_then(|it| it.can_encrypt)),
            "Whether both can encrypt ([MS-SMB2] §2.2.4).",
        )
        .eve("flowscope.can_encrypt"),
        C::new(
            "cipher",
            Kind::Text,
            |x| Value::some(x.negotiation().and_then(SmbNegotiation::cipher_name)),
            "Cipher that the server chooses in 3.1.1 ([MS-SMB2] §2.2.3.1.2).",
        )
        .eve("flowscope.cipher"),
        C::new(
            "server_time",
            Kind::Time,
            |x| Value::some(x.negotiation().and_then(|it| it.server_time)),
            "Time of the server ([MS-SMB2] §2.2.4).",
        )
        .eve("flowscope.server_time"),
        C::new(
            "server_start",
            Kind::Time,
            |x| Value::some(x.negotiation().and_then(|it| it.server_start)),
            "When the server was started, if it says so ([MS-SMB2] §2.2.4).",
        )
        .eve("flowscope.server_start"),
        C::new(
            "max_read",
            Kind::U64,
            |x| Value::some(x.negotiation().and_then(|it| it.max_read)),
            "Most bytes that a client may read at once ([MS-SMB2] §2.2.4).",
        ),
        C::new(
            "max_write",
            Kind::U64,
            |x| Value::some(x.negotiation().and_then(|it| it.max_write)),
            "Most bytes that a client may write at once ([MS-SMB2] §2.2.4).",
        ),
        C::new(
            "mechanism",
            Kind::Text,
            |x| Value::some(x.login().and_then(|it| it.mechanism)),
            "How the user is authenticated: NTLM, Kerberos, NEGOEX; SPNEGO where that is not agreed on yet (RFC 4178 §4.2).",
        )
        .eve("flowscope.mechanism"),
        C::new(
            "domain",
            Kind::Bytes,
            |x| Value::some(ntlm(x).map(|it| it.domain.as_slice())),
            "Domain that knows the user, up to 128 bytes ([MS-NLMP] §2.2.1.3).",
        ),
        C::new(
            "workstation",
            Kind::Bytes,
            |x| Value::some(ntlm(x).map(|it| it.workstation.as_slice())),
            "Name of the client, up to 128 bytes ([MS-NLMP] §2.2.1.3).",
        ),
        C::new(
            "ntlm_response",
            Kind::Text,
            |x| Value::some(ntlm(x).and_then(SmbNtlm::response)),
            "NTLMv1 or NTLMv2, by the length of what proves the password, which is not kept ([MS-NLMP] §2.2.2.6, §2.2.2.8).",
        )
        .eve("flowscope.ntlm_response"),
        C::new(
            "is_guest",
            Kind::Bool,
            |x| Value::some(x.login().filter(|_| x.success() == Some(true)).map(|it| it.is_guest)),
            "Whether the user is let in as a guest ([MS-SMB2] §2.2.6).",
        )
        .eve("flowscope.is_guest"),
        C::new(
            "is_anonymous",
            Kind::Bool,
            |x| {
                let login = x.login().filter(|it| it.ntlm.is_some() || x.success() == Some(true));
                Value::some(login.map(|it| it.is_anonymous))
            },
            "Whether the login is anonymous ([MS-SMB2] §2.2.6).",
        )
        .eve("flowscope.is_anonymous"),
        C::new(
            "is_encrypted",
            Kind::Bool,
            |x| {
                let session = x.login().map(|it| it.is_encrypted);
                let wanted = session.or(x.tree().map(|it| it.is_encrypted));
                Value::some(wanted.filter(|_| x.success() == Some(true)))
            },
            "Whether the server wants all messages of the session, or of the share, encrypted ([MS-SMB2] §2.2.6, §2.2.10).",
        )
        .eve("flowscope.is_encrypted"),
        C::new(
            "server_computer",
            Kind::Bytes,
            |x| Value::some(server(x).and_then(|it| it.computer.as_deref())),
            "Name of the server for NetBIOS, up to 128 bytes, as are those that follow ([MS-NLMP] §2.2.2.1).",
        )
        .eve("flowscope.server_computer"),
        C::new(
            "server_domain",
            Kind::Bytes,
            |x| Value::some(server(x).and_then(|it| it.domain.as_deref())),
            "Domain of the server for NetBIOS ([MS-NLMP] §2.2.2.1).",
        )
        .eve("flowscope.server_domain"),
        C::new(
            "server_dns_computer",
            Kind::Bytes,
            |x| Value::some(server(x).and_then(|it| it.dns_computer.as_deref())),
            "Name of the server in DNS ([MS-NLMP] §2.2.2.1).",
        )
        .eve("flowscope.server_dns_computer"),
        C::new(
            "server_dns_domain",
            Kind::Bytes,
            |x| Value::some(server(x).and_then(|it| it.dns_domain.as_deref())),
            "Domain of the server in DNS ([MS-NLMP] §2.2.2.1).",
        )
        .eve("flowscope.server_dns_domain"),
        C::new(
            "server_dns_tree",
            Kind::Bytes,
            |x| Value::some(server(x).and_then(|it| it.dns_tree.as_deref())),
            "Forest of the server in DNS ([MS-NLMP] §2.2.2.1).",
        )
        .eve("flowscope.server_dns_tree"),
        C::new(
            "server_version",
            Kind::Text,
            |x| Value::some(server(x).and_then(|it| it.version).map(Value::short)),
            "Version of the server's system ([MS-NLMP] §2.2.2.10).",
        )
        .eve("flowscope.server_version"),
        C::new(
            "encrypted_messages",
            Kind::U64,
            |x| Value::some(x.transformed().map(|it| it.encrypted)),
            "Messages of both sides that are encrypted ([MS-SMB2] §2.2.41).",
        )
        .eve("flowscope.encrypted_messages"),
        C::new(
            "compressed_messages",
            Kind::U64,
            |x| Value::some(x.transformed().map(|it| it.compressed)),
            "Messages of both sides that are compressed and not encrypted ([MS-SMB2] §2.2.42).",
        )
        .eve("flowscope.compressed_messages"),
        C::new(
            "transformed_bytes",
            Kind::U64,
            |x| Value::some(x.transformed().map(|it| it.bytes)),
            "Bytes of these messages.",
        )
        .eve("flowscope.transformed_bytes"),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the request to its response, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("smb", |x| x.ts)
};

fn guid(guid: Option<SmbGuid>) -> Value<'static> {
    Value::some(guid.map(Value::short))
}

fn ntlm(x: &X) -> Option<&SmbNtlm> {
    x.login()?.ntlm.as_ref()
}

fn server(x: &X) -> Option<&SmbNtlmServer> {
    x.login()?.ntlm_server.as_ref()
}

/// The name of a file, or Suricata's and Zeek's for the root of a share.
fn name(name: &[u8]) -> &[u8] {
    if name.is_empty() { b"<share_root>" } else { name }
}

fn share(x: &X) -> Option<&[u8]> {
    x.file().and_then(|it| it.share.as_deref()).or_else(|| x.tree()?.path.as_deref())
}

fn share_type(x: &X) -> Option<SmbShareType> {
    x.file().and_then(|it| it.share_type).or_else(|| x.tree()?.kind)
}

fn is_pipe(x: &X) -> bool {
    share_type(x) == Some(SmbShareType::PIPE)
}

/// The file that a request opens.
fn opened(x: &X) -> Option<&SmbFile> {
    x.file().filter(|_| x.command == SmbCommand::Create && x.is_requested)
}

/// The file that is closed.
fn closed(x: &X) -> Option<&SmbFile> {
    x.file().filter(|_| x.command == SmbCommand::Close)
}

/// `CREATE reports\may.txt in \\files\public → FILE_OPENED`, for tables.
fn summary(x: &X, out: &mut String) {
    out.push_str(x.command.name());
    if let Some(it) = x.negotiation() {
        for dialect in &it.offered {
            out.push_str(&format!(" {}", wire_text(dialect)));
        }
    }
    if let Some(it) = x.login() {
        match it.ntlm.as_ref().filter(|it| !it.user.is_empty()) {
            Some(SmbNtlm { domain, user, .. }) if domain.is_empty() => {
                out.push_str(&format!(" {}", wire_text(user)));
            }
            Some(SmbNtlm { domain, user, .. }) => {
                out.push_str(&format!(" {}\\{}", wire_text(domain), wire_text(user)));
            }
            None if it.is_anonymous => out.push_str(" anonymous"),
            None => {}
        }
        if let Some(mechanism) = it.mechanism {
            out.push_str(&format!(" by {mechanism}"));
        }
    }
    if let Some(path) = x.tree().and_then(|it| it.path.as_deref()) {
        out.push_str(&format!(" {}", wire_text(path)));
    }
    if let Some(it) = x.file() {
        summary_of_file(it, out);
    }
    if let Some(it) = x.transformed() {
        let messages = it.encrypted + it.compressed;
        out.push_str(&format!(" {messages} messages, {}B", amount(it.bytes)));
        return;
    }
    match (x.command, x.status) {
        (SmbCommand::Close, None) if !x.is_requested => out.push_str(" (not closed)"),
        (_, None) => out.push_str(" → (no response)"),
        (SmbCommand::Close, Some(SmbStatus::SUCCESS)) => {}
        (_, Some(status)) => {
            let chosen = x.dialect.filter(|_| x.negotiation().is_some() && !status.is_error());
            let action = x.file().and_then(|it| it.action).and_then(SmbAction::name);
            match (chosen, action) {
                (Some(dialect), _) => out.push_str(&format!(" → {dialect}")),
                (None, Some(action)) => out.push_str(&format!(" → {action}")),
                (None, None) => out.push_str(&format!(" → {status}")),
            }
        }
    }
}

/// `reports\may.txt in \\files\public, 12.3KB read`.
fn summary_of_file(it: &SmbFile, out: &mut String) {
    match &it.name {
        Some(path) => out.push_str(&format!(" {}", wire_text(name(path)))),
        None => out.push_str(" (not known)"),
    }
    if let Some(share) = &it.share {
        out.push_str(&format!(" in {}", wire_text(share)));
    }
    match (&it.new_name, it.deleted) {
        (Some(name), _) => out.push_str(&format!(" to {}", wire_text(name))),
        (None, Some(true)) => out.push_str(" deleted"),
        (None, Some(false)) => out.push_str(" not deleted"),
        (None, None) => {}
    }
    for (bytes, what) in [(it.bytes_read, "read"), (it.bytes_written, "written")] {
        if bytes > 0 {
            out.push_str(&format!(", {}B {what}", amount(bytes)));
        }
    }
    files::note(out, "read", it.read_file.as_deref());
    files::note(out, "written", it.written_file.as_deref());
}

/// Version of the protocol, as Zeek has it.
fn version(x: &X) -> &'static str {
    if x.dialect.map_or(x.is_smb1, SmbDialect::is_smb1) { "SMB1" } else { "SMB2" }
}
