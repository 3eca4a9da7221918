//! What is typed, and what follows from it.

/// A key that was pressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Key {
    /// A character.
    Char(char),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Backspace.
    Backspace,
    /// The arrow up.
    Up,
    /// The arrow down.
    Down,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// Home.
    Home,
    /// End.
    End,
    /// Ctrl-C.
    Interrupt,
}

/// What the program with the view has to do after a key.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Action {
    /// Nothing but to draw the view again.
    Draw,
    /// To end.
    Quit,
    /// To write these lines of EVE to a file, and to [say](crate::View::say) its name.
    Export(Vec<u8>),
}
