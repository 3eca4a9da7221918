use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::{RdpFailure, RdpSecurity, RdpStart};

type C = Column<RdpStart>;
type X = RdpStart;

/// The columns of a start. Zeek's fields of what is said behind it are left out.
pub static RDP: Schema<RdpStart> = Schema {
    summary,
    columns: &[
        C::new(
            "cookie",
            Kind::Bytes,
            |x| Value::some(x.cookie.as_deref()),
            "Name in the cookie mstshash ([MS-RDPBCGR] §2.2.1.1).",
        )
        .eve("rdp.cookie")
        .zeek(0, "cookie", ZeekType::String),
        C::new(
            "result",
            Kind::Text,
            |x| Value::some(result(x)),
            "encrypted where TLS follows, Success where it does not, the name of a failure, or none without an \
             answer ([MS-RDPBCGR] §2.2.1.2).",
        )
        .eve("flowscope.result")
        .zeek(1, "result", ZeekType::String),
        C::new(
            "security_protocol",
            Kind::Text,
            |x| Value::some(x.selected.and_then(RdpSecurity::name)),
            "Security that the server chose: RDP, SSL, HYBRID, RDSTLS, HYBRID_EX or RDSAAD ([MS-RDPBCGR] \
             §2.2.1.2.1).",
        )
        .eve("flowscope.security_protocol")
        .zeek(2, "security_protocol", ZeekType::String),
        C::new(
            "requested",
            Kind::List(&Kind::Text),
            requested,
            "Security that the client can speak beside standard one; none: it does not negotiate ([MS-RDPBCGR] \
             §2.2.1.1.1).",
        )
        .eve("flowscope.requested"),
        C::new(
            "routing_token",
            Kind::Bytes,
            |x| Value::some(x.routing_token.as_deref()),
            "Routing token msts for a load balancer ([MS-RDPBCGR] §2.2.1.1).",
        )
        .eve("flowscope.routing_token"),
        C::new(
            "restricted_admin",
            Kind::Bool,
            |x| x.restricted_admin.into(),
            "Whether the client does not hand its credentials over ([MS-RDPBCGR] §2.2.1.1.1).",
        )
        .eve("flowscope.restricted_admin"),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the request to the answer, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("rdp", |x| x.ts)
};

/// As Zeek has it.
fn result(x: &X) -> Option<&'static str> {
    match (x.failure, x.selected) {
        (Some(failure), _) => Some(RdpFailure::name(failure).unwrap_or("unknown failure")),
        (None, Some(selected)) if selected.is_tls() => Some("encrypted"),
        (None, Some(_)) => Some("Success"),
        (None, None) => None,
    }
}

fn requested(x: &X) -> Value<'_> {
    let Some(flags) = x.requested else { return Value::Null };
    let known = (0..5).map(|bit| 1 << bit).filter(|bit| flags & bit != 0);
    Value::list(known.filter_map(|bit| RdpSecurity(bit).name()))
}

/// `alice → HYBRID`, for tables.
fn summary(x: &RdpStart, out: &mut String) {
    if let Some(name) = x.cookie.as_ref().or(x.routing_token.as_ref()) {
        out.push_str(&format!("{} ", wire_text(name)));
    }
    let security = x.selected.and_then(RdpSecurity::name);
    out.push_str(&format!("→ {}", security.or(result(x)).unwrap_or("(no answer)")));
}
