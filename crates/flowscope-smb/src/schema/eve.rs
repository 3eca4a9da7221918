//! What Suricata says in other words.

use flowscope_core::Timestamp;
use flowscope_record::Value;

use super::{X, ntlm};
use crate::SmbCommand;

/// A text, unless it is empty.
fn text(text: &[u8]) -> Value<'_> {
    if text.is_empty() { Value::Null } else { text.into() }
}

pub(super) fn command(x: &X) -> Value<'_> {
    match x.command {
        SmbCommand::Negotiate if x.is_smb1 => "SMB1_COMMAND_NEGOTIATE_PROTOCOL",
        SmbCommand::Negotiate => "SMB2_COMMAND_NEGOTIATE_PROTOCOL",
        SmbCommand::SessionSetup => "SMB2_COMMAND_SESSION_SETUP",
        SmbCommand::Logoff => "SMB2_COMMAND_SESSION_LOGOFF",
        SmbCommand::TreeConnect => "SMB2_COMMAND_TREE_CONNECT",
        SmbCommand::TreeDisconnect => "SMB2_COMMAND_TREE_DISCONNECT",
        SmbCommand::Create => "SMB2_COMMAND_CREATE",
        SmbCommand::Close => "SMB2_COMMAND_CLOSE",
        SmbCommand::SetInfo => "SMB2_COMMAND_SET_INFO",
        SmbCommand::Transform => return Value::Null,
    }
    .into()
}

pub(super) fn ntlmssp(x: &X) -> Value<'_> {
    let Some(it) = ntlm(x) else { return Value::Null };
    Value::object([
        ("domain", text(&it.domain)),
        ("user", text(&it.user)),
        ("host", text(&it.workstation)),
        ("version", Value::some(it.version.map(Value::short))),
    ])
}

pub(super) fn kerberos(x: &X) -> Value<'_> {
    let Some(it) = x.login().and_then(|it| it.kerberos.as_ref()) else { return Value::Null };
    let names = Value::list(it.service.iter().map(Vec::as_slice));
    Value::object([("realm", text(&it.realm)), ("snames", names)])
}

/// `cifs/files.example.org`.
pub(super) fn service(x: &X) -> Value<'_> {
    let kerberos = x.login().and_then(|it| it.kerberos.as_ref());
    Value::some(kerberos.map(|it| it.service.join(&b'/')))
}

pub(super) fn rename(x: &X) -> Value<'_> {
    let Some((file, to)) = x.file().and_then(|it| Some((it, it.new_name.as_deref()?))) else {
        return Value::Null;
    };
    Value::object([("from", Value::some(file.name.as_deref())), ("to", to.into())])
}

pub(super) fn set_info(x: &X) -> Value<'_> {
    let Some(file) = x.file().filter(|_| x.command == SmbCommand::SetInfo) else {
        return Value::Null;
    };
    let level = match (&file.new_name, file.deleted) {
        (Some(_), _) => "SMB2_FILE_RENAME_INFO",
        (None, Some(_)) => "SMB2_FILE_DISPOSITION_INFO",
        (None, None) => return Value::Null,
    };
    Value::object([("class", "FILE_INFO".into()), ("info_level", level.into())])
}

pub(super) fn seconds(time: Option<Timestamp>) -> Value<'static> {
    Value::some(time.map(Timestamp::secs))
}
