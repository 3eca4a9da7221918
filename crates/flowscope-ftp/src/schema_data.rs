use flowscope_core::FlowSide;
use flowscope_files::record as files;
use flowscope_record::{Column, Kind, Schema, Value, ZeekService, ZeekType, wire_text};

use crate::FtpTransfer;
use crate::transfer::DATA;

type C = Column<FtpTransfer>;

/// The columns of a transfer.
pub static FTP_DATA: Schema<FtpTransfer> = Schema {
    eve_event: "ftp_data",
    zeek_log: "ftp_data",
    zeek_service: Some(ZeekService { tcp: "ftp-data", udp: "ftp-data" }),
    summary,
    columns: &[
        C::new(
            "filename",
            Kind::Bytes,
            |x| Value::some(x.name.as_deref()),
            "Argument of the command, a path; of STOU what the server calls the file (RFC 959 §4.1.3, RFC 1123 §4.1.2.9).",
        )
        .eve("ftp_data.filename")
        .zeek(2, "filename", ZeekType::String),
        C::new(
            "command",
            Kind::Bytes,
            |x| Value::some(x.command.as_deref()),
            "Command that opened the data connection, in upper case; none: it was not captured (RFC 959 §4.1.3).",
        )
        .eve("ftp_data.command")
        .zeek(1, "command", ZeekType::String),
        C::new(
            "control_flow",
            Kind::U64,
            |x| Value::some(x.control_flow),
            "Flow of the control connection, as in flow_id: the number of its first packet.",
        )
        .eve("flowscope.control_flow")
        .zeek(0, "control_flow", ZeekType::Count),
        C::new(
            "direction",
            Kind::Text,
            |x| direction(x).into(),
            "Who sent: toserver, the client of the control connection; toclient, its server. Without a command, the \
             initiator of the data connection counts as its client.",
        )
        .eve("flowscope.direction")
        .zeek(3, "direction", ZeekType::String),
        C::new(
            "offset",
            Kind::U64,
            |x| Value::some((x.offset > 0).then_some(x.offset)),
            "Where in the file the transfer begins, in bytes, if not at its start: the argument of REST (RFC 3659 §5).",
        )
        .eve("flowscope.offset"),
        C::new(
            "file_size",
            Kind::U64,
            |x| Value::some(x.file_size),
            "Size of the file in bytes, where the reply that opens the transfer says it.",
        )
        .eve("flowscope.file_size"),
        C::new(
            "bytes",
            Kind::U64,
            |x| x.bytes.into(),
            "Bytes that were captured; of a connection that TLS protects, 0.",
        )
        .eve("flowscope.bytes")
        .zeek(4, "seen_bytes", ZeekType::Count),
        C::new(
            "missing_bytes",
            Kind::U64,
            |x| x.missing_bytes.into(),
            "Bytes that were sent and not captured.",
        )
        .eve("flowscope.missing_bytes")
        .zeek(5, "missing_bytes", ZeekType::Count),
        C::new(
            "truncated",
            Kind::Bool,
            |x| x.is_cut.into(),
            "Whether the start or the end was not seen: the capture or a reset ended it, or fewer bytes came than the file has.",
        )
        .eve("flowscope.truncated")
        .zeek(6, "truncated", ZeekType::Bool),
        C::new(
            "tls",
            Kind::Bool,
            |x| x.is_protected.into(),
            "Whether TLS protects the data connection: the handshake has a record of its own (RFC 4217 §9).",
        )
        .eve("flowscope.tls")
        .zeek(7, "tls", ZeekType::Bool),
        C::new(
            "mime_type",
            Kind::Text,
            |x| files::mime_type(x.file.as_deref()),
            "Media type of the file by its first bytes. With --file-info. EVE has this and the next in a list `files`, an \
             object for the file: filename, direction, mime_type, sha256, size, gaps, state, tx_id.",
        )
        .zeek(8, "mime_type", ZeekType::String)
        .eve_as("files", |x| match &x.file {
            Some(file) => {
                let name = x.name.as_deref();
                Value::list([files::object(file, name, direction(x), 0)].into_iter())
            }
            None => Value::Null,
        }),
        C::new(
            "sha256",
            Kind::Text,
            |x| files::sha256(x.file.as_deref()),
            "SHA-256 (FIPS 180-4) of the file as it was sent, if all of it was captured. With --file-info.",
        )
        .zeek(9, "sha256", ZeekType::String),
    ],
    ..Schema::new(DATA, |x| x.ts)
};

fn direction(x: &FtpTransfer) -> &'static str {
    let is_upload = x.is_upload().unwrap_or(x.sender != Some(FlowSide::Responder));
    if is_upload { "toserver" } else { "toclient" }
}

/// `RETR a.png, 1234 bytes [file image/png]`, for tables.
fn summary(x: &FtpTransfer, out: &mut String) {
    match &x.command {
        Some(command) => out.push_str(&wire_text(command)),
        None => out.push_str("(no command)"),
    }
    if let Some(name) = &x.name {
        out.push_str(&format!(" {}", wire_text(name)));
    }
    if x.is_protected {
        return out.push_str(", TLS");
    }
    out.push_str(&format!(", {} bytes", x.bytes));
    if x.is_cut {
        out.push_str(", truncated");
    }
    files::note(out, "file", x.file.as_deref());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_sound() {
        assert_eq!(FTP_DATA.faults(), Vec::<String>::new());
    }
}
