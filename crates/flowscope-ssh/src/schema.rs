use std::fmt::Write as _;

use flowscope_record::{Column, Eve, Kind, Record, Schema, Value, Visitor, Zeek, ZeekType};

use crate::{Algorithms, Identification, SshEnd, SshHandshake};

/// The columns of an SSH handshake.
pub static SSH: Schema<SshHandshake> = Schema {
    summary,
    columns: &[
        Column {
            zeek: Some(Zeek::with(0, "version", ZeekType::Count, |ssh| {
                let both =
                    ssh.client.identification.is_some() && ssh.server.identification.is_some();
                if both { version(ssh) } else { Value::Null }
            })),
            ..Column::new(
                "version",
                Kind::U64,
                version,
                "Major version of the protocol that both ends speak; of one end alone, its own, which Zeek \
                 leaves out (RFC 4253 §4.2, §5.1).",
            )
        },
        Column {
            eve: Some(Eve::with("ssh.client", |ssh| end(&ssh.client, client_proposal(ssh)))),
            zeek: Some(Zeek::at(1, "client", ZeekType::String)),
            ..Column::new(
                "client",
                Kind::Bytes,
                |ssh: &SshHandshake| line(&ssh.client),
                "The client's identification line (RFC 4253 §4.2). EVE has an object: proto_version, \
                 software_version, hassh.",
            )
        },
        Column {
            eve: Some(Eve::with("ssh.server", |ssh| end(&ssh.server, server_proposal(ssh)))),
            zeek: Some(Zeek::at(2, "server", ZeekType::String)),
            ..Column::new(
                "server",
                Kind::Bytes,
                |ssh: &SshHandshake| line(&ssh.server),
                "The server's identification line (RFC 4253 §4.2). EVE has an object: proto_version, \
                 software_version, hassh.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.outcome")),
            ..Column::new(
                "outcome",
                Kind::Text,
                |ssh: &SshHandshake| ssh.outcome.as_str().into(),
                "How far the handshake came: `encrypted`, `disconnected`, `cut` by missing bytes, `incomplete`.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.duration")),
            ..Column::new(
                "duration",
                Kind::Duration,
                |ssh: &SshHandshake| Value::some(ssh.duration),
                "From the first identification to the start of encryption, in seconds.",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.cipher_alg")),
            zeek: Some(Zeek::at(3, "cipher_alg", ZeekType::String)),
            ..Column::new(
                "cipher_alg",
                Kind::Bytes,
                |ssh: &SshHandshake| agreed(ssh, |agreed| agreed.encryption),
                "Cipher agreed on for what the client sends (RFC 4253 §7.1).",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.mac_alg")),
            zeek: Some(Zeek::at(4, "mac_alg", ZeekType::String)),
            ..Column::new(
                "mac_alg",
                Kind::Bytes,
                |ssh: &SshHandshake| agreed(ssh, |agreed| agreed.mac),
                "Message authentication code agreed on (RFC 4253 §7.1).",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.compression_alg")),
            zeek: Some(Zeek::at(5, "compression_alg", ZeekType::String)),
            ..Column::new(
                "compression_alg",
                Kind::Bytes,
                |ssh: &SshHandshake| agreed(ssh, |agreed| agreed.compression),
                "Compression agreed on (RFC 4253 §7.1).",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.kex_alg")),
            zeek: Some(Zeek::at(6, "kex_alg", ZeekType::String)),
            ..Column::new(
                "kex_alg",
                Kind::Bytes,
                |ssh: &SshHandshake| agreed(ssh, |agreed| agreed.kex),
                "Key exchange method agreed on (RFC 4253 §7.1).",
            )
        },
        Column {
            eve: Some(Eve::path("flowscope.host_key_alg")),
            zeek: Some(Zeek::at(7, "host_key_alg", ZeekType::String)),
            ..Column::new(
                "host_key_alg",
                Kind::Bytes,
                |ssh: &SshHandshake| agreed(ssh, |agreed| agreed.host_key),
                "Host key algorithm agreed on (RFC 4253 §7.1).",
            )
        },
        Column {
            zeek: Some(Zeek::at(8, "hassh", ZeekType::String)),
            ..Column::new(
                "hassh",
                Kind::Text,
                |ssh: &SshHandshake| hassh(client_proposal(ssh)),
                "HASSH of the client: MD5 of its key exchange, cipher, MAC and compression names.",
            )
        },
        Column {
            zeek: Some(Zeek::at(9, "hasshServer", ZeekType::String)),
            ..Column::new(
                "hassh_server",
                Kind::Text,
                |ssh: &SshHandshake| hassh(server_proposal(ssh)),
                "HASSH of the server: the same of what it proposes to send.",
            )
        },
    ],
    ..Schema::new("ssh", |ssh: &SshHandshake| ssh.started)
};

impl Record for SshHandshake {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&SSH, self)
    }
}

