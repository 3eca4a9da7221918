use flowscope_core::{ParseError, ParserStatus};

/// How many datagrams of a flow may be no messages before the first that is one.
const MAX_INVALID: u8 = 32;

/// Whether a flow still counts as DHCP.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct MessageCheck {
    invalid: u8,
    any_valid: bool,
}

impl MessageCheck {
    /// Takes note of a datagram that was a message, or was not.
    pub(crate) fn record(&mut self, is_message: bool) -> ParserStatus {
        self.any_valid |= is_message;
        if !is_message {
            self.invalid = self.invalid.saturating_add(1);
        }
        if !self.any_valid && self.invalid > MAX_INVALID {
            ParserStatus::Failed(ParseError::NotTheProtocol)
        } else {
            ParserStatus::Continue
        }
    }
}
