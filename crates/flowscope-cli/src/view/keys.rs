//! Keys of the terminal as keys of the view.

use flowscope_tui::Key;
use ratatui_crossterm::crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};

/// The key that was pressed, if it was one that the view knows.
pub(super) fn key(event: &Event) -> Option<Key> {
    let Event::Key(key) = event else { return None };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Key::Interrupt);
    }
    Some(match key.code {
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use ratatui_crossterm::crossterm::event::KeyEvent;

    use super::*;

    #[test]
    fn control_c_interrupts_and_other_letters_with_control_are_nothing() {
        let check = |code, modifiers, expected| {
            assert_eq!(key(&Event::Key(KeyEvent::new(code, modifiers))), expected, "{code:?}");
        };
        check(KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Key::Interrupt));
        check(KeyCode::Char('q'), KeyModifiers::CONTROL, None);
        check(KeyCode::Char('c'), KeyModifiers::NONE, Some(Key::Char('c')));
        check(KeyCode::Char('G'), KeyModifiers::SHIFT, Some(Key::Char('G')));
        check(KeyCode::PageDown, KeyModifiers::NONE, Some(Key::PageDown));
        check(KeyCode::F(1), KeyModifiers::NONE, None);
        assert_eq!(key(&Event::Resize(1, 1)), None);
        let released =
            KeyEvent::new_with_kind(KeyCode::Enter, KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(key(&Event::Key(released)), None);
    }
}
