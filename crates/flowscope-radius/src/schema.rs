use flowscope_record::{Column, Kind, Schema, Value, ZeekType, wire_text};

use crate::{RadiusAccounting, RadiusCode, RadiusExchange};

type C = Column<RadiusExchange>;
type X = RadiusExchange;

/// The columns of an exchange. Zeek's `radius.log` has a line for each login.
pub static RADIUS: Schema<RadiusExchange> = Schema {
    sender: Some(|x| x.side),
    zeek_rows: Some(logins),
    summary,
    columns: &[
        C::new("id", Kind::U64, |x| x.id.into(), "Identifier of the packets (RFC 2865 §3).")
            .eve("radius.id"),
        C::new(
            "request",
            Kind::Text,
            |x| code(x.request),
            "Code of the request by name; none: it was not captured (RFC 2865 §3).",
        )
        .eve("radius.request"),
        C::new(
            "response",
            Kind::Text,
            |x| code(x.response),
            "Code of the answer by name; none: no answer (RFC 2865 §3).",
        )
        .eve("radius.response"),
        C::new(
            "result",
            Kind::Text,
            |x| Value::some(x.success().map(|yes| if yes { "success" } else { "failed" })),
            "success or failed; none: no answer, or one that asks for more (RFC 2865 §4).",
        )
        .eve("radius.result")
        .zeek(6, "result", ZeekType::String),
        C::new(
            "user_name",
            Kind::Bytes,
            |x| Value::some(x.attributes.user_name.as_deref()),
            "User-Name of the answer, else of the request, up to 128 bytes (RFC 2865 §5.1).",
        )
        .eve("radius.user_name")
        .zeek(0, "username", ZeekType::String),
        C::new(
            "nas_address",
            Kind::Addr,
            |x| Value::some(x.attributes.nas_address),
            "NAS-IP-Address or NAS-IPv6-Address (RFC 2865 §5.4, RFC 3162 §2.1).",
        )
        .eve("radius.nas_ip_address"),
        C::new(
            "nas_identifier",
            Kind::Bytes,
            |x| Value::some(x.attributes.nas_identifier.as_deref()),
            "NAS-Identifier, up to 128 bytes (RFC 2865 §5.32).",
        )
        .eve("radius.nas_identifier"),
        C::new(
            "nas_port",
            Kind::U64,
            |x| Value::some(x.attributes.nas_port),
            "NAS-Port (RFC 2865 §5.5).",
        )
        .eve("radius.nas_port"),
        C::new(
            "nas_port_type",
            Kind::U64,
            |x| Value::some(x.attributes.nas_port_type),
            "NAS-Port-Type: 5 is virtual, 15 Ethernet, 19 wireless LAN (RFC 2865 §5.41).",
        )
        .eve("radius.nas_port_type"),
        C::new(
            "service_type",
            Kind::U64,
            |x| Value::some(x.attributes.service_type),
            "Service-Type: 2 is Framed, 6 Administrative, 10 Call-Check (RFC 2865 §5.6).",
        )
        .eve("radius.service_type"),
        C::new(
            "framed_address",
            Kind::Addr,
            |x| Value::some(x.attributes.framed_address),
            "Framed-IP-Address or Framed-IPv6-Address: the user's (RFC 2865 §5.8, RFC 6911 §3.1).",
        )
        .eve("radius.framed_ip_address")
        .zeek(2, "framed_addr", ZeekType::Addr),
        C::new(
            "calling_station",
            Kind::Bytes,
            |x| Value::some(x.attributes.calling_station.as_deref()),
            "Calling-Station-Id, up to 128 bytes; in Zeek's log only a MAC address (RFC 2865 §5.31).",
        )
        .eve("radius.calling_station_id")
        .zeek_as(1, "mac", ZeekType::String, |x| {
            Value::some(x.attributes.calling_station.as_deref().and_then(mac))
        }),
        C::new(
            "called_station",
            Kind::Bytes,
            |x| Value::some(x.attributes.called_station.as_deref()),
            "Called-Station-Id, up to 128 bytes (RFC 2865 §5.30).",
        )
        .eve("radius.called_station_id"),
        C::new(
            "tunnel_client",
            Kind::Bytes,
            |x| Value::some(x.attributes.tunnel_client.as_deref()),
            "Tunnel-Client-Endpoint, up to 128 bytes (RFC 2868 §3.3).",
        )
        .eve("radius.tunnel_client_endpoint")
        .zeek(3, "tunnel_client", ZeekType::String),
        C::new(
            "connect_info",
            Kind::Bytes,
            |x| Value::some(x.attributes.connect_info.as_deref()),
            "Connect-Info, up to 128 bytes (RFC 2869 §5.11).",
        )
        .eve("radius.connect_info")
        .zeek(4, "connect_info", ZeekType::String),
        C::new(
            "reply_message",
            Kind::Bytes,
            |x| Value::some(x.attributes.reply_message.as_deref()),
            "Reply-Message of the answer, the first, up to 128 bytes (RFC 2865 §5.18).",
        )
        .eve("radius.reply_message")
        .zeek(5, "reply_msg", ZeekType::String),
        C::new(
            "session_timeout",
            Kind::U64,
            |x| Value::some(x.attributes.session_timeout),
            "Session-Timeout of the answer, in seconds (RFC 2865 §5.27).",
        )
        .eve("radius.session_timeout"),
        C::new(
            "error_cause",
            Kind::U64,
            |x| Value::some(x.attributes.error_cause),
            "Error-Cause of the answer (RFC 5176 §3.5).",
        )
        .eve("radius.error_cause"),
        C::new(
            "eap",
            Kind::Bool,
            |x| x.attributes.has_eap.into(),
            "Whether there is an EAP-Message (RFC 3579 §3.1).",
        )
        .eve("radius.eap"),
        C::new(
            "session_id",
            Kind::Bytes,
            |x| Value::some(x.attributes.session_id.as_deref()),
            "Acct-Session-Id, up to 128 bytes (RFC 2866 §5.5).",
        )
        .eve("radius.acct_session_id"),
        C::new(
            "status_type",
            Kind::Text,
            |x| Value::some(accounting(x).and_then(RadiusAccounting::status_name)),
            "Acct-Status-Type: Start, Stop, Interim-Update, Accounting-On, Accounting-Off or Failed (RFC 2866 §5.1).",
        )
        .eve("radius.acct_status_type"),
        C::new(
            "session_time",
            Kind::U64,
            |x| Value::some(accounting(x).and_then(|it| it.session_time)),
            "Acct-Session-Time, in seconds (RFC 2866 §5.7).",
        )
        .eve("radius.acct_session_time"),
        C::new(
            "input_octets",
            Kind::U64,
            |x| Value::some(accounting(x).and_then(|it| it.input_octets)),
            "Bytes from the user: Acct-Input-Octets and Acct-Input-Gigawords (RFC 2866 §5.3, RFC 2869 §5.1).",
        )
        .eve("radius.acct_input_octets"),
        C::new(
            "output_octets",
            Kind::U64,
            |x| Value::some(accounting(x).and_then(|it| it.output_octets)),
            "Bytes to the user: Acct-Output-Octets and Acct-Output-Gigawords (RFC 2866 §5.4, RFC 2869 §5.2).",
        )
        .eve("radius.acct_output_octets"),
        C::new(
            "terminate_cause",
            Kind::U64,
            |x| Value::some(accounting(x).and_then(|it| it.terminate_cause)),
            "Acct-Terminate-Cause: 1 is a user's wish, 4 and 5 are timeouts (RFC 2866 §5.10).",
        )
        .eve("radius.acct_terminate_cause"),
        C::new(
            "retransmissions",
            Kind::U64,
            |x| x.retransmissions.into(),
            "Repetitions of the request before its answer (RFC 2865 §2.4).",
        )
        .eve("flowscope.retransmissions"),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the request to its answer, in seconds.",
        )
        .eve("flowscope.latency")
        .zeek(7, "ttl", ZeekType::Interval),
    ],
    ..Schema::new("radius", |x| x.ts)
};

