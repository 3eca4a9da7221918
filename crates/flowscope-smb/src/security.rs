//! Tokens of a login: SPNEGO (RFC 4178, [MS-SPNG]), and NTLM and Kerberos in it or without it.

use flowscope_ber::{OID, Values};

use crate::{SmbKerberos, SmbLogin, ntlm};

/// Bytes of a realm, and of each component of a name, that are kept.
const MAX_TEXT: usize = 128;
/// Components of a name that are kept.
const MAX_COMPONENTS: usize = 4;

/// Application tag 0: a mechanism, and its token (RFC 2743 §3.1).
const INITIAL_TOKEN: u8 = 0x60;
/// Context tags of the choice in a `NegotiationToken` (RFC 4178 §4.2).
const NEG_TOKEN_INIT: u8 = 0xa0;
const NEG_TOKEN_RESP: u8 = 0xa1;
/// Application tags of Kerberos (RFC 4120 §5.10).
const AP_REQ: u8 = 0x6e;
const TICKET: u8 = 0x61;
const GENERAL_STRING: u8 = 0x1b;

/// 1.3.6.1.5.5.2.
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";
const NTLM_NAME: &str = "NTLM";
const KERBEROS_NAME: &str = "Kerberos";

/// Who sends a token.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// The name of a mechanism: NTLM, Kerberos, the number of Kerberos that Windows has besides, and NEGOEX.
fn name(oid: &[u8]) -> Option<&'static str> {
    Some(match oid {
        // 1.3.6.1.4.1.311.2.2.10.
        b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" => NTLM_NAME,
        // 1.2.840.113554.1.2.2, 1.2.840.48018.1.2.2.
        b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02" | b"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02" => {
            KERBEROS_NAME
        }
        // 1.3.6.1.4.1.311.2.2.30.
        b"\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e" => "NEGOEX",
        _ => return None,
    })
}

/// Adds what a token says, of what its sender can say.
pub(crate) fn read(sender: Sender, token: &[u8], login: &mut SmbLogin) {
    if mechanism_token(sender, token, login) {
        return;
    }
    let mut values = Values(token);
    let Some((tag, contents)) = values.any() else { return };
    let mut contents = Values(contents);
    let negotiation = match tag {
        INITIAL_TOKEN if contents.tagged(OID) == Some(SPNEGO) => contents.within(NEG_TOKEN_INIT),
        NEG_TOKEN_INIT | NEG_TOKEN_RESP => Some(contents),
        _ => None,
    };
    let Some(mut elements) = negotiation.and_then(|mut it| it.sequence()) else { return };
    login.mechanism.get_or_insert("SPNEGO");
    let is_response = tag == NEG_TOKEN_RESP;
    while let Some((tag, contents)) = elements.any() {
        let mut contents = Values(contents);
        let named = match (is_response, tag) {
            // The first that the client prefers, of which a token may follow.
            (false, 0xa0) => contents.sequence().and_then(|mut it| it.tagged(OID)),
            (true, 0xa1) => contents.tagged(OID),
            (_, 0xa2) => {
                if let Some(token) = contents.string() {
                    mechanism_token(sender, token, login);
                }
                None
            }
            _ => None,
        };
        if let Some(mechanism) = named.and_then(name) {
            login.mechanism = Some(mechanism);
        }
    }
}

/// Adds what a token of NTLM or Kerberos says. Whether it is one.
fn mechanism_token(sender: Sender, token: &[u8], login: &mut SmbLogin) -> bool {
    if ntlm::read(sender, token, login) {
        login.mechanism = Some(NTLM_NAME);
        return true;
    }
    let mut values = Values(token);
    let Some(mut contents) = values.within(INITIAL_TOKEN) else { return false };
    if contents.tagged(OID).and_then(name) != Some(KERBEROS_NAME) {
        return false;
    }
    login.mechanism = Some(KERBEROS_NAME);
    // The kind of the token: 01 00 is a request, which only a client sends (RFC 4121 §4.1).
    if sender == Sender::Client
        && let Some(request) = contents.0.strip_prefix(b"\x01\0")
    {
        login.kerberos = ticket(Values(request));
    }
    true
}

/// The service of the ticket in an `AP-REQ` (RFC 4120 §5.5.1, §5.3).
fn ticket(mut request: Values<'_>) -> Option<SmbKerberos> {
    let mut elements = request.within(AP_REQ)?.sequence()?;
    let mut ticket = loop {
        let (tag, contents) = elements.any()?;
        if tag == 0xa3 {
            break Values(contents).within(TICKET)?.sequence()?;
        }
    };
    let mut kerberos = SmbKerberos::default();
    while let Some((tag, contents)) = ticket.any() {
        let mut contents = Values(contents);
        match tag {
            0xa1 => kerberos.realm = text(contents.tagged(GENERAL_STRING)?),
            0xa2 => {
                let mut name = contents.sequence()?;
                name.tagged(0xa0);
                let mut components = name.within(0xa1)?.sequence()?;
                while kerberos.service.len() < MAX_COMPONENTS
                    && let Some(component) = components.tagged(GENERAL_STRING)
                {
                    kerberos.service.push(text(component));
                }
                return Some(kerberos);
            }
            _ => {}
        }
    }
    None
}

