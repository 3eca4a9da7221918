use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use super::{SocksHost, SocksRequest};

type C = Column<SocksRequest>;

/// The columns of a request.
pub static SOCKS: Schema<SocksRequest> = Schema {
    summary,
    columns: &[
        C::new("version", Kind::U64, |x| x.version.into(), "Version, 4 or 5 (RFC 1928 §3).")
            .eve("socks.version")
            .zeek(0, "version", ZeekType::Count),
        C::new(
            "methods",
            Kind::List(&Kind::U64),
            |x| Value::list(x.methods.iter().copied()),
            "Authentication methods that the client offered (RFC 1928 §3).",
        )
        .eve("socks.methods"),
        C::new(
            "method",
            Kind::U64,
            |x| Value::some(x.method),
            "Authentication method that the server chose; 255: none (RFC 1928 §3).",
        )
        .eve("socks.method"),
        C::new(
            "user",
            Kind::Bytes,
            |x| Value::some(x.user.as_deref()),
            "User's name; the password is not kept (RFC 1929 §2).",
        )
        .eve("socks.user")
        .zeek(1, "user", ZeekType::String),
        C::new(
            "authenticated",
            Kind::Bool,
            |x| Value::some(x.authenticated),
            "Whether name and password were accepted (RFC 1929 §2).",
        )
        .eve("socks.authenticated"),
        C::new(
            "command",
            Kind::Text,
            |x| x.command.map_or(Value::Null, command),
            "What is asked for: connect, bind, udp_associate, or a number (RFC 1928 §4).",
        )
        .eve("socks.command"),
        C::new(
            "target_addr",
            Kind::Addr,
            |x| addr(x.target.as_ref()),
            "Address of the target (RFC 1928 §5).",
        )
        .eve("socks.target_addr")
        .zeek(3, "request.host", ZeekType::Addr),
        C::new(
            "target_name",
            Kind::Bytes,
            |x| name(x.target.as_ref()),
            "Name of the target (RFC 1928 §5).",
        )
        .eve("socks.target_name")
        .zeek(4, "request.name", ZeekType::String),
        C::new(
            "target_port",
            Kind::U64,
            |x| Value::some(x.target_port),
            "Port of the target (RFC 1928 §4).",
        )
        .eve("socks.target_port")
        .zeek(5, "request_p", ZeekType::Port),
        C::new(
            "status",
            Kind::Text,
            status,
            "Answer of the server in the words of Zeek: succeeded, or why not (RFC 1928 §6).",
        )
        .eve("socks.status")
        .zeek(2, "status", ZeekType::String),
        C::new(
            "bound_addr",
            Kind::Addr,
            |x| addr(x.bound.as_ref()),
            "Address from which the server connects, or at which it waits (RFC 1928 §6).",
        )
        .eve("socks.bound_addr")
        .zeek(6, "bound.host", ZeekType::Addr),
        C::new(
            "bound_name",
            Kind::Bytes,
            |x| name(x.bound.as_ref()),
            "The same as a name (RFC 1928 §6).",
        )
        .eve("socks.bound_name")
        .zeek(7, "bound.name", ZeekType::String),
        C::new("bound_port", Kind::U64, |x| Value::some(x.bound_port), "Port of it (RFC 1928 §6).")
            .eve("socks.bound_port")
            .zeek(8, "bound_p", ZeekType::Port),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the client's first bytes to the answer, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("socks", |x| x.ts)
};

fn addr(host: Option<&SocksHost>) -> Value<'_> {
    match host {
        Some(SocksHost::Addr(addr)) => (*addr).into(),
        _ => Value::Null,
    }
}

fn name(host: Option<&SocksHost>) -> Value<'_> {
    match host {
        Some(SocksHost::Name(name)) => name.as_slice().into(),
        _ => Value::Null,
    }
}

fn command(number: u8) -> Value<'static> {
    match number {
        1 => "connect".into(),
        2 => "bind".into(),
        3 => "udp_associate".into(),
        other => Value::short(other),
    }
}

fn status(request: &SocksRequest) -> Value<'static> {
    let Some(status) = request.status else { return Value::Null };
    match (request.version, status) {
        (5, 0) | (4, 90) => "succeeded".into(),
        (5, 1) => "general SOCKS server failure".into(),
        (5, 2) => "connection not allowed by ruleset".into(),
        (5, 3) => "Network unreachable".into(),
        (5, 4) => "Host unreachable".into(),
        (5, 5) => "Connection refused".into(),
        (5, 6) => "TTL expired".into(),
        (5, 7) => "Command not supported".into(),
        (5, 8) => "Address type not supported".into(),
        (4, 91) => "request rejected or failed".into(),
        (4, 92) => "identd unreachable".into(),
        (4, 93) => "identd mismatch".into(),
        (_, other) => Value::short(format_args!("unknown-{other}")),
    }
}

/// `SOCKS5 connect example.org:80 → succeeded`, for tables.
fn summary(request: &SocksRequest, out: &mut String) {
    out.push_str(&format!("SOCKS{}", request.version));
    if let Value::Text(command) = request.command.map_or(Value::Null, command) {
        out.push_str(&format!(" {command}"));
    }
    match (&request.target, request.target_port) {
        (Some(SocksHost::Addr(addr)), Some(port)) => {
            out.push_str(&format!(" {}", std::net::SocketAddr::new(*addr, port)));
        }
        (Some(SocksHost::Name(name)), Some(port)) => {
            out.push_str(&format!(" {}:{port}", wire_text(name)));
        }
        _ => {}
    }
    match status(request) {
        Value::Text(status) => out.push_str(&format!(" → {status}")),
        Value::Short(status) => out.push_str(&format!(" → {}", status.as_str())),
        _ => out.push_str(" (no reply)"),
    }
}
