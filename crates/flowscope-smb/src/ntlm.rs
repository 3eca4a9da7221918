//! Messages of NTLM ([MS-NLMP] §2.2.1). Challenges, proofs and keys are passed over.

use crate::message::SmbNtlmVersion;
use crate::security::Sender;
use crate::wire::{part, u16_at, u32_at, utf16};
use crate::{SmbLogin, SmbNtlm, SmbNtlmServer};

/// Bytes of a name that are kept.
const MAX_NAME: usize = 128;

const SIGNATURE: &[u8] = b"NTLMSSP\0";
const CHALLENGE: u32 = 2;
const AUTHENTICATE: u32 = 3;

/// Where an AUTHENTICATE_MESSAGE has the fields of the user (§2.2.1.3).
const USER: usize = 36;

/// Flags of a message (§2.2.2.5): names are in UTF-16; there is a version.
const UNICODE: u32 = 1;
const VERSION: u32 = 0x0200_0000;

/// Adds what a message says, if it is one of its sender (§1.3.1). Whether it is a message of NTLM.
pub(crate) fn read(sender: Sender, token: &[u8], login: &mut SmbLogin) -> bool {
    if !token.starts_with(SIGNATURE) {
        return false;
    }
    match (sender, u32_at(token, 8)) {
        (Sender::Server, Some(CHALLENGE)) => login.ntlm_server = challenge(token),
        (Sender::Client, Some(AUTHENTICATE)) => {
            login.ntlm = authenticate(token);
            // A name that was not captured is one.
            login.is_anonymous = login.ntlm.is_some() && u16_at(token, USER) == Some(0);
        }
        _ => {}
    }
    true
}

/// What the fields at `at` name: length, space and offset (§2.2.1).
fn field(token: &[u8], at: usize) -> Option<&[u8]> {
    let (len, offset) = (u16_at(token, at)?, u32_at(token, at + 4)?);
    Some(part(token, offset as usize, len.into()))
}

/// §2.2.1.2.
fn challenge(token: &[u8]) -> Option<SmbNtlmServer> {
    let flags = u32_at(token, 20)?;
    let mut server =
        SmbNtlmServer { version: version(token, flags, 48), ..SmbNtlmServer::default() };
    let mut pairs = field(token, 40).unwrap_or_default();
    // Pairs of a number and a value, which always is in UTF-16, until number 0 (§2.2.2.1).
    while let Some((id, len)) = u16_at(pairs, 0).zip(u16_at(pairs, 2)) {
        let name = match id {
            0 => break,
            1 => &mut server.computer,
            2 => &mut server.domain,
            3 => &mut server.dns_computer,
            4 => &mut server.dns_domain,
            5 => &mut server.dns_tree,
            _ => &mut None,
        };
        *name = Some(utf16(part(pairs, 4, len.into()), MAX_NAME)).filter(|name| !name.is_empty());
        pairs = pairs.get(4 + usize::from(len)..).unwrap_or_default();
    }
    Some(server)
}

/// §2.2.1.3.
fn authenticate(token: &[u8]) -> Option<SmbNtlm> {
    let flags = u32_at(token, 60)?;
    let name = |at: usize| {
        let bytes = field(token, at)?;
        Some(match flags & UNICODE {
            0 => part(bytes, 0, MAX_NAME).to_vec(),
            _ => utf16(bytes, MAX_NAME),
        })
    };
    Some(SmbNtlm {
        domain: name(28)?,
        user: name(USER)?,
        workstation: name(44)?,
        response_len: u16_at(token, 20)?,
        version: version(token, flags, 64),
    })
}

