use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::MysqlStart;

type C = Column<MysqlStart>;

/// The columns of the start of a connection. Sections are those of "Client/Server Protocol" in MySQL's
/// documentation.
pub static MYSQL: Schema<MysqlStart> = Schema {
    summary,
    columns: &[
        C::new(
            "server_version",
            Kind::Bytes,
            |x| Value::some(x.server_version.as_deref()),
            "Version of the server (MySQL, Protocol::HandshakeV10).",
        )
        .eve("mysql.version"),
        C::new(
            "connection_id",
            Kind::U64,
            |x| Value::some(x.connection_id),
            "Number of the connection at the server (MySQL, Protocol::HandshakeV10).",
        )
        .eve("mysql.connection_id"),
        C::new(
            "server_capabilities",
            Kind::U64,
            |x| Value::some(x.server_capabilities),
            "Capabilities of the server, a number (MySQL, Capabilities Flags).",
        )
        .eve("mysql.server_capabilities"),
        C::new(
            "server_plugin",
            Kind::Bytes,
            |x| Value::some(x.server_plugin.as_deref()),
            "Authentication plugin that the server proposes (MySQL, Protocol::HandshakeV10).",
        )
        .eve("mysql.server_auth_plugin"),
        C::new(
            "command",
            Kind::Text,
            |x| Value::some(x.user.as_ref().map(|_| "login")),
            "`login`, if the client said who it is (MySQL, Protocol::HandshakeResponse).",
        )
        .zeek(0, "cmd", ZeekType::String),
        C::new(
            "client_capabilities",
            Kind::U64,
            |x| Value::some(x.client_capabilities),
            "Capabilities that the client asks for, a number (MySQL, Capabilities Flags).",
        )
        .eve("mysql.client_capabilities"),
        C::new(
            "user",
            Kind::Bytes,
            |x| Value::some(x.user.as_deref()),
            "User (MySQL, Protocol::HandshakeResponse).",
        )
        .eve("mysql.user")
        .zeek(1, "arg", ZeekType::String),
        C::new(
            "database",
            Kind::Bytes,
            |x| Value::some(x.database.as_deref()),
            "Database (MySQL, Protocol::HandshakeResponse).",
        )
        .eve("mysql.database"),
        C::new(
            "client_plugin",
            Kind::Bytes,
            |x| Value::some(x.client_plugin.as_deref()),
            "Authentication plugin of the client (MySQL, Protocol::HandshakeResponse).",
        )
        .eve("mysql.client_auth_plugin"),
        C::new(
            "program_name",
            Kind::Bytes,
            |x| Value::some(x.program_name.as_deref()),
            "Connection attribute program_name (MySQL, Protocol::HandshakeResponse).",
        )
        .eve("mysql.program_name"),
        C::new(
            "success",
            Kind::Bool,
            |x| Value::some(x.success),
            "Whether the server accepted the client: OK_Packet, or ERR_Packet (MySQL, Generic Response Packets).",
        )
        .eve("mysql.success")
        .zeek(2, "success", ZeekType::Bool),
        C::new(
            "error_code",
            Kind::U64,
            |x| Value::some(x.error.as_ref().map(|error| error.code)),
            "Number of the error (MySQL, ERR_Packet).",
        )
        .eve("mysql.error_code"),
        C::new(
            "sqlstate",
            Kind::Bytes,
            |x| Value::some(x.error.as_ref().and_then(|error| error.sqlstate.as_deref())),
            "SQLSTATE of the error (MySQL, ERR_Packet).",
        )
        .eve("mysql.sqlstate"),
        C::new(
            "error_message",
            Kind::Bytes,
            |x| Value::some(x.error.as_ref().map(|error| error.message.as_slice())),
            "Text of the error (MySQL, ERR_Packet).",
        )
        .eve("mysql.error_message")
        .zeek(3, "response", ZeekType::String),
        C::new(
            "outcome",
            Kind::Text,
            |x| x.outcome.as_str().into(),
            "What came of it: `accepted`, `encrypted`, `refused`, `cut` by missing bytes, `incomplete`.",
        )
        .eve("flowscope.outcome"),
        C::new(
            "duration",
            Kind::Duration,
            |x| Value::some(x.duration),
            "From the greeting to the last packet that was read, in seconds.",
        )
        .eve("flowscope.duration"),
    ],
    ..Schema::new("mysql", |x| x.started)
};

/// Who asks for which database, and what came of it, for tables.
fn summary(start: &MysqlStart, out: &mut String) {
    if let Some(user) = &start.user {
        out.push_str(&wire_text(user));
        if let Some(database) = &start.database {
            out.push('@');
            out.push_str(&wire_text(database));
        }
        out.push(' ');
    }
    out.push_str(start.outcome.as_str());
    if let Some(version) = &start.server_version {
        out.push(' ');
        out.push_str(&wire_text(version));
    }
    if let Some(error) = &start.error {
        out.push(' ');
        out.push_str(&wire_text(&error.message));
    }
}
