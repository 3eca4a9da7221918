//! The parsers of both transports, and what they share.

use flowscope_core::{ParseError, ParserStatus};

use crate::DnsConfig;

mod tcp;
mod udp;

pub use tcp::{DnsTcpFactory, DnsTcpParser};
pub use udp::DnsUdpParser;
pub(crate) use udp::read_datagram;

/// Whether a flow still counts as DNS.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageCheck {
    invalid_messages: u32,
    any_valid: bool,
}

impl MessageCheck {
    /// Takes note of a unit that was a message, or was not.
    pub(crate) fn record(&mut self, message: bool) {
        self.any_valid |= message;
        self.invalid_messages = self.invalid_messages.saturating_add(u32::from(!message));
    }

    pub(crate) fn has_failed(&self, config: &DnsConfig) -> bool {
        !self.any_valid && self.invalid_messages > config.max_invalid_messages
    }

    pub(crate) fn status(&self, config: &DnsConfig) -> ParserStatus {
        if self.has_failed(config) {
            ParserStatus::Failed(ParseError::NotTheProtocol)
        } else {
            ParserStatus::Continue
        }
    }
}