/// §2.2.2.10.
fn version(token: &[u8], flags: u32, at: usize) -> Option<SmbNtlmVersion> {
    match *token.get(at..at + 8)? {
        [major, minor, low, high, _, _, _, revision] if flags & VERSION != 0 => {
            let build = u16::from_le_bytes([low, high]);
            Some(SmbNtlmVersion { major, minor, build, revision })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::security::Sender::{Client, Server};

    fn token(kind: u8, fixed: usize, flags: (usize, u32), fields: &[(usize, &[u8])]) -> Vec<u8> {
        let mut token = SIGNATURE.to_vec();
        token.extend([kind, 0, 0, 0]);
        token.resize(fixed, 0);
        token[flags.0..flags.0 + 4].copy_from_slice(&flags.1.to_le_bytes());
        for (at, value) in fields {
            let (len, offset) = (value.len() as u16, token.len() as u32);
            token[*at..at + 2].copy_from_slice(&len.to_le_bytes());
            token[at + 4..at + 8].copy_from_slice(&offset.to_le_bytes());
            token.extend_from_slice(value);
        }
        token
    }

    fn login(sender: Sender, token: &[u8]) -> SmbLogin {
        let mut login = SmbLogin::default();
        assert!(read(sender, token, &mut login));
        login
    }

    #[test]
    fn users_are_named_in_both_encodings() {
        let proof = [7; 24];
        let fields = [(20, &proof[..]), (28, b"LAB"), (36, b"al\xefce"), (44, b"PC")];
        let ntlm = login(Client, &token(3, 72, (60, 0), &fields)).ntlm.unwrap();
        assert_eq!((&ntlm.domain[..], &ntlm.user[..]), (&b"LAB"[..], &b"al\xefce"[..]));
        assert_eq!((ntlm.response(), ntlm.version), (Some("NTLMv1"), None));

        let fields = [(20, &[7; 200][..]), (36, b"a\0\xef\0"), (44, b"P\0C\0")];
        let mut token = token(3, 72, (60, UNICODE | VERSION), &fields);
        token[64..72].copy_from_slice(&[10, 0, 0x63, 0x45, 0, 0, 0, 15]);
        let ntlm = login(Client, &token).ntlm.unwrap();
        assert_eq!((&ntlm.user[..], &ntlm.workstation[..]), ("aï".as_bytes(), &b"PC"[..]));
        assert_eq!(ntlm.response(), Some("NTLMv2"));
        assert_eq!(ntlm.version.unwrap().to_string(), "10.0 build 17763 rev 15");
    }

    #[test]
    fn an_anonymous_login_has_no_name() {
        let login = login(Client, &token(3, 72, (60, UNICODE), &[(20, b"")]));
        assert!(login.is_anonymous && login.ntlm.unwrap().response().is_none());
    }

    #[test]
    fn servers_name_themselves() {
        let pairs = b"\x02\0\x02\0D\0\x01\0\x04\0F\0S\0\x09\0\x02\0x\0\x05\0\x02\0t\0\0\0\0\0\x03\0\x02\0n\0";
        let server =
            login(Server, &token(2, 56, (20, UNICODE), &[(40, pairs)])).ntlm_server.unwrap();
        assert_eq!(
            (server.domain.as_deref(), server.computer.as_deref()),
            (Some(&b"D"[..]), Some(&b"FS"[..]))
        );
        // What follows the end is none of it.
        assert_eq!((server.dns_tree.as_deref(), server.dns_computer), (Some(&b"t"[..]), None));
    }

    #[test]
    fn messages_of_the_other_side_name_no_user() {
        let user = token(3, 72, (60, 0), &[(36, b"alice")]);
        assert_eq!(login(Server, &user), SmbLogin::default());
        assert_eq!(login(Server, &token(3, 72, (60, 0), &[])), SmbLogin::default());
        let server = token(2, 56, (20, 0), &[(40, b"\x01\0\x02\0F\0")]);
        assert_eq!(login(Client, &server), SmbLogin::default());
        assert!(
            login(Client, &user).ntlm.is_some() && login(Server, &server).ntlm_server.is_some()
        );
    }

    #[test]
    fn names_beyond_the_message_are_cut() {
        let mut token = token(3, 72, (60, 0), &[(36, b"alice")]);
        token[36..38].copy_from_slice(&u16::MAX.to_le_bytes());
        assert_eq!(login(Client, &token).ntlm.unwrap().user, b"alice");
        token[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
        // There is a name, which was not captured.
        let cut = login(Client, &token);
        assert_eq!((&cut.ntlm.unwrap().user[..], cut.is_anonymous), (&b""[..], false));
        for len in 8..token.len() {
            login(Client, &token[..len]);
        }
        let pairs = &b"\x01\0\xff\xffF\0"[..];
        let mut challenge = self::token(2, 56, (20, 0), &[(40, pairs)]);
        assert_eq!(
            login(Server, &challenge).ntlm_server.unwrap().computer.as_deref(),
            Some(&b"F"[..])
        );
        challenge.truncate(30);
        assert_eq!(login(Server, &challenge).ntlm_server, Some(SmbNtlmServer::default()));
        assert!(!read(Client, b"NTLMSSP", &mut SmbLogin::default()));
    }
}