fn client_proposal(ssh: &SshHandshake) -> Option<Algorithms<'_>> {
    Some(ssh.client.kex_init.as_ref()?.client_to_server())
}

fn server_proposal(ssh: &SshHandshake) -> Option<Algorithms<'_>> {
    Some(ssh.server.kex_init.as_ref()?.server_to_client())
}

/// The highest version that both ends speak.
fn version(ssh: &SshHandshake) -> Value<'_> {
    let ends = [&ssh.client, &ssh.server].into_iter();
    let spoken =
        ends.filter_map(|end| end.identification.as_ref()).map(|line| match line.version() {
            // Both (RFC 4253 §5.1).
            b"1.99" => (1_u64, 2),
            [b'1', ..] => (1, 1),
            [b'2', ..] => (2, 2),
            _ => (1, 0),
        });
    let common = spoken.reduce(|a, b| (a.0.max(b.0), a.1.min(b.1)));
    Value::some(common.filter(|(least, most)| least <= most).map(|(_, most)| most))
}

fn line(end: &SshEnd) -> Value<'_> {
    Value::some(end.identification.as_ref().map(Identification::as_bytes))
}

fn agreed<'a>(ssh: &'a SshHandshake, pick: fn(Algorithms<'a>) -> &'a [u8]) -> Value<'a> {
    match ssh.agreed().map(pick) {
        None | Some([]) => Value::Null,
        Some(name) => name.into(),
    }
}

fn hassh(proposal: Option<Algorithms<'_>>) -> Value<'static> {
    Value::some(proposal.map(|proposal| proposal.hassh()))
}

/// The members of an end in EVE, as in Suricata.
fn end<'a>(end: &'a SshEnd, proposal: Option<Algorithms<'a>>) -> Value<'a> {
    let mut members = Vec::new();
    if let Some(line) = &end.identification {
        members.push(("proto_version", line.version().into()));
        members.extend(line.software().map(|software| ("software_version", software.into())));
    }
    if let Some(proposal) = proposal {
        let hassh =
            vec![("hash", proposal.hassh().into()), ("string", proposal.hassh_string().into())];
        members.push(("hassh", Value::Object(hassh)));
    }
    if members.is_empty() { Value::Null } else { Value::Object(members) }
}

fn summary(ssh: &SshHandshake, out: &mut String) {
    for (between, end) in [("", &ssh.client), (" -> ", &ssh.server)] {
        let text = match &end.identification {
            Some(line) => String::from_utf8_lossy(line.as_bytes()),
            None => "(not seen)".into(),
        };
        let _ = write!(out, "{between}{text}");
    }
    if let Some(agreed) = ssh.agreed() {
        let text = String::from_utf8_lossy;
        let _ = write!(out, " {} {}", text(agreed.kex), text(agreed.encryption));
    }
    if ssh.outcome != crate::SshOutcome::Encrypted {
        let _ = write!(out, " [{}]", ssh.outcome.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_is_sound() {
        assert_eq!(SSH.faults(), Vec::<String>::new());
    }

    #[test]
    fn the_version_is_one_that_both_ends_speak() {
        use flowscope_core::SessionParser;
        let check = |client: &[u8], server: &[u8], expected: Value<'_>, text: &str| {
            let mut parser = crate::SshParser::new();
            parser.feed_initiator(client);
            let mut out = parser.feed_responder(server);
            parser.end(&mut out);
            let zeek = SSH.columns[0].zeek.as_ref().and_then(|zeek| zeek.get).unwrap();
            let seen = if server.is_empty() { Value::Null } else { expected.clone() };
            assert_eq!(zeek(&out[0]), seen);
            assert_eq!(version(&out[0]), expected);
            let mut found = String::new();
            summary(&out[0], &mut found);
            assert_eq!(found, text);
        };
        let two = Value::U64(2);
        check(b"SSH-2.0-c\n", b"SSH-1.99-s\n", two, "SSH-2.0-c -> SSH-1.99-s [incomplete]");
        let one = Value::U64(1);
        check(b"SSH-1.5-c\n", b"SSH-1.99-s\n", one, "SSH-1.5-c -> SSH-1.99-s [incomplete]");
        let none = Value::Null;
        check(b"SSH-2.0-c\n", b"SSH-1.5-s\n", none, "SSH-2.0-c -> SSH-1.5-s [incomplete]");
        let none = Value::Null;
        check(b"SSH-2.0-c\n", b"SSH-x-s\n", none, "SSH-2.0-c -> SSH-x-s [incomplete]");
        let two = Value::U64(2);
        check(b"SSH-2.0-c\n", b"", two, "SSH-2.0-c -> (not seen) [incomplete]");
    }
}
