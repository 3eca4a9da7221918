use std::fmt::{self, Write};

/// Text of at most `N` bytes (`N` < 256) on the stack.
///
/// What is written in one piece and does not fit is left out whole.
#[derive(Clone, Copy)]
pub struct Short<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Short<N> {
    /// Empty text.
    pub const EMPTY: Self = Short { bytes: [0; N], len: 0 };

    /// What `value` displays as, as far as it fits.
    #[must_use]
    pub fn of(value: impl fmt::Display) -> Self {
        let mut short = Self::EMPTY;
        let _ = write!(short, "{value}");
        short
    }

    /// This text; empty if it does not fit.
    #[must_use]
    pub fn copy_of(text: &str) -> Self {
        let mut short = Self::EMPTY;
        let _ = short.write_str(text);
        short
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The text's UTF-8.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl<const N: usize> Write for Short<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let from = usize::from(self.len);
        let end = u8::try_from(from + text.len()).map_err(|_| fmt::Error)?;
        let free = self.bytes.get_mut(from..usize::from(end)).ok_or(fmt::Error)?;
        free.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl<const N: usize> fmt::Debug for Short<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl<const N: usize> fmt::Display for Short<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<const N: usize> PartialEq for Short<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl<const N: usize> Eq for Short<N> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_left_out() {
        assert_eq!(Short::<8>::of(12345).as_str(), "12345");
        assert_eq!(Short::<4>::of(12345).as_str(), "");
        let mut short = Short::<4>::of("ab");
        assert!(short.write_str("cde").is_err());
        assert_eq!(short.as_str(), "ab");
        assert_eq!(Short::<8>::EMPTY.as_str(), "");
    }
}
