use std::fmt::Write as _;

use md5::{Digest, Md5};

use crate::wire::Reader;

/// The algorithms that one end proposes: the payload of an SSH_MSG_KEXINIT (RFC 4253 §7.1).
///
/// Lists are as sent, names separated by commas, the most preferred first. At most the 35 000 bytes
/// that every implementation has to accept (RFC 4253 §6.1).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KexInit {
    /// The ten name-lists behind the cookie, one after the other.
    lists: Vec<u8>,
    ends: [u16; LISTS],
    /// Whether a guessed key exchange packet follows.
    pub first_kex_packet_follows: bool,
}

const LISTS: usize = 10;

/// Cookie bytes in front of the lists.
const COOKIE: usize = 16;

/// Algorithms for one direction: those proposed, or those agreed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Algorithms<'a> {
    /// Key exchange method.
    pub kex: &'a [u8],
    /// Server host key algorithm.
    pub host_key: &'a [u8],
    /// Cipher.
    pub encryption: &'a [u8],
    /// Message authentication code.
    pub mac: &'a [u8],
    /// Compression.
    pub compression: &'a [u8],
}

impl KexInit {
    /// The proposal in a payload, its message number included; `None` if it is none or malformed.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut reader = Reader(payload.strip_prefix(&[20])?);
        reader.take(COOKIE)?;
        let (mut lists, mut ends) = (Vec::new(), [0; LISTS]);
        for end in &mut ends {
            let len = usize::try_from(reader.u32()?).ok()?;
            lists.extend_from_slice(reader.take(len)?);
            *end = u16::try_from(lists.len()).ok()?;
        }
        Some(KexInit { lists, ends, first_kex_packet_follows: reader.take(1)? != [0] })
    }

    fn list(&self, index: usize) -> &[u8] {
        let start = index.checked_sub(1).map_or(0, |before| usize::from(self.ends[before]));
        self.lists.get(start..usize::from(self.ends[index])).unwrap_or_default()
    }

    /// What is proposed for what the client sends.
    #[must_use]
    pub fn client_to_server(&self) -> Algorithms<'_> {
        self.direction(0)
    }

    /// What is proposed for what the server sends.
    #[must_use]
    pub fn server_to_client(&self) -> Algorithms<'_> {
        self.direction(1)
    }

    fn direction(&self, direction: usize) -> Algorithms<'_> {
        Algorithms {
            kex: self.list(0),
            host_key: self.list(1),
            encryption: self.list(2 + direction),
            mac: self.list(4 + direction),
            compression: self.list(6 + direction),
        }
    }

    /// What client and server agree on for what the client sends: of each list the client's first name
    /// that the server has too (RFC 4253 §7.1). Empty where they have none in common.
    #[must_use]
    pub fn agreed<'a>(client: &'a KexInit, server: &KexInit) -> Algorithms<'a> {
        let (ours, theirs) = (client.client_to_server(), server.client_to_server());
        Algorithms {
            kex: first_common(ours.kex, theirs.kex),
            host_key: first_common(ours.host_key, theirs.host_key),
            encryption: first_common(ours.encryption, theirs.encryption),
            mac: first_common(ours.mac, theirs.mac),
            compression: first_common(ours.compression, theirs.compression),
        }
    }

    /// Bytes of memory held beside the value itself, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.lists.capacity()
    }
}

impl Algorithms<'_> {
    /// The string that HASSH is the MD5 of: key exchange, cipher, MAC and compression names. For a
    /// client of what it sends; for a server ("hasshServer") of what it sends.
    #[must_use]
    pub fn hassh_string(&self) -> String {
        let lists = [self.kex, self.encryption, self.mac, self.compression];
        lists.map(String::from_utf8_lossy).join(";")
    }

    /// The HASSH fingerprint, 32 hexadecimal digits.
    #[must_use]
    pub fn hassh(&self) -> String {
        let mut hash = Md5::new();
        for (at, list) in [self.kex, self.encryption, self.mac, self.compression].iter().enumerate()
        {
            if at > 0 {
                hash.update(b";");
            }
            hash.update(list);
        }
        let mut digits = String::with_capacity(32);
        for byte in hash.finalize() {
            let _ = write!(digits, "{byte:02x}");
        }
        digits
    }
}

