/// Whether a call that does a bounded amount of work has left some of it for the next call.
///
/// ```
/// use flowscope_core::Progress;
///
/// /// Takes at most two items per call.
/// fn take_some(items: &mut Vec<u8>) -> Progress {
///     items.truncate(items.len().saturating_sub(2));
///     Progress::more_if(!items.is_empty())
/// }
///
/// let mut items = vec![1, 2, 3];
/// while take_some(&mut items) == Progress::More {}
/// assert!(items.is_empty());
/// ```
#[must_use = "there may be more to do"]
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Progress {
    /// Nothing is left to do now.
    Done,
    /// Work is left: call again.
    More,
}

impl Progress {
    /// [`More`](Self::More) if `more` is true, else [`Done`](Self::Done).
    pub const fn more_if(more: bool) -> Self {
        if more { Progress::More } else { Progress::Done }
    }
}
