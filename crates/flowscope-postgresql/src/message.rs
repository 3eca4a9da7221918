use std::time::Duration;

use flowscope_core::Timestamp;

/// How one PostgreSQL connection begins: what the client asks for, how the server authenticates it, and
/// what comes of it (PostgreSQL, "Frontend/Backend Protocol", Message Flow: Start-up).
///
/// Passwords, their hashes and the secret keys of cancellation are never kept.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct PostgresqlStart {
    /// When the client's first message was complete.
    pub started: Timestamp,
    /// SSLRequest, if the client sent one.
    pub ssl: Option<Negotiation>,
    /// GSSENCRequest, if the client sent one.
    pub gss: Option<Negotiation>,
    /// Major and minor version of the protocol, as the client asks for it: 3.0, 3.2.
    pub version: Option<(u16, u16)>,
    /// The user.
    pub user: Option<Vec<u8>>,
    /// The database; a client that names none means the one of the user's name.
    pub database: Option<Vec<u8>>,
    /// The application's name.
    pub application_name: Option<Vec<u8>>,
    /// The replication mode that a client asks for: `true`, `database`.
    pub replication: Option<Vec<u8>>,
    /// The process id in a CancelRequest.
    pub cancel: Option<u32>,
    /// The first authentication method that the server asked for.
    pub auth: Option<AuthMethod>,
    /// The SASL mechanisms that the server offers, at most eight.
    pub sasl_mechanisms: Vec<Vec<u8>>,
    /// Whether authentication succeeded (AuthenticationOk); `Some(false)` if an error came instead.
    pub authenticated: Option<bool>,
    /// The ParameterStatus messages of [known](crate::PARAMETERS) names, at most 256 bytes of each value.
    pub parameters: Vec<(&'static str, Vec<u8>)>,
    /// The id of the server's process.
    pub process_id: Option<u32>,
    /// The error by which the server refused the connection.
    pub error: Option<ServerError>,
    /// From the first message to the last that was read.
    pub duration: Option<Duration>,
    /// What came of it.
    pub outcome: PostgresqlOutcome,
}

/// The answer to a request for encryption.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Negotiation {
    /// None was seen.
    Unanswered,
    /// `N`: the connection goes on in clear text.
    Refused,
    /// `S`, or `G` for GSSAPI.
    Accepted,
}

/// An ErrorResponse.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct ServerError {
    /// The severity, not localised where the server sends that: `FATAL`.
    pub severity: Vec<u8>,
    /// The SQLSTATE, such as `28P01`.
    pub code: Vec<u8>,
    /// The message.
    pub message: Vec<u8>,
}

/// How a server lets a client prove who it is (Message Formats: Authentication…).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum AuthMethod {
    /// AuthenticationKerberosV5.
    KerberosV5,
    /// AuthenticationCleartextPassword.
    CleartextPassword,
    /// AuthenticationMD5Password.
    Md5Password,
    /// AuthenticationGSS.
    Gss,
    /// AuthenticationSSPI.
    Sspi,
    /// AuthenticationSASL.
    Sasl,
    /// Another number.
    Other(u32),
}

/// What came of the start of a connection.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum PostgresqlOutcome {
    /// The server is ready for queries.
    Ready,
    /// What follows is encrypted.
    Encrypted,
    /// The server sent an error.
    Refused,
    /// The connection was opened to cancel a query of another.
    Cancel,
    /// Bytes were missing.
    Cut,
    /// The connection ended before, or bytes made no sense.
    Incomplete,
}

impl PostgresqlStart {
    pub(crate) fn new(started: Timestamp) -> Self {
        PostgresqlStart {
            started,
            ssl: None,
            gss: None,
            version: None,
            user: None,
            database: None,
            application_name: None,
            replication: None,
            cancel: None,
            auth: None,
            sasl_mechanisms: Vec::new(),
            authenticated: None,
            parameters: Vec::new(),
            process_id: None,
            error: None,
            duration: None,
            outcome: PostgresqlOutcome::Incomplete,
        }
    }

    /// The value of a parameter that the server reported.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&[u8]> {
        let (_, value) = self.parameters.iter().find(|(known, _)| *known == name)?;
        Some(value)
    }

    /// Bytes of memory held beside the value itself, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let texts = [&self.user, &self.database, &self.application_name, &self.replication];
        let error = self.error.iter().flat_map(|e| [&e.severity, &e.code, &e.message]);
        let values = self.parameters.iter().map(|(_, value)| value);
        let held = texts.into_iter().flatten().chain(error).chain(values);
        let held = held.chain(&self.sasl_mechanisms).map(Vec::capacity).sum::<usize>();
        held + self.parameters.capacity() * size_of::<(&str, Vec<u8>)>()
            + self.sasl_mechanisms.capacity() * size_of::<Vec<u8>>()
    }
}

impl AuthMethod {
    /// The method of this number; `None` for those that say that authentication goes on, or is over.
    pub(crate) fn of(number: u32) -> Option<Self> {
        Some(match number {
            // Ok, and what follows the first message of GSSAPI and SASL.
            0 | 8 | 11 | 12 => return None,
            2 => AuthMethod::KerberosV5,
            3 => AuthMethod::CleartextPassword,
            5 => AuthMethod::Md5Password,
            7 => AuthMethod::Gss,
            9 => AuthMethod::Sspi,
            10 => AuthMethod::Sasl,
            other => AuthMethod::Other(other),
        })
    }

    /// The name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            AuthMethod::KerberosV5 => "kerberos_v5",
            AuthMethod::CleartextPassword => "cleartext_password",
            AuthMethod::Md5Password => "md5_password",
            AuthMethod::Gss => "gss",
            AuthMethod::Sspi => "sspi",
            AuthMethod::Sasl => "sasl",
            AuthMethod::Other(_) => "other",
        }
    }
}

impl PostgresqlOutcome {
    /// The name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PostgresqlOutcome::Ready => "ready",
            PostgresqlOutcome::Encrypted => "encrypted",
            PostgresqlOutcome::Refused => "refused",
            PostgresqlOutcome::Cancel => "cancel",
            PostgresqlOutcome::Cut => "cut",
            PostgresqlOutcome::Incomplete => "incomplete",
        }
    }
}
