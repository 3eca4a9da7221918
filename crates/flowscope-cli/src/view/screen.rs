//! The terminal while a view is on it.

use std::io::{self, Stdout};
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flowscope_tui::View;
use ratatui_core::terminal::Terminal;
use ratatui_crossterm::CrosstermBackend;
use ratatui_crossterm::crossterm::cursor::Show;
use ratatui_crossterm::crossterm::event::{self, Event};
use ratatui_crossterm::crossterm::execute;
use ratatui_crossterm::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use crate::error::Failure;

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

    pub(super) fn draw(&mut self, view: &mut View) -> Result<(), Failure> {
        self.0.draw(|frame| view.draw(frame)).map(drop).map_err(failure)
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

/// Gives the terminal back, once.
fn restore() {
    if CHANGED.swap(false, Ordering::SeqCst) {
        // There is nobody to tell if it fails.
        let _ = disable_raw_mode();
        let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    }
}

fn failure(source: io::Error) -> Failure {
    Failure::Output { name: "the terminal".into(), source }
}
