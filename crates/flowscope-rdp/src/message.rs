use std::time::Duration;

use flowscope_core::Timestamp;

/// How a connection begins. Sections are those of [MS-RDPBCGR].
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RdpStart {
    /// Time of the end of the client's Connection Request.
    pub ts: Timestamp,
    /// The name in the client's cookie `mstshash`, which is the start of that of the user in most cases (§2.2.1.1).
    pub cookie: Option<Vec<u8>>,
    /// The routing token `msts` for a load balancer (§2.2.1.1).
    pub routing_token: Option<Vec<u8>>,
    /// The security that the client can speak, as flags; `None` if it does not negotiate (§2.2.1.1.1).
    pub requested: Option<u32>,
    /// Whether the client wants restricted administration, or its credentials redirected (§2.2.1.1.1).
    pub restricted_admin: bool,
    /// Whether the server has confirmed the connection, or refused.
    pub is_answered: bool,
    /// The security that the server has chosen; that of a server that does not negotiate is standard (§2.2.1.2.1).
    pub selected: Option<RdpSecurity>,
    /// Why the server refuses (§2.2.1.2.2).
    pub failure: Option<RdpFailure>,
    /// From the request to the answer.
    pub latency: Option<Duration>,
}

/// A kind of security (§2.2.1.2.1).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RdpSecurity(pub u32);

impl RdpSecurity {
    /// Standard RDP security: RC4, in the protocol itself.
    pub const RDP: RdpSecurity = RdpSecurity(0);
    /// TLS.
    pub const SSL: RdpSecurity = RdpSecurity(1);
    /// CredSSP within TLS: the user is authenticated first.
    pub const HYBRID: RdpSecurity = RdpSecurity(2);
    /// RDSTLS within TLS.
    pub const RDSTLS: RdpSecurity = RdpSecurity(4);
    /// CredSSP within TLS, with an early result of authorization.
    pub const HYBRID_EX: RdpSecurity = RdpSecurity(8);
    /// Microsoft Entra ID within TLS.
    pub const RDSAAD: RdpSecurity = RdpSecurity(16);

    /// The name, as Zeek has it; `None` for a number that has none.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 => "RDP",
            1 => "SSL",
            2 => "HYBRID",
            4 => "RDSTLS",
            8 => "HYBRID_EX",
            16 => "RDSAAD",
            _ => return None,
        })
    }

    /// Whether TLS follows.
    #[must_use]
    pub const fn is_tls(self) -> bool {
        matches!(self.0, 1 | 2 | 4 | 8 | 16)
    }
}

/// Why a server refuses (§2.2.1.2.2).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct RdpFailure(pub u32);

impl RdpFailure {
    /// The name, where the number has one.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "SSL_REQUIRED_BY_SERVER",
            2 => "SSL_NOT_ALLOWED_BY_SERVER",
            3 => "SSL_CERT_NOT_ON_SERVER",
            4 => "INCONSISTENT_FLAGS",
            5 => "HYBRID_REQUIRED_BY_SERVER",
            6 => "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
            _ => return None,
        })
    }
}

impl RdpStart {
    pub(crate) fn heap_bytes(&self) -> usize {
        [&self.cookie, &self.routing_token].into_iter().flatten().map(Vec::capacity).sum()
    }
}
