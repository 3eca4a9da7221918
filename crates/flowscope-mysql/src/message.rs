use std::time::Duration;

use flowscope_core::Timestamp;

/// How one MySQL connection begins: who the server is, who the client says it is, and what comes of it (MySQL,
/// "Client/Server Protocol", Connection Phase).
///
/// Answers to authentication are never kept.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MysqlStart {
    /// When the server's greeting was complete.
    pub started: Timestamp,
    /// Version of the server, as it says it.
    pub server_version: Option<Vec<u8>>,
    /// Number of the connection at the server.
    pub connection_id: Option<u32>,
    /// Capabilities of the server.
    pub server_capabilities: Option<u32>,
    /// Authentication plugin that the server proposes.
    pub server_plugin: Option<Vec<u8>>,
    /// Capabilities that the client asks for.
    pub client_capabilities: Option<u32>,
    /// The user.
    pub user: Option<Vec<u8>>,
    /// The database.
    pub database: Option<Vec<u8>>,
    /// Authentication plugin of the client.
    pub client_plugin: Option<Vec<u8>>,
    /// Connection attribute `program_name`.
    pub program_name: Option<Vec<u8>>,
    /// Whether the server accepted the client.
    pub success: Option<bool>,
    /// The error by which the server refused.
    pub error: Option<MysqlError>,
    /// From the greeting to the last packet that was read.
    pub duration: Option<Duration>,
    /// What came of it.
    pub outcome: MysqlOutcome,
}

/// An ERR_Packet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct MysqlError {
    /// The error's number.
    pub code: u16,
    /// The SQLSTATE, if there is one.
    pub sqlstate: Option<Vec<u8>>,
    /// The message.
    pub message: Vec<u8>,
}

/// What came of the start of a connection.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum MysqlOutcome {
    /// The server accepted the client.
    Accepted,
    /// What follows is encrypted.
    Encrypted,
    /// The server sent an error.
    Refused,
    /// Bytes were missing.
    Cut,
    /// The connection ended before, or bytes made no sense.
    #[default]
    Incomplete,
}

impl MysqlStart {
    /// Bytes of memory held beside the value itself, by capacity.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let texts = [
            &self.server_version,
            &self.server_plugin,
            &self.user,
            &self.database,
            &self.client_plugin,
            &self.program_name,
        ];
        texts.into_iter().flatten().map(Vec::capacity).sum()
    }
}

impl MysqlOutcome {
    /// The name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            MysqlOutcome::Accepted => "accepted",
            MysqlOutcome::Encrypted => "encrypted",
            MysqlOutcome::Refused => "refused",
            MysqlOutcome::Cut => "cut",
            MysqlOutcome::Incomplete => "incomplete",
        }
    }
}
