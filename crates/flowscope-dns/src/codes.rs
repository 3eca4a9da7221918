use std::fmt;

/// Type of a question or a record (RFC 1035 §3.2.2 and the IANA registry).
///
/// Displays its mnemonic, or `TYPE` and the number where it has none (RFC 3597 §5).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordType(pub u16);

impl RecordType {
    /// A host address (RFC 1035).
    pub const A: RecordType = RecordType(1);
    /// An authoritative name server (RFC 1035).
    pub const NS: RecordType = RecordType(2);
    /// The canonical name of an alias (RFC 1035).
    pub const CNAME: RecordType = RecordType(5);
    /// The start of a zone (RFC 1035).
    pub const SOA: RecordType = RecordType(6);
    /// Arbitrary bytes (RFC 1035).
    pub const NULL: RecordType = RecordType(10);
    /// A pointer to another name (RFC 1035).
    pub const PTR: RecordType = RecordType(12);
    /// A mail exchange (RFC 1035).
    pub const MX: RecordType = RecordType(15);
    /// Text strings (RFC 1035).
    pub const TXT: RecordType = RecordType(16);
    /// An IPv6 address (RFC 3596).
    pub const AAAA: RecordType = RecordType(28);
    /// The place of a service (RFC 2782).
    pub const SRV: RecordType = RecordType(33);
    /// Rules that rewrite a name (RFC 3403).
    pub const NAPTR: RecordType = RecordType(35);
    /// Redirection of a subtree (RFC 6672).
    pub const DNAME: RecordType = RecordType(39);
    /// Extension of the header (RFC 6891).
    pub const OPT: RecordType = RecordType(41);
    /// Service binding (RFC 9460).
    pub const SVCB: RecordType = RecordType(64);
    /// Service binding of HTTPS (RFC 9460).
    pub const HTTPS: RecordType = RecordType(65);
    /// Signature of a message (RFC 8945).
    pub const TSIG: RecordType = RecordType(250);
    /// What changed in a zone (RFC 1995).
    pub const IXFR: RecordType = RecordType(251);
    /// A whole zone (RFC 5936).
    pub const AXFR: RecordType = RecordType(252);
    /// Any type (RFC 1035, RFC 8482).
    pub const ANY: RecordType = RecordType(255);

    /// The mnemonic, where the registry has one.
    #[must_use]
    pub fn mnemonic(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "A",
            2 => "NS",
            3 => "MD",
            4 => "MF",
            5 => "CNAME",
            6 => "SOA",
            7 => "MB",
            8 => "MG",
            9 => "MR",
            10 => "NULL",
            11 => "WKS",
            12 => "PTR",
            13 => "HINFO",
            14 => "MINFO",
            15 => "MX",
            16 => "TXT",
            17 => "RP",
            18 => "AFSDB",
            19 => "X25",
            20 => "ISDN",
            21 => "RT",
            22 => "NSAP",
            23 => "NSAP-PTR",
            24 => "SIG",
            25 => "KEY",
            26 => "PX",
            27 => "GPOS",
            28 => "AAAA",
            29 => "LOC",
            30 => "NXT",
            31 => "EID",
            32 => "NIMLOC",
            33 => "SRV",
            34 => "ATMA",
            35 => "NAPTR",
            36 => "KX",
            37 => "CERT",
            38 => "A6",
            39 => "DNAME",
            40 => "SINK",
            41 => "OPT",
            42 => "APL",
            43 => "DS",
            44 => "SSHFP",
            45 => "IPSECKEY",
            46 => "RRSIG",
            47 => "NSEC",
            48 => "DNSKEY",
            49 => "DHCID",
            50 => "NSEC3",
            51 => "NSEC3PARAM",
            52 => "TLSA",
            53 => "SMIMEA",
            55 => "HIP",
            56 => "NINFO",
            57 => "RKEY",
            58 => "TALINK",
            59 => "CDS",
            60 => "CDNSKEY",
            61 => "OPENPGPKEY",
            62 => "CSYNC",
            63 => "ZONEMD",
            64 => "SVCB",
            65 => "HTTPS",
            66 => "DSYNC",
            67 => "HHIT",
            68 => "BRID",
            99 => "SPF",
            100 => "UINFO",
            101 => "UID",
            102 => "GID",
            103 => "UNSPEC",
            104 => "NID",
            105 => "L32",
            106 => "L64",
            107 => "LP",
            108 => "EUI48",
            109 => "EUI64",
            128 => "NXNAME",
            249 => "TKEY",
            250 => "TSIG",
            251 => "IXFR",
            252 => "AXFR",
            253 => "MAILB",
            254 => "MAILA",
            255 => "ANY",
            256 => "URI",
            257 => "CAA",
            258 => "AVC",
            259 => "DOA",
            260 => "AMTRELAY",
            261 => "RESINFO",
            262 => "WALLET",
            263 => "CLA",
            264 => "IPN",
            32768 => "TA",
            32769 => "DLV",
            _ => return None,
        })
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => f.pad(mnemonic),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

/// Class of a question or a record (RFC 1035 §3.2.4), as it stands on the wire.
///
/// Multicast DNS uses the top bit for something else: see [`without_top_bit`](Self::without_top_bit).
/// Displays its mnemonic, or `CLASS` and the number where it has none (RFC 3597 §5).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Class(pub u16);