fn text(text: &[u8]) -> Vec<u8> {
    text[..text.len().min(MAX_TEXT)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(tag: u8, contents: &[u8]) -> Vec<u8> {
        let len = u16::try_from(contents.len()).unwrap().to_be_bytes();
        [&[tag, 0x82][..], &len, contents].concat()
    }

    fn login(token: &[u8]) -> SmbLogin {
        login_of(Sender::Client, token)
    }

    fn login_of(sender: Sender, token: &[u8]) -> SmbLogin {
        let mut login = SmbLogin::default();
        read(sender, token, &mut login);
        login
    }

    const KERBEROS: &[u8] = b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02";

    fn spnego(elements: &[Vec<u8>]) -> Vec<u8> {
        let negotiation = value(NEG_TOKEN_INIT, &value(0x30, &elements.concat()));
        value(INITIAL_TOKEN, &[value(OID, SPNEGO), negotiation].concat())
    }

    fn kerberos_token(names: &[&[u8]]) -> Vec<u8> {
        let names: Vec<_> = names.iter().map(|name| value(GENERAL_STRING, name)).collect();
        let name = [value(0xa0, b"\x02\x01\x02"), value(0xa1, &value(0x30, &names.concat()))];
        let ticket = [
            value(0xa0, b"\x02\x01\x05"),
            value(0xa1, &value(GENERAL_STRING, b"EXAMPLE.ORG")),
            value(0xa2, &value(0x30, &name.concat())),
            value(0xa3, &[0; 4]),
        ];
        let ticket = value(0xa3, &value(TICKET, &value(0x30, &ticket.concat())));
        let request = value(AP_REQ, &value(0x30, &[value(0xa0, b"\x02\x01\x05"), ticket].concat()));
        value(INITIAL_TOKEN, &[&value(OID, KERBEROS)[..], b"\x01\0", &request].concat())
    }

    #[test]
    fn a_ticket_names_its_service() {
        let token = kerberos_token(&[b"cifs", b"files.example.org"]);
        let within = spnego(&[
            value(0xa0, &value(0x30, &value(OID, KERBEROS))),
            value(0xa2, &value(4, &token)),
        ]);
        for token in [&token, &within] {
            let login = login(token);
            assert_eq!(login.mechanism, Some(KERBEROS_NAME));
            let kerberos = login.kerberos.unwrap();
            assert_eq!(kerberos.realm, b"EXAMPLE.ORG");
            assert_eq!(kerberos.service, [&b"cifs"[..], b"files.example.org"]);
        }
        let many = login(&kerberos_token(&[&[b'a'; 200][..]; 9])).kerberos.unwrap();
        assert_eq!(many.service, [[b'a'; MAX_TEXT]; MAX_COMPONENTS]);
    }

    #[test]
    fn a_server_shows_no_ticket() {
        let token = kerberos_token(&[b"cifs", b"files"]);
        let within = value(NEG_TOKEN_RESP, &value(0x30, &value(0xa2, &value(4, &token))));
        for token in [&token, &within] {
            let login = login_of(Sender::Server, token);
            assert_eq!((login.mechanism, login.kerberos), (Some(KERBEROS_NAME), None));
            assert!(login_of(Sender::Client, token).kerberos.is_some());
        }
    }

    #[test]
    fn what_is_cut_says_what_is_there() {
        let token = spnego(&[
            value(0xa0, &value(0x30, &value(OID, KERBEROS))),
            value(0xa2, &value(4, &kerberos_token(&[b"cifs", b"files"]))),
        ]);
        for len in 0..token.len() {
            let login = login(&token[..len]);
            assert!(login.kerberos.is_none_or(|it| it.realm.len() <= 11), "{len}");
        }
        assert_eq!(login(&token[..token.len() - 8]).kerberos.unwrap().service.len(), 2);
    }

    #[test]
    fn other_tokens_name_at_most_a_mechanism() {
        let mechanism = |token: &[u8]| login(token).mechanism;
        assert_eq!(mechanism(b"\xa1\x07\x30\x05\xa0\x03\x0a\x01\0"), Some("SPNEGO"));
        let ntlm = b"\xa1\x10\x30\x0e\xa1\x0c\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a";
        assert_eq!(mechanism(ntlm), Some(NTLM_NAME));
        let unknown = spnego(&[value(0xa0, &value(0x30, &value(OID, b"\x2a\x03")))]);
        assert_eq!(mechanism(&unknown), Some("SPNEGO"));
        for other in
            [&b""[..], b"\x60", b"\x60\x80", b"\x30\x00", b"abc", b"\x60\x04\x06\x02\x2a\x03"]
        {
            assert_eq!(login(other), SmbLogin::default(), "{other:?}");
        }
    }
}
