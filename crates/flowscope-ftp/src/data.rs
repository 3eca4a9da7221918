use std::net::{IpAddr, Ipv4Addr};

/// Where a data connection is to be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DataChannel {
    /// Whether the client opens it (`PASV`, `EPSV`), or the server (`PORT`, `EPRT`).
    pub passive: bool,
    /// The address that is connected to; `None` behind `EPSV`: the server's (RFC 2428 §3).
    pub host: Option<IpAddr>,
    /// The port that is connected to.
    pub port: u16,
}

impl DataChannel {
    /// Of the argument of `PORT` or `EPRT`.
    pub(crate) fn of_command(command: &[u8], argument: &[u8]) -> Option<Self> {
        let (host, port) = match command {
            b"PORT" => host_port(argument)?,
            b"EPRT" => extended(argument)?,
            _ => return None,
        };
        Some(DataChannel { passive: false, host, port })
    }

    /// Of the text of a reply 227 or 229.
    pub(crate) fn of_reply(code: u16, text: &[u8]) -> Option<Self> {
        let (host, port) = match code {
            227 => {
                // The parentheses may be missing (RFC 1123 §4.1.2.6).
                let behind = text.iter().position(|&byte| byte == b'(').map_or(0, |at| at + 1);
                let first = text[behind..].iter().position(u8::is_ascii_digit)?;
                host_port(&text[behind + first..])?
            }
            229 => {
                let open = text.iter().position(|&byte| byte == b'(')?;
                let (_, port) = extended(&text[open + 1..])?;
                (None, port)
            }
            _ => return None,
        };
        Some(DataChannel { passive: true, host, port })
    }
}

/// `h1,h2,h3,h4,p1,p2`, and anything behind it (RFC 959 §4.1.2).
fn host_port(text: &[u8]) -> Option<(Option<IpAddr>, u16)> {
    let mut bytes = [0_u8; 6];
    let mut parts = text.splitn(6, |&byte| byte == b',');
    for byte in &mut bytes {
        let part = parts.next()?.trim_ascii();
        let end = part.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(part.len());
        *byte = str::from_utf8(&part[..end]).ok()?.parse().ok()?;
    }
    let [a, b, c, d, high, low] = bytes;
    Some((Some(Ipv4Addr::new(a, b, c, d).into()), u16::from_be_bytes([high, low])))
}

/// `|protocol|address|port|`, with any delimiter; protocol and address may be empty (RFC 2428 §2, §3).
fn extended(text: &[u8]) -> Option<(Option<IpAddr>, u16)> {
    let (delimiter, rest) = text.split_first()?;
    let mut parts = rest.split(|byte| byte == delimiter);
    let (_protocol, host, port) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next()?;
    let host = match str::from_utf8(host).ok()? {
        "" => None,
        host => Some(host.parse().ok()?),
    };
    Some((host, str::from_utf8(port).ok()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(command: &str, argument: &str) -> Option<(String, u16)> {
        let data = DataChannel::of_command(command.as_bytes(), argument.as_bytes())?;
        assert!(!data.passive);
        Some((data.host?.to_string(), data.port))
    }

    #[test]
    fn commands_say_where_the_server_connects_to() {
        assert_eq!(port("PORT", "10,0,0,1,4,210"), Some(("10.0.0.1".into(), 1234)));
        assert_eq!(port("EPRT", "|2|fe80::1|5282|"), Some(("fe80::1".into(), 5282)));
        assert_eq!(port("EPRT", "!1!132.235.1.2!6275!"), Some(("132.235.1.2".into(), 6275)));
        for (command, argument) in [
            ("PORT", "10,0,0,1,4"),
            ("PORT", "10,0,0,256,4,210"),
            ("PORT", ""),
            ("EPRT", "|2|fe80::1|70000|"),
            ("EPRT", "|2|fe80::1|1"),
            ("EPRT", "|2|x|1|"),
            ("RETR", "10,0,0,1,4,210"),
        ] {
            assert_eq!(port(command, argument), None, "{command} {argument}");
        }
    }

    #[test]
    fn replies_say_where_the_client_connects_to() {
        let of = |code, text: &str| {
            let data = DataChannel::of_reply(code, text.as_bytes())?;
            assert!(data.passive);
            Some((data.host.map(|host| host.to_string()), data.port))
        };
        let host = Some("10.0.0.2".to_owned());
        assert_eq!(
            of(227, "Entering Passive Mode (10,0,0,2,195,80)."),
            Some((host.clone(), 50000))
        );
        assert_eq!(of(227, "Entering Passive Mode 10,0,0,2,195,80"), Some((host, 50000)));
        assert_eq!(of(229, "Entering Extended Passive Mode (|||6446|)"), Some((None, 6446)));
        assert_eq!(of(227, "Entering Passive Mode"), None);
        assert_eq!(of(229, "(|||x|)"), None);
        assert_eq!(of(200, "(10,0,0,2,195,80)"), None);
    }
}
