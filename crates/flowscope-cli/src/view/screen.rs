//! The terminal while a view is on it.

use std::io::{self, Stdout, Write};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::cursor::Show;
use ratatui_crossterm::crossterm::event::{self, Event};
use ratatui_crossterm::crossterm::execute;
use ratatui_crossterm::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::error::Failure;
use crate::output::SharedView;

/// The terminal, which is as before when this is dropped, and before a panic is printed.
pub(super) struct Screen(Terminal<CrosstermBackend<Stdout>>);

/// Whether the terminal is another one than the shell knows.
static CHANGED: AtomicBool = AtomicBool::new(false);

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> Result<Self, Failure> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                restore();
                before(panic);
            }));
        });
        CHANGED.store(true, Ordering::SeqCst);
        let opened = enable_raw_mode()
            .and_then(|()| execute!(io::stdout(), EnterAlternateScreen))
            .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        match opened {
            Ok(terminal) => Ok(Screen(terminal)),
            Err(error) => {
                restore();
                Err(Failure::Usage(format!("this terminal cannot have a view: {error}")))
            }
        }
    }

    pub(super) fn draw(&mut self, shared: &SharedView) -> Result<(), Failure> {
        draw(&mut self.0, shared).map_err(failure)
    }

    /// The next event, if one comes within this time.
    pub(super) fn next_event(&self, within: Duration) -> Result<Option<Event>, Failure> {
        let next = event::poll(within).and_then(|is_there| is_there.then(event::read).transpose());
        next.map_err(failure)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Draws the view. Its lock is not held while the terminal is written to, which may be slow.
fn draw<W: Write>(
    terminal: &mut Terminal<CrosstermBackend<W>>,
    shared: &SharedView,
) -> io::Result<()> {
    terminal.draw(|frame| shared.lock().draw(frame)).map(drop)
}

/// Gives the terminal back, once.
fn restore() {
    if CHANGED.swap(false, Ordering::SeqCst) {
        // An error here cannot be reported.
        let _ = disable_raw_mode();
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    }
}

fn failure(source: io::Error) -> Failure {
    Failure::Output { name: "the terminal".into(), source }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use flowscope_tui::View;
    use ratatui_core::layout::Rect;
    use ratatui_core::terminal::{TerminalOptions, Viewport};

    use super::*;

    /// A terminal that looks at the lock whenever it is written to.
    struct Slow<'a>(&'a SharedView, &'a Cell<usize>);

    impl Write for Slow<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            assert!(!self.0.is_locked());
            self.1.set(self.1.get() + bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            assert!(!self.0.is_locked());
            Ok(())
        }
    }

    #[test]
    fn the_view_can_be_filled_while_the_terminal_is_written_to() {
        let (shared, written) = (SharedView::new(View::new("eth0")), Cell::new(0));
        let backend = CrosstermBackend::new(Slow(&shared, &written));
        let viewport = Viewport::Fixed(Rect::new(0, 0, 80, 24));
        let mut terminal = Terminal::with_options(backend, TerminalOptions { viewport }).unwrap();
        draw(&mut terminal, &shared).unwrap();
        assert!(written.get() > 80);
    }
}
