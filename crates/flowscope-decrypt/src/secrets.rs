use std::fmt;

/// Where the secrets of connections come from.
///
/// Parsers of several threads may ask at once. An implementation says the same about a connection at every time at
/// which one of its packets may be parsed, or records depend on chance.
pub trait SecretSource: Send + Sync {
    /// The secrets of the connection whose ClientHello has this random; `None` if there are none.
    fn session(&self, client_random: &[u8; 32]) -> Option<SessionSecrets>;
}

/// A secret of TLS, 32 to 48 bytes. `Debug` does not show it.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret {
    bytes: [u8; MAX_SECRET],
    len: u8,
}

/// What a secret is for, by its label in a key log.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SecretLabel {
    /// `CLIENT_RANDOM`: the master secret of TLS 1.2 and before (RFC 5246 §8.1).
    Master,
    /// `CLIENT_HANDSHAKE_TRAFFIC_SECRET` (RFC 8446 §7.1).
    ClientHandshake,
    /// `SERVER_HANDSHAKE_TRAFFIC_SECRET`.
    ServerHandshake,
    /// `CLIENT_TRAFFIC_SECRET_0`.
    ClientTraffic,
    /// `SERVER_TRAFFIC_SECRET_0`.
    ServerTraffic,
}

/// The secrets of one connection, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct SessionSecrets(Vec<(SecretLabel, Secret)>);

impl Secret {
    /// A secret of these bytes; `None` unless there are 32 to 48.
    #[must_use]
    pub fn new(secret: &[u8]) -> Option<Self> {
        let mut bytes = [0; MAX_SECRET];
        bytes.get_mut(..secret.len())?.copy_from_slice(secret);
        (secret.len() >= MIN_SECRET).then_some(Secret { bytes, len: secret.len() as u8 })
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl SecretLabel {
    pub(crate) fn of(label: &[u8]) -> Option<Self> {
        Some(match label {
            b"CLIENT_RANDOM" => SecretLabel::Master,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => SecretLabel::ClientHandshake,
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => SecretLabel::ServerHandshake,
            b"CLIENT_TRAFFIC_SECRET_0" => SecretLabel::ClientTraffic,
            b"SERVER_TRAFFIC_SECRET_0" => SecretLabel::ServerTraffic,
            _ => return None,
        })
    }
}

impl SessionSecrets {
    /// The secret with this label.
    #[must_use]
    pub fn secret(&self, label: SecretLabel) -> Option<&Secret> {
        self.0.iter().find(|(known, _)| *known == label).map(|(_, secret)| secret)
    }

    /// Adds a secret, in place of one that has its label.
    pub fn insert(&mut self, label: SecretLabel, secret: Secret) {
        match self.0.iter_mut().find(|(known, _)| *known == label) {
            Some((_, known)) => *known = secret,
            None => self.0.push((label, secret)),
        }
    }
}

/// A secret of SHA-256.
const MIN_SECRET: usize = 32;
/// A master secret, or one of SHA-384.
const MAX_SECRET: usize = 48;
