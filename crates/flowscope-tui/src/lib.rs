//! A view of flows as they come, for a terminal: its state, and its drawing with ratatui.
//!
//! [`View`] is given records, counters and [keys](Key), and draws [frames](ratatui_core::terminal::Frame). It has no
//! terminal, thread or clock of its own.
//!
//! ```
//! use flowscope_core::Timestamp;
//! use flowscope_tui::{Action, Key, Tick, View};
//! use ratatui_core::{backend::TestBackend, terminal::Terminal};
//!
//! let mut view = View::new("eth0");
//! view.tick(&Tick { now: Timestamp::from_secs(1), ..Tick::default() });
//! view.tick(&Tick { now: Timestamp::from_secs(2), packets: 10, ..Tick::default() });
//! let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
//! terminal.draw(|frame| view.draw(frame)).unwrap();
//! assert!(terminal.backend().to_string().contains("10 packets/s"));
//! assert_eq!(view.key(Key::Char('q')), Action::Quit);
//! ```

mod draw;
mod filter;
mod flows;
mod key;
mod names;
mod rates;
mod view;

pub use key::{Action, Key};
pub use view::{Losses, Tick, View};
