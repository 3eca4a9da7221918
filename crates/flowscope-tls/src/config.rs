/// Configuration of a [`TlsParser`](crate::TlsParser): length limits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TlsConfig {
    max_hello: u32,
    max_certificates: u32,
}

impl TlsConfig {
    /// The longest hello that is read, in bytes of the handshake message (default 65 536). A longer
    /// one is an anomaly and is skipped.
    #[must_use]
    pub fn max_hello(mut self, bytes: u32) -> Self {
        self.max_hello = bytes;
        self
    }

    /// The longest certificate chain that is read, in bytes of the handshake message (default
    /// 65 536). A longer one is an anomaly and is skipped; 0 skips all of them silently.
    #[must_use]
    pub fn max_certificates(mut self, bytes: u32) -> Self {
        self.max_certificates = bytes;
        self
    }

    /// How long a message of this type may be; `None` if it is not wanted.
    pub(crate) fn limit(&self, kind: u8) -> Option<u32> {
        use crate::handshake::kind;
        match kind {
            kind::CLIENT_HELLO | kind::SERVER_HELLO | kind::HELLO_RETRY_REQUEST => {
                Some(self.max_hello)
            }
            kind::CERTIFICATE if self.max_certificates > 0 => Some(self.max_certificates),
            _ => None,
        }
    }
}

impl Default for TlsConfig {
    fn default() -> Self {
        TlsConfig { max_hello: 1 << 16, max_certificates: 1 << 16 }
    }
}
