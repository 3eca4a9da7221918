use std::net::Ipv4Addr;

use flowscope_core::{FlowSide, Timestamp};

use crate::SnmpOid;

/// One SNMP message.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SnmpMessage {
    /// Who sent it.
    pub side: FlowSide,
    /// When it was captured.
    pub ts: Timestamp,
    /// The version: 1, 2 for 2c, or 3.
    pub version: u8,
    /// The community of versions 1 and 2c, up to 128 bytes (RFC 1157 §4).
    pub community: Option<Vec<u8>>,
    /// Header of version 3.
    pub security: Option<SnmpSecurity>,
    /// What is asked or answered; `None` if it is encrypted (RFC 3412 §6.8).
    pub pdu: Option<SnmpPdu>,
}

/// The header of version 3 (RFC 3412 §6), with the parameters of the User-based Security Model (RFC 3414 §2.4).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SnmpSecurity {
    /// The identifier that request and response share.
    pub message_id: i64,
    /// Whether it is authenticated.
    pub is_authenticated: bool,
    /// Whether it is encrypted.
    pub is_encrypted: bool,
    /// The security model: 3 is the User-based one.
    pub model: i64,
    /// The engine that is authoritative, up to 32 bytes; empty where it is looked for.
    pub engine_id: Option<Vec<u8>>,
    /// The user, up to 32 bytes.
    pub user: Option<Vec<u8>>,
    /// The context of the objects, up to 32 bytes; only where it is not encrypted.
    pub context: Option<Vec<u8>>,
}

/// What a message asks or answers (RFC 3416 §3).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SnmpPdu {
    /// Its type.
    pub kind: SnmpPduKind,
    /// The identifier that request and response share; none of a trap of version 1.
    pub request_id: Option<i64>,
    /// Error status; 0 is none. Of `GetBulkRequest`, how many objects are not repeated.
    pub error_status: i64,
    /// Which object the error is about, from 1. Of `GetBulkRequest`, how often the others are repeated.
    pub error_index: i64,
    /// Of a trap of version 1 what it says beside its objects.
    pub trap: Option<SnmpTrap>,
    /// The names of its objects, the first 32.
    pub vars: Vec<SnmpOid>,
    /// How many objects there are, those that are not kept included.
    pub var_count: u64,
    /// The value of `sysDescr.0`, up to 256 bytes (RFC 3418 §2).
    pub description: Option<Vec<u8>>,
}

/// A trap of version 1 (RFC 1157 §4.1.6).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SnmpTrap {
    /// The type of object that sends it.
    pub enterprise: Option<SnmpOid>,
    /// The address of that object.
    pub agent: Ipv4Addr,
    /// Generic trap, 0 to 6.
    pub generic: i64,
    /// Specific trap, where the generic one is 6.
    pub specific: i64,
}

/// The type of a PDU: the number in its tag (RFC 3416 §3, RFC 1157 §4.1).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct SnmpPduKind(pub u8);

impl SnmpPduKind {
    /// `GetRequest`.
    pub const GET_REQUEST: SnmpPduKind = SnmpPduKind(0);
    /// `GetNextRequest`.
    pub const GET_NEXT_REQUEST: SnmpPduKind = SnmpPduKind(1);
    /// `Response`.
    pub const RESPONSE: SnmpPduKind = SnmpPduKind(2);
    /// `SetRequest`.
    pub const SET_REQUEST: SnmpPduKind = SnmpPduKind(3);
    /// `Trap` of version 1.
    pub const TRAP_V1: SnmpPduKind = SnmpPduKind(4);
    /// `GetBulkRequest`.
    pub const GET_BULK_REQUEST: SnmpPduKind = SnmpPduKind(5);
    /// `InformRequest`.
    pub const INFORM_REQUEST: SnmpPduKind = SnmpPduKind(6);
    /// `SNMPv2-Trap`.
    pub const TRAP_V2: SnmpPduKind = SnmpPduKind(7);
    /// `Report`.
    pub const REPORT: SnmpPduKind = SnmpPduKind(8);

    /// The name, as Suricata has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            0 => "get_request",
            1 => "get_next_request",
            2 => "response",
            3 => "set_request",
            4 => "trap_v1",
            5 => "get_bulk_request",
            6 => "inform_request",
            7 => "trap_v2",
            _ => "report",
        }
    }
}

impl SnmpPdu {
    /// The name of the error status, where there is an error (RFC 3416 §3).
    #[must_use]
    pub fn error(&self) -> Option<&'static str> {
        const NAMES: [&str; 18] = [
            "tooBig",
            "noSuchName",
            "badValue",
            "readOnly",
            "genErr",
            "noAccess",
            "wrongType",
            "wrongLength",
            "wrongEncoding",
            "wrongValue",
            "noCreation",
            "inconsistentValue",
            "resourceUnavailable",
            "commitFailed",
            "undoFailed",
            "authorizationError",
            "notWritable",
            "inconsistentName",
        ];
        let has_status = !matches!(self.kind, SnmpPduKind::GET_BULK_REQUEST | SnmpPduKind::TRAP_V1);
        let at = usize::try_from(self.error_status).ok()?.checked_sub(1)?;
        has_status.then(|| NAMES.get(at).copied().unwrap_or("unknown"))
    }
}

impl SnmpTrap {
    /// The name of the generic trap (RFC 1157 §4.1.6).
    #[must_use]
    pub const fn name(&self) -> Option<&'static str> {
        Some(match self.generic {
            0 => "coldStart",
            1 => "warmStart",
            2 => "linkDown",
            3 => "linkUp",
            4 => "authenticationFailure",
            5 => "egpNeighborLoss",
            6 => "enterpriseSpecific",
            _ => return None,
        })
    }
}
