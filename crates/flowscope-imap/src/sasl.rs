//! Names in the credentials of `AUTHENTICATE`, without the passwords.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The credentials of an `AUTHENTICATE` that is going on.
#[derive(Clone, Debug)]
pub(crate) struct Authentication {
    mechanism: Mechanism,
    /// Lines of the client so far.
    lines: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mechanism {
    /// RFC 4616: all in one line.
    Plain,
    /// The name in the first line, the password in the second.
    Login,
    Other,
}

impl Authentication {
    pub(crate) fn new(mechanism: &[u8]) -> Self {
        let mechanism = match mechanism {
            _ if mechanism.eq_ignore_ascii_case(b"PLAIN") => Mechanism::Plain,
            _ if mechanism.eq_ignore_ascii_case(b"LOGIN") => Mechanism::Login,
            _ => Mechanism::Other,
        };
        Authentication { mechanism, lines: 0 }
    }

    /// Takes a line of credentials; gives the name if it has one.
    pub(crate) fn line(&mut self, line: &[u8]) -> Option<Vec<u8>> {
        self.lines = self.lines.saturating_add(1);
        if self.lines > 1 || line.len() > MAX_CREDENTIALS {
            return None;
        }
        let mut decoded = [0; MAX_CREDENTIALS];
        if self.mechanism == Mechanism::Other {
            return None;
        }
        let len = STANDARD.decode_slice(line.trim_ascii(), &mut decoded).ok()?;
        let decoded = &decoded[..len];
        let name = match self.mechanism {
            // "authzid NUL authcid NUL passwd" (RFC 4616 §2). Of any other form, no part is known to be the name.
            Mechanism::Plain => {
                let mut parts = decoded.split(|&byte| byte == 0);
                let (Some(_), Some(name), Some(_), None) =
                    (parts.next(), parts.next(), parts.next(), parts.next())
                else {
                    return None;
                };
                name
            }
            _ => decoded,
        };
        (!name.is_empty()).then(|| name.to_vec())
    }
}

const MAX_CREDENTIALS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_told_and_the_password_is_not() {
        fn check(mechanism: &str, lines: &[&str], expected: &[Option<&str>]) {
            let mut authentication = Authentication::new(mechanism.as_bytes());
            let names = lines.iter().map(|line| authentication.line(line.as_bytes()));
            let names: Vec<_> =
                names.map(|name| name.map(|name| String::from_utf8(name).unwrap())).collect();
            assert_eq!(names.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
        }
        // NUL alice NUL secret
        check("plain", &["AGFsaWNlAHNlY3JldA=="], &[Some("alice")]);
        // alice NUL secret; NUL secret
        check("PLAIN", &["YWxpY2UAc2VjcmV0"], &[None]);
        check("PLAIN", &["AHNlY3JldA=="], &[None]);
        check("LOGIN", &["YWxpY2U=", "c2VjcmV0"], &[Some("alice"), None]);
        check("PLAIN", &["*", "AGFsaWNlAHNlY3JldA=="], &[None, None]);
        check("PLAIN", &["c2VjcmV0"], &[None]);
        check("CRAM-MD5", &["YWxpY2UgYWJj"], &[None]);
    }
}