impl Class {
    /// The Internet.
    pub const IN: Class = Class(1);
    /// Chaos, in use for questions about the server itself.
    pub const CH: Class = Class(3);
    /// Hesiod.
    pub const HS: Class = Class(4);
    /// None (RFC 2136 §2.4).
    pub const NONE: Class = Class(254);
    /// Any class.
    pub const ANY: Class = Class(255);

    /// Whether the top bit is set, which says something else in multicast DNS.
    #[must_use]
    pub const fn has_top_bit(self) -> bool {
        self.0 & 0x8000 != 0
    }

    /// The class of a multicast DNS question or record, whose top bit asks for a unicast response
    /// (RFC 6762 §5.4) or to flush caches (§10.2).
    #[must_use]
    pub const fn without_top_bit(self) -> Class {
        Class(self.0 & 0x7fff)
    }

    /// The mnemonic, where there is one.
    #[must_use]
    pub const fn mnemonic(self) -> Option<&'static str> {
        Some(match self {
            Class::IN => "IN",
            Class::CH => "CH",
            Class::HS => "HS",
            Class::NONE => "NONE",
            Class::ANY => "ANY",
            _ => return None,
        })
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => f.pad(mnemonic),
            None => write!(f, "CLASS{}", self.0),
        }
    }
}

/// What kind of request a message is, or answers: four bits of the header.
///
/// Displays its mnemonic, or `OPCODE` and the number where it has none.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Opcode(pub u8);

impl Opcode {
    /// A standard query (RFC 1035).
    pub const QUERY: Opcode = Opcode(0);
    /// An inverse query (obsoleted by RFC 3425).
    pub const IQUERY: Opcode = Opcode(1);
    /// A question about the server's status (RFC 1035).
    pub const STATUS: Opcode = Opcode(2);
    /// A zone has changed (RFC 1996).
    pub const NOTIFY: Opcode = Opcode(4);
    /// A dynamic update (RFC 2136).
    pub const UPDATE: Opcode = Opcode(5);
    /// A stateful operation (RFC 8490).
    pub const DSO: Opcode = Opcode(6);

    /// The mnemonic, where the registry has one.
    #[must_use]
    pub const fn mnemonic(self) -> Option<&'static str> {
        Some(match self {
            Opcode::QUERY => "QUERY",
            Opcode::IQUERY => "IQUERY",
            Opcode::STATUS => "STATUS",
            Opcode::NOTIFY => "NOTIFY",
            Opcode::UPDATE => "UPDATE",
            Opcode::DSO => "DSO",
            _ => return None,
        })
    }
}

impl fmt::Display for Opcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => f.pad(mnemonic),
            None => write!(f, "OPCODE{}", self.0),
        }
    }
}

/// How a request went: four bits of the header, with EDNS eight more (RFC 6891 §6.1.3).
///
/// Displays its mnemonic, or `RCODE` and the number where it has none. 16 is `BADVERS`: the
/// signature error of the same number never stands in a header.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Rcode(pub u16);

impl Rcode {
    /// All went well (RFC 1035).
    pub const NOERROR: Rcode = Rcode(0);
    /// The server could not read the request (RFC 1035).
    pub const FORMERR: Rcode = Rcode(1);
    /// The server failed (RFC 1035).
    pub const SERVFAIL: Rcode = Rcode(2);
    /// There is no such name (RFC 1035).
    pub const NXDOMAIN: Rcode = Rcode(3);
    /// The server cannot do this kind of request (RFC 1035).
    pub const NOTIMP: Rcode = Rcode(4);
    /// The server does not want to (RFC 1035).
    pub const REFUSED: Rcode = Rcode(5);

    /// The mnemonic, where the registry has one.
    #[must_use]
    pub const fn mnemonic(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "NOERROR",
            1 => "FORMERR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            4 => "NOTIMP",
            5 => "REFUSED",
            6 => "YXDOMAIN",
            7 => "YXRRSET",
            8 => "NXRRSET",
            9 => "NOTAUTH",
            10 => "NOTZONE",
            11 => "DSOTYPENI",
            16 => "BADVERS",
            17 => "BADKEY",
            18 => "BADTIME",
            19 => "BADMODE",
            20 => "BADNAME",
            21 => "BADALG",
            22 => "BADTRUNC",
            23 => "BADCOOKIE",
            _ => return None,
        })
    }
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => f.pad(mnemonic),
            None => write!(f, "RCODE{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_mnemonic_shows_its_number() {
        let shown = [
            RecordType::AAAA.to_string(),
            RecordType(65280).to_string(),
            Class::IN.to_string(),
            Class(0x8001).to_string(),
            Class(0x8001).without_top_bit().to_string(),
            Opcode::UPDATE.to_string(),
            Opcode(3).to_string(),
            Rcode::NXDOMAIN.to_string(),
            Rcode(16).to_string(),
            Rcode(15).to_string(),
        ];
        let expected = [
            "AAAA",
            "TYPE65280",
            "IN",
            "CLASS32769",
            "IN",
            "UPDATE",
            "OPCODE3",
            "NXDOMAIN",
            "BADVERS",
            "RCODE15",
        ];
        assert_eq!(shown, expected);
    }
}
