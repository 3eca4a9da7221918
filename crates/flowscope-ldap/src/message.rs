use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

/// An operation with its result. Sections are those of RFC 4511.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LdapExchange {
    /// Time of the end of the request; of a notification, of its end.
    pub ts: Timestamp,
    /// Who sent the request, or would have.
    pub side: FlowSide,
    /// The identifier that request and result share; 0 of a notification (§4.1.1.1, §4.4).
    pub message_id: i32,
    /// The operation.
    pub operation: LdapOperation,
    /// The version that a bind asks for (§4.2).
    pub version: Option<i32>,
    /// Whom or what it is about: the name that binds, the base of a search, the entry that is changed. Up to 256 bytes.
    pub object: Option<Vec<u8>>,
    /// Of a bind the SASL mechanism, none for a simple one (§4.2); of a change of name the new one (§4.9); of a comparison
    /// the attribute (§4.10); of an extended operation its object identifier (§4.12). Up to 128 bytes.
    pub argument: Option<Vec<u8>>,
    /// What a search asks for (§4.5.1).
    pub search: Option<Box<LdapSearch>>,
    /// The result; `None` if there was none, or the operation has none.
    pub result: Option<LdapResult>,
    /// Entries that a search has found (§4.5.2).
    pub entries: u64,
    /// References to other servers that a search has found (§4.5.3).
    pub references: u64,
    /// From the request to its result.
    pub latency: Option<Duration>,
}

/// What a search asks for (§4.5.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct LdapSearch {
    /// How far below its base: 0 not at all, 1 one level, 2 all of it (§4.5.1.2).
    pub scope: i32,
    /// Whether aliases are followed: 0 never, 1 in searching, 2 in finding the base, 3 always (§4.5.1.3).
    pub deref: i32,
    /// The filter in its form as text (RFC 4515), up to 512 bytes and 16 filters deep.
    pub filter: Vec<u8>,
    /// The first 16 attributes that it asks for, up to 64 bytes each.
    pub attributes: Vec<Vec<u8>>,
}

/// A result (§4.1.9).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct LdapResult {
    /// The code.
    pub code: i32,
    /// What the server says of it, up to 256 bytes.
    pub message: Vec<u8>,
}

/// An operation (§4.2 to §4.12).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LdapOperation {
    /// A client says who it is.
    Bind,
    /// It is gone.
    Unbind,
    /// Entries are searched for.
    Search,
    /// An entry is changed.
    Modify,
    /// An entry is added.
    Add,
    /// An entry is deleted.
    Delete,
    /// An entry gets another name.
    ModifyDn,
    /// A value is compared.
    Compare,
    /// An operation is given up.
    Abandon,
    /// Another operation: `StartTLS` and so on. Of message 0 a notification of the server (§4.4).
    Extended,
}

impl LdapOperation {
    /// The name of its request, as Suricata has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LdapOperation::Bind => "bind_request",
            LdapOperation::Unbind => "unbind_request",
            LdapOperation::Search => "search_request",
            LdapOperation::Modify => "modify_request",
            LdapOperation::Add => "add_request",
            LdapOperation::Delete => "del_request",
            LdapOperation::ModifyDn => "mod_dn_request",
            LdapOperation::Compare => "compare_request",
            LdapOperation::Abandon => "abandon_request",
            LdapOperation::Extended => "extended_request",
        }
    }

    /// The name of its response, as Suricata has it.
    #[must_use]
    pub const fn response_name(self) -> Option<&'static str> {
        Some(match self {
            LdapOperation::Bind => "bind_response",
            LdapOperation::Search => "search_result_done",
            LdapOperation::Modify => "modify_response",
            LdapOperation::Add => "add_response",
            LdapOperation::Delete => "del_response",
            LdapOperation::ModifyDn => "mod_dn_response",
            LdapOperation::Compare => "compare_response",
            LdapOperation::Extended => "extended_response",
            LdapOperation::Unbind | LdapOperation::Abandon => return None,
        })
    }

    /// Whether the server answers it.
    #[must_use]
    pub const fn has_result(self) -> bool {
        self.response_name().is_some()
    }
}

impl LdapResult {
    /// The name of the code (§4.1.9), where it has one.
    #[must_use]
    pub const fn name(&self) -> Option<&'static str> {
        Some(match self.code {
            0 => "success",
            1 => "operationsError",
            2 => "protocolError",
            3 => "timeLimitExceeded",
            4 => "sizeLimitExceeded",
            5 => "compareFalse",
            6 => "compareTrue",
            7 => "authMethodNotSupported",
            8 => "strongerAuthRequired",
            10 => "referral",
            11 => "adminLimitExceeded",
            12 => "unavailableCriticalExtension",
            13 => "confidentialityRequired",
            14 => "saslBindInProgress",
            16 => "noSuchAttribute",
            17 => "undefinedAttributeType",
            18 => "inappropriateMatching",
            19 => "constraintViolation",
            20 => "attributeOrValueExists",
            21 => "invalidAttributeSyntax",
            32 => "noSuchObject",
            33 => "aliasProblem",
            34 => "invalidDNSyntax",
            36 => "aliasDereferencingProblem",
            48 => "inappropriateAuthentication",
            49 => "invalidCredentials",
            50 => "insufficientAccessRights",
            51 => "busy",
            52 => "unavailable",
            53 => "unwillingToPerform",
            54 => "loopDetect",
            64 => "namingViolation",
            65 => "objectClassViolation",
            66 => "notAllowedOnNonLeaf",
            67 => "notAllowedOnRDN",
            68 => "entryAlreadyExists",
            69 => "objectClassModsProhibited",
            71 => "affectsMultipleDSAs",
            80 => "other",
            _ => return None,
        })
    }
}

impl LdapExchange {
    /// An operation that begins.
    pub(crate) fn new(message_id: i32, operation: LdapOperation) -> Self {
        LdapExchange {
            ts: Timestamp::ZERO,
            side: FlowSide::Initiator,
            message_id,
            operation,
            version: None,
            object: None,
            argument: None,
            search: None,
            result: None,
            entries: 0,
            references: 0,
            latency: None,
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let search = |search: &LdapSearch| {
            size_of::<LdapSearch>()
                + search.filter.capacity()
                + search.attributes.capacity() * size_of::<Vec<u8>>()
                + search.attributes.iter().map(Vec::capacity).sum::<usize>()
        };
        [&self.object, &self.argument].into_iter().flatten().map(Vec::capacity).sum::<usize>()
            + self.search.as_deref().map_or(0, search)
            + self.result.as_ref().map_or(0, |result| result.message.capacity())
    }
}
