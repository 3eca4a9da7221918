use std::num::NonZeroU32;
use std::time::Duration;

use crate::EXAMPLE_ENTERPRISE;

/// Configuration of an [`Exporter`](crate::Exporter).
#[derive(Clone, Copy, Debug)]
pub struct ExporterConfig {
    pub(crate) observation_domain: u32,
    pub(crate) enterprise: u32,
    pub(crate) max_message: u16,
    pub(crate) refresh: Option<Refresh>,
}

/// When templates are sent again: before the first record that needs one after either of both.
#[derive(Clone, Copy, Debug)]
pub struct Refresh {
    /// As long after they were sent.
    pub interval: Duration,
    /// As many messages after they were sent: with 512, they are in every 512th message.
    pub messages: NonZeroU32,
}

impl ExporterConfig {
    /// The smallest bound on messages: any record fits into one, its template before it.
    pub const MIN_MESSAGE: u16 = 1024;

    /// For UDP: messages of at most 1232 bytes, which any path of IPv6 carries as one packet (RFC 8200 §5), and
    /// templates that are sent again after a minute, and in every 512th message (RFC 7011 §8.4).
    #[must_use]
    pub fn datagrams() -> Self {
        let messages = NonZeroU32::new(512).expect("not zero");
        let refresh = Refresh { interval: Duration::from_secs(60), messages };
        ExporterConfig { max_message: 1232, refresh: Some(refresh), ..ExporterConfig::stream() }
    }

    /// For TCP and files: messages of at most 65535 bytes, and templates that are sent once (RFC 7011 §8.2,
    /// RFC 5655).
    #[must_use]
    pub fn stream() -> Self {
        ExporterConfig {
            observation_domain: 0,
            enterprise: EXAMPLE_ENTERPRISE,
            max_message: u16::MAX,
            refresh: None,
        }
    }

    /// Sets the id of the observation domain, which every message has (RFC 7011 §3.1). 0, not specific, by
    /// default.
    #[must_use]
    pub fn observation_domain(mut self, id: u32) -> Self {
        self.observation_domain = id;
        self
    }

    /// Sets the private enterprise number of elements that IANA does not have. The default is
    /// [`EXAMPLE_ENTERPRISE`]; exports to other organisations need an assigned number.
    #[must_use]
    pub fn enterprise(mut self, number: u32) -> Self {
        self.enterprise = number;
        self
    }

    /// Sets the longest message, in bytes of UDP or TCP payload; at least
    /// [`MIN_MESSAGE`](Self::MIN_MESSAGE), which a smaller number is raised to.
    #[must_use]
    pub fn max_message(mut self, bytes: u16) -> Self {
        self.max_message = bytes.max(Self::MIN_MESSAGE);
        self
    }

    /// Sets when templates are sent again; `None` for a transport that loses nothing.
    #[must_use]
    pub fn refresh(mut self, refresh: Option<Refresh>) -> Self {
        self.refresh = refresh;
        self
    }
}
