//! Messages: each reader gives what it has read and the length, or `None` for want of bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use flowscope_core::ParseError;

use super::SocksHost;

/// A message and its length, or that there is none yet.
pub(super) type Read<T> = Result<Option<(T, usize)>, ParseError>;

/// Target of a request, or what is bound in a reply: command or status, host, port.
pub(super) type Endpoint = (u8, SocksHost, u16);

/// "VER NMETHODS METHODS" (RFC 1928 §3).
pub(super) fn methods(bytes: &[u8]) -> Read<Vec<u8>> {
    let [5, count, rest @ ..] = bytes else { return Ok(None) };
    if *count == 0 {
        return Err(ParseError::InvalidField("NMETHODS"));
    }
    let count = usize::from(*count);
    Ok(rest.get(..count).map(|methods| (methods.to_vec(), 2 + count)))
}

/// "VER METHOD" (RFC 1928 §3).
pub(super) fn method(bytes: &[u8]) -> Read<u8> {
    match bytes {
        [5, method, ..] => Ok(Some((*method, 2))),
        [] | [5] => Ok(None),
        _ => Err(ParseError::InvalidField("VER")),
    }
}

/// "VER ULEN UNAME PLEN PASSWD" (RFC 1929 §2): the name.
pub(super) fn user(bytes: &[u8]) -> Read<Vec<u8>> {
    match bytes.first() {
        Some(1) | None => {}
        _ => return Err(ParseError::InvalidField("VER")),
    }
    let read = || {
        let len = usize::from(*bytes.get(1)?);
        let name = bytes.get(2..2 + len)?;
        let end = 3 + len + usize::from(*bytes.get(2 + len)?);
        (bytes.len() >= end).then(|| (name.to_vec(), end))
    };
    Ok(read())
}

/// "VER STATUS" (RFC 1929 §2).
pub(super) fn user_status(bytes: &[u8]) -> Read<bool> {
    match bytes {
        [1, status, ..] => Ok(Some((*status == 0, 2))),
        [] | [1] => Ok(None),
        _ => Err(ParseError::InvalidField("VER")),
    }
}

/// "VER CMD RSV ATYP DST.ADDR DST.PORT", and the reply of the same form (RFC 1928 §4 and §6).
pub(super) fn endpoint5(bytes: &[u8]) -> Read<Endpoint> {
    match bytes.first() {
        Some(5) | None => {}
        _ => return Err(ParseError::InvalidField("VER")),
    }
    let Some(([_, command, _, kind], rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let (host, len) = match kind {
        1 => (rest.first_chunk().map(|o: &[u8; 4]| SocksHost::Addr(Ipv4Addr::from(*o).into())), 4),
        4 => {
            (rest.first_chunk().map(|o: &[u8; 16]| SocksHost::Addr(Ipv6Addr::from(*o).into())), 16)
        }
        3 => {
            let Some((len, rest)) = rest.split_first() else { return Ok(None) };
            let len = usize::from(*len);
            (rest.get(..len).map(|name| SocksHost::Name(name.to_vec())), 1 + len)
        }
        _ => return Err(ParseError::InvalidField("ATYP")),
    };
    let port = rest.get(len..len + 2);
    let read = host.zip(port).map(|(host, port)| {
        ((*command, host, u16::from_be_bytes([port[0], port[1]])), 4 + len + 2)
    });
    Ok(read)
}

/// "VN CD DSTPORT DSTIP USERID NULL", in 4a a name and another NULL behind it if the address is 0.0.0.x: the
/// target and the user.
pub(super) fn request4(bytes: &[u8]) -> Read<(Endpoint, Vec<u8>)> {
    let Some(([_, command, p0, p1, ip @ ..], rest)) = bytes.split_first_chunk::<8>() else {
        return Ok(None);
    };
    if !matches!(command, 1 | 2) {
        return Err(ParseError::InvalidField("CD"));
    }
    let Some((user, behind)) = text(rest, "USERID")? else { return Ok(None) };
    let mut len = 8 + user.len() + 1;
    let host = match ip {
        [0, 0, 0, last] if *last > 0 => {
            let Some((name, _)) = text(behind, "domain name")? else { return Ok(None) };
            len += name.len() + 1;
            SocksHost::Name(name.to_vec())
        }
        _ => SocksHost::Addr(IpAddr::V4(Ipv4Addr::from(*ip))),
    };
    let port = u16::from_be_bytes([*p0, *p1]);
    Ok(Some((((*command, host, port), user.to_vec()), len)))
}

/// "VN CD DSTPORT DSTIP", the version being 0.
pub(super) fn reply4(bytes: &[u8]) -> Read<Endpoint> {
    match bytes.first() {
        Some(0) | None => {}
        _ => return Err(ParseError::InvalidField("VN")),
    }
    let Some([_, code, p0, p1, ip @ ..]) = bytes.first_chunk::<8>() else { return Ok(None) };
    let host = SocksHost::Addr(IpAddr::V4(Ipv4Addr::from(*ip)));
    Ok(Some(((*code, host, u16::from_be_bytes([*p0, *p1])), 8)))
}

/// A text, and what is behind it.
type Split<'a> = (&'a [u8], &'a [u8]);

/// Up to a NUL, and what is behind it.
fn text<'a>(bytes: &'a [u8], field: &'static str) -> Result<Option<Split<'a>>, ParseError> {
    let end = bytes.iter().take(MAX_TEXT + 1).position(|&byte| byte == 0);
    match end {
        Some(end) => Ok(Some((&bytes[..end], &bytes[end + 1..]))),
        None if bytes.len() > MAX_TEXT => Err(ParseError::InvalidField(field)),
        None => Ok(None),
    }
}

/// Neither of the two texts has a length of its own; names have less.
const MAX_TEXT: usize = 255;