fn first_common<'a>(ours: &'a [u8], theirs: &[u8]) -> &'a [u8] {
    let comma = |byte: &u8| *byte == b',';
    let has = |name: &&[u8]| !name.is_empty() && theirs.split(comma).any(|other| other == *name);
    ours.split(comma).find(has).unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A payload with these lists for key exchange, host key, cipher, MAC and compression.
    pub(crate) fn payload(lists: [&str; 5]) -> Vec<u8> {
        let [kex, host_key, cipher, mac, compression] = lists;
        let mut payload = vec![20];
        payload.extend([7; COOKIE]);
        for list in [kex, host_key, cipher, cipher, mac, mac, compression, compression, "", ""] {
            payload.extend((list.len() as u32).to_be_bytes());
            payload.extend(list.as_bytes());
        }
        payload.extend([0, 0, 0, 0, 0]);
        payload
    }

    #[test]
    fn the_client_s_order_decides() {
        let client = KexInit::parse(&payload(["a,b,c", "x", "aes,des", "m1,m2", "none"])).unwrap();
        let server = KexInit::parse(&payload(["c,b", "y", "des,aes", "m2", "zlib,none"])).unwrap();
        let agreed = KexInit::agreed(&client, &server);
        assert_eq!((agreed.kex, agreed.host_key), (&b"b"[..], &b""[..]));
        assert_eq!((agreed.encryption, agreed.mac), (&b"aes"[..], &b"m2"[..]));
        assert_eq!(agreed.compression, b"none");
    }

    /// RFC 4253 §7.1: two lists each of ciphers, codes and compressions, the client's direction first.
    #[test]
    fn each_direction_has_its_lists() {
        let mut payload = vec![20];
        payload.extend([7; COOKIE]);
        for list in ["kex", "key", "c1", "c2", "m1", "m2", "z1", "z2", "l1", "l2"] {
            payload.extend((list.len() as u32).to_be_bytes());
            payload.extend(list.as_bytes());
        }
        let init = |follows: u8| KexInit::parse(&[&payload[..], &[follows, 0, 0, 0, 0]].concat());
        let (init, guessed) = (init(0).unwrap(), init(1).unwrap());
        let client = init.client_to_server();
        assert_eq!((client.kex, client.host_key), (&b"kex"[..], &b"key"[..]));
        assert_eq!([client.encryption, client.mac, client.compression], [b"c1", b"m1", b"z1"]);
        let server = init.server_to_client();
        assert_eq!([server.encryption, server.mac, server.compression], [b"c2", b"m2", b"z2"]);
        assert_eq!(server.hassh_string(), "kex;c2;m2;z2");
        assert!(!init.first_kex_packet_follows && guessed.first_kex_packet_follows);
        // Lists without a name have none in common.
        assert_eq!(first_common(b"", b""), b"");
        assert_eq!(first_common(b",a", b",b,a"), b"a");
    }

    #[test]
    fn hassh_is_the_md5_of_four_lists() {
        let init = KexInit::parse(&payload(["k1,k2", "h", "c1", "m1", "none"])).unwrap();
        let sent = init.client_to_server();
        assert_eq!(sent.hassh_string(), "k1,k2;c1;m1;none");
        // `printf 'k1,k2;c1;m1;none' | md5sum`
        assert_eq!(sent.hassh(), "d1ba4f56989ced700fd4ff473ecb3ab2");
    }

    #[test]
    fn what_is_cut_is_no_proposal() {
        let whole = payload(["a", "b", "c", "d", "e"]);
        for end in 0..whole.len() - 4 {
            assert_eq!(KexInit::parse(&whole[..end]), None, "{end}");
        }
        assert!(KexInit::parse(&whole).is_some());
        assert_eq!(KexInit::parse(b"\x15"), None);
    }
}
