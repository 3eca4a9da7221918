//! Ends an endless recursion between the two ways to feed a parser.

use std::any::type_name;
use std::cell::Cell;

/// One default body at work; dropped when it returns.
///
/// A default body calls the required method of the parser. If that method calls the default body
/// again, they call each other without end. The only place where this can be seen is the call
/// stack, so the innermost default body of a thread is remembered while it runs. Nothing but the
/// panic depends on it.
pub(crate) struct DefaultBody {
    outer: Active,
}

/// Which parser a default body feeds, and how often it has called itself.
#[derive(Clone, Copy)]
struct Active {
    parser: usize,
    kind: &'static str,
    depth: u8,
}

thread_local! {
    static ACTIVE: Cell<Active> = const { Cell::new(Active { parser: 0, kind: "", depth: 0 }) };
}

/// Calls of a default body within itself, for one parser. One or two may have a purpose.
const MAX_DEPTH: u8 = 32;

impl DefaultBody {
    /// # Panics
    ///
    /// If the default body `optional` of this parser is already at work [`MAX_DEPTH`] times.
    pub(crate) fn enter<P: ?Sized>(parser: &P, required: &str, optional: &str) -> Self {
        let (at, kind) = (std::ptr::from_ref(parser).cast::<()>().addr(), type_name::<P>());
        let outer = ACTIVE.get();
        // A parser may stand at the address of one that contains it, but then is of another type.
        let again = outer.parser == at && outer.kind == kind;
        let depth = if again { outer.depth + 1 } else { 0 };
        assert!(
            depth < MAX_DEPTH,
            "`{required}` of `{kind}` calls `{optional}`, whose default body calls `{required}`: \
             implement `{optional}`, or do not call it",
        );
        ACTIVE.set(Active { parser: at, kind, depth });
        DefaultBody { outer }
    }
}

impl Drop for DefaultBody {
    fn drop(&mut self) {
        ACTIVE.set(self.outer);
    }
}
