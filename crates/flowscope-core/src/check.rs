use crate::{ParseError, ParserStatus};

/// Whether a flow shows the protocol that its parser was chosen for.
///
/// A message that cannot be read says little where others can be. A flow that has none but such is of another protocol:
/// parsers take note of each message, and fail when too many were invalid before the first valid one.
///
/// ```
/// use flowscope_core::{MessageCheck, ParserStatus};
///
/// let mut check = MessageCheck::default();
/// for _ in 0..MessageCheck::MAX_INVALID {
///     assert_eq!(check.record(false), ParserStatus::Continue);
/// }
/// assert!(matches!(check.record(false), ParserStatus::Failed(_)));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageCheck {
    invalid: u32,
    any_valid: bool,
}

impl MessageCheck {
    /// How many messages of a flow may be invalid before the first valid one, unless a parser sets another number.
    pub const MAX_INVALID: u32 = 32;

    /// Takes note of a message; fails as [`status`](Self::status) within [`MAX_INVALID`](Self::MAX_INVALID).
    #[inline]
    pub fn record(&mut self, is_valid: bool) -> ParserStatus {
        self.any_valid |= is_valid;
        self.invalid = self.invalid.saturating_add(u32::from(!is_valid));
        self.status(Self::MAX_INVALID)
    }

    /// [`ParserStatus::Failed`] with [`ParseError::NotTheProtocol`] if more than `max_invalid` messages were invalid and
    /// none was valid, else [`ParserStatus::Continue`].
    #[inline]
    #[must_use]
    pub fn status(&self, max_invalid: u32) -> ParserStatus {
        if self.has_failed(max_invalid) {
            ParserStatus::Failed(ParseError::NotTheProtocol)
        } else {
            ParserStatus::Continue
        }
    }

    /// [`ParserStatus::Failed`] with an error that ends parsing: [`ParseError::NotTheProtocol`] in its place while no message
    /// was valid.
    #[inline]
    #[must_use]
    pub fn fail(&self, error: ParseError) -> ParserStatus {
        ParserStatus::Failed(if self.any_valid { error } else { ParseError::NotTheProtocol })
    }

    /// Whether [`status`](Self::status) is [`ParserStatus::Failed`].
    #[inline]
    #[must_use]
    pub fn has_failed(&self, max_invalid: u32) -> bool {
        !self.any_valid && self.invalid > max_invalid
    }

    /// Number of invalid messages.
    #[must_use]
    pub fn invalid(&self) -> u32 {
        self.invalid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_message_counts_for_good() {
        let mut check = MessageCheck::default();
        assert_eq!(check.record(true), ParserStatus::Continue);
        for _ in 0..=MessageCheck::MAX_INVALID {
            assert_eq!(check.record(false), ParserStatus::Continue);
        }
        assert_eq!((check.invalid(), check.status(0)), (33, ParserStatus::Continue));
    }

    #[test]
    fn an_error_before_any_valid_message_is_of_another_protocol() {
        let error = ParseError::InvalidField("length");
        let mut check = MessageCheck::default();
        assert_eq!(check.fail(error), ParserStatus::Failed(ParseError::NotTheProtocol));
        check.record(false);
        assert_eq!(check.fail(error), ParserStatus::Failed(ParseError::NotTheProtocol));
        check.record(true);
        assert_eq!(check.fail(error), ParserStatus::Failed(error));
    }

    #[test]
    fn a_parser_may_set_another_number() {
        let mut check = MessageCheck::default();
        check.record(false);
        assert_eq!(check.status(1), ParserStatus::Continue);
        assert_eq!(check.status(0), ParserStatus::Failed(ParseError::NotTheProtocol));
    }
}
