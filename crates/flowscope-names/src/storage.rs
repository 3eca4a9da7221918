//! Files: transfer, and repositories of source code.

use crate::answer::Answer::{self, Maybe, No};

use crate::shape::sure_if;
use crate::text::one_of;

/// TFTP (RFC 1350 §5, RFC 2347): a request to read or write, with the name of a file and a mode.
pub(crate) fn tftp(bytes: &[u8], _: usize) -> Answer {
    let [0, 1 | 2, text @ ..] = bytes else { return No };
    let mut fields = text.split(|&byte| byte == 0);
    let (name, mode) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
    let is_name = !name.is_empty() && name.iter().all(|&byte| byte >= b' ' && byte != 0x7f);
    let modes: [&[u8]; 3] = [b"octet", b"netascii", b"mail"];
    let is_mode = modes.iter().any(|known| known.eq_ignore_ascii_case(mode));
    sure_if(is_name && is_mode && fields.next().is_some())
}

/// Git: a line of the packet format, whose length is four hexadecimal digits, with a service and the path of a repository.
pub(crate) fn git(start: &[u8]) -> Answer {
    const SERVICES: [&[u8]; 3] =
        [b"git-upload-pack ", b"git-receive-pack ", b"git-upload-archive "];
    let digits = &start[..start.len().min(4)];
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        No
    } else if digits.len() < 4 {
        Maybe
    } else {
        one_of(&start[4..], &SERVICES)
    }
}
