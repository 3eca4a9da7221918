use std::net::SocketAddr;

use flowscope_record::{Column, Kind, Schema, Value, ZeekType};

use super::ProxyHeader;

type C = Column<ProxyHeader>;

/// The columns of a header.
pub static PROXY: Schema<ProxyHeader> = Schema {
    summary,
    columns: &[
        C::new(
            "version",
            Kind::U64,
            |x| x.version.into(),
            "Version, 1 or 2 (proxy-protocol.txt §2).",
        )
        .eve("proxy.version")
        .zeek(0, "version", ZeekType::Count),
        C::new(
            "command",
            Kind::Text,
            |x| x.command.as_str().into(),
            "For whom the connection is: proxy, local, unknown (proxy-protocol.txt §2).",
        )
        .eve("proxy.command")
        .zeek(1, "command", ZeekType::String),
        C::new(
            "transport",
            Kind::Text,
            |x| Value::some(x.transport),
            "Transport of the client's connection: tcp, udp, unix (proxy-protocol.txt §2.2).",
        )
        .eve("proxy.transport")
        .zeek(2, "transport", ZeekType::String),
        C::new(
            "client_addr",
            Kind::Addr,
            |x| addr(x.source),
            "Address of the client (proxy-protocol.txt §2.2).",
        )
        .eve("proxy.src_ip")
        .zeek(3, "client.host", ZeekType::Addr),
        C::new(
            "client_port",
            Kind::U64,
            |x| port(x.source),
            "Port of the client (proxy-protocol.txt §2.2).",
        )
        .eve("proxy.src_port")
        .zeek(4, "client_p", ZeekType::Port),
        C::new(
            "server_addr",
            Kind::Addr,
            |x| addr(x.destination),
            "Address to which the client connected (proxy-protocol.txt §2.2).",
        )
        .eve("proxy.dest_ip")
        .zeek(5, "server.host", ZeekType::Addr),
        C::new(
            "server_port",
            Kind::U64,
            |x| port(x.destination),
            "Port to which the client connected (proxy-protocol.txt §2.2).",
        )
        .eve("proxy.dest_port")
        .zeek(6, "server_p", ZeekType::Port),
        C::new(
            "alpn",
            Kind::Bytes,
            |x| Value::some(x.alpn.as_deref()),
            "Application protocol that was negotiated (proxy-protocol.txt §2.2.1).",
        )
        .eve("proxy.alpn")
        .zeek(7, "alpn", ZeekType::String),
        C::new(
            "authority",
            Kind::Bytes,
            |x| Value::some(x.authority.as_deref()),
            "Name of the host that the client wants (proxy-protocol.txt §2.2.2).",
        )
        .eve("proxy.authority")
        .zeek(8, "authority", ZeekType::String),
        C::new(
            "unique_id",
            Kind::Bytes,
            |x| Value::some(x.unique_id.as_deref()),
            "Identifier of the connection (proxy-protocol.txt §2.2.5).",
        )
        .eve("proxy.unique_id"),
        C::new(
            "tls_version",
            Kind::Bytes,
            |x| Value::some(x.tls_version.as_deref()),
            "Version of TLS between client and proxy (proxy-protocol.txt §2.2.6).",
        )
        .eve("proxy.tls_version")
        .zeek(9, "tls_version", ZeekType::String),
        C::new(
            "client_cn",
            Kind::Bytes,
            |x| Value::some(x.client_cn.as_deref()),
            "Common name in the client's certificate (proxy-protocol.txt §2.2.6).",
        )
        .eve("proxy.client_cn"),
    ],
    ..Schema::new("proxy", |x| x.ts)
};

fn addr(end: Option<SocketAddr>) -> Value<'static> {
    Value::some(end.map(|end| end.ip()))
}

fn port(end: Option<SocketAddr>) -> Value<'static> {
    Value::some(end.map(|end| end.port()))
}

/// `PROXYv2 192.0.2.1:5000 → 198.51.100.2:443`, for tables.
fn summary(header: &ProxyHeader, out: &mut String) {
    out.push_str(&format!("PROXYv{}", header.version));
    match (header.source, header.destination) {
        (Some(source), Some(destination)) => {
            out.push_str(&format!(" {source} → {destination}"));
        }
        _ => out.push_str(&format!(" {}", header.command.as_str())),
    }
}
