use std::fmt;
use std::ops::Range;

/// What is wrong with an expression, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WhereError {
    text: String,
    at: Range<usize>,
    message: String,
    hint: Option<String>,
}

impl WhereError {
    pub(crate) fn new(text: &str, at: Range<usize>, message: impl Into<String>) -> Self {
        WhereError { text: text.to_owned(), at, message: message.into(), hint: None }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }

    /// What is wrong, in one sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The place in the text, in bytes.
    #[must_use]
    pub fn at(&self) -> Range<usize> {
        self.at.clone()
    }

    /// What may have been meant.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The text with a caret under the place, and the hint, in two or three lines. What does not print is shown as `�`.
    #[must_use]
    pub fn explanation(&self) -> Vec<String> {
        let shown = |text: &str| -> String {
            text.chars()
                .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
                .collect()
        };
        let width = |text: &str| text.chars().count();
        let start = self.text.floor_char_boundary(self.at.start);
        let end = self.text.floor_char_boundary(self.at.end.max(start));
        // A long text is shown around the place alone.
        let from = self.text.floor_char_boundary(start.saturating_sub(CONTEXT));
        let to = self.text.floor_char_boundary((end + CONTEXT).min(self.text.len()));
        let to = if to - from > 3 * CONTEXT {
            self.text.floor_char_boundary(from + 3 * CONTEXT)
        } else {
            to
        };
        let cut = |yes: bool| if yes { "…" } else { "" };
        let (before, behind) = (cut(from > 0), cut(to < self.text.len()));
        let carets = width(&self.text[start..end.min(to)]).max(1);
        let indent = width(before) + width(&self.text[from..start]);
        let mut lines = vec![
            format!("{before}{}{behind}", shown(&self.text[from..to])),
            format!("{}{}", " ".repeat(indent), "^".repeat(carets)),
        ];
        lines.extend(self.hint.as_ref().map(|hint| format!("hint: {}", shown(hint))));
        lines
    }
}

/// As many bytes are shown before the place and behind it.
const CONTEXT: usize = 60;

impl fmt::Display for WhereError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at byte {}", self.message, self.at.start)
    }
}

impl std::error::Error for WhereError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_shown() {
        let error = WhereError::new("é == \u{1}x", 3..5, "wrong").hint(Some("right".into()));
        assert_eq!(error.explanation(), ["é == \u{fffd}x", "  ^^", "hint: right"]);
        assert_eq!(error.to_string(), "wrong, at byte 3");
        let text = "a".repeat(500);
        let far = WhereError::new(&text, 250..251, "wrong").explanation();
        assert_eq!(far[0], format!("…{}…", "a".repeat(121)));
        assert_eq!(far[1], format!("{}^", " ".repeat(61)));
        let end = WhereError::new("a", 1..1, "wrong").explanation();
        assert_eq!(end, ["a", " ^"]);
    }
}