fn code(code: Option<RadiusCode>) -> Value<'static> {
    Value::some(code.and_then(RadiusCode::name))
}

fn accounting(x: &X) -> Option<&RadiusAccounting> {
    x.attributes.accounting.as_deref()
}

/// Zeek has a line for each login, and none for accounting.
fn logins(x: &X, row: &mut dyn FnMut(&X)) {
    let is_login = |code: RadiusCode| matches!(code.0, 1 | 2 | 3 | 11);
    if x.request.or(x.response).is_some_and(is_login) {
        row(x);
    }
}

/// A MAC address, however its digits are separated, as Zeek writes it.
fn mac(text: &[u8]) -> Option<String> {
    let digits: Vec<u8> =
        text.iter().filter(|byte| !b":-.".contains(byte)).map(u8::to_ascii_lowercase).collect();
    let is_mac = digits.len() == 12 && digits.iter().all(u8::is_ascii_hexdigit);
    let pair = |pair: &[u8]| String::from_utf8_lossy(pair).into_owned();
    is_mac.then(|| digits.chunks(2).map(pair).collect::<Vec<_>>().join(":"))
}

/// `alice Access-Request → Access-Reject`, for tables.
fn summary(x: &RadiusExchange, out: &mut String) {
    if let Some(user) = &x.attributes.user_name {
        out.push_str(&format!("{} ", wire_text(user)));
    }
    if let Some(request) = x.request {
        out.push_str(&format!("{request} "));
    }
    if let Some(status) = accounting(x).and_then(RadiusAccounting::status_name) {
        out.push_str(&format!("{status} "));
    }
    match x.response {
        Some(response) => out.push_str(&format!("→ {response}")),
        None => out.push_str("→ (no answer)"),
    }
    if let Some(message) = &x.attributes.reply_message {
        out.push_str(&format!(" {:?}", wire_text(message)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_have_one_form() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(mac(text.as_bytes()).as_deref(), expected, "{text}");
        };
        check("00-11-22-AA-BB-CC", Some("00:11:22:aa:bb:cc"));
        check("0011.22aa.bbcc", Some("00:11:22:aa:bb:cc"));
        check("5551234567", None);
        check("00-11-22-AA-BB-CG", None);
    }
}
