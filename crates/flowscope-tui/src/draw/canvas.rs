//! Text in a frame.

use flowscope_output::shorten;
use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::style::{Color, Modifier, Style};

/// The frame that is drawn. What lies beyond it is left out.
pub(super) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    colors: bool,
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) width: u16,
    right: bool,
}

impl Column {
    pub(super) fn new(heading: &'static str, width: u16) -> Self {
        Column { heading, width, right: false }
    }

    /// With cells aligned to the right.
    pub(super) fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

/// From so many columns on, times have dates, and addresses have more room.
const WIDE: u16 = 110;

impl<'a> Canvas<'a> {
    pub(super) fn new(buffer: &'a mut Buffer, colors: bool) -> Self {
        let area = *buffer.area();
        Canvas { buffer, area, colors }
    }

    pub(super) fn width(&self) -> u16 {
        self.area.width
    }

    pub(super) fn height(&self) -> u16 {
        self.area.height
    }

    pub(super) fn is_wide(&self) -> bool {
        self.area.width >= WIDE
    }

    /// Puts text at a place. Returns the column behind it.
    pub(super) fn put(&mut self, x: u16, y: u16, text: &str, style: Style) -> u16 {
        let Some(room) = self.area.width.checked_sub(x).filter(|room| *room > 0) else { return x };
        if y >= self.area.height {
            return x;
        }
        let (left, top) = (self.area.x + x, self.area.y + y);
        let (end, _) = self.buffer.set_stringn(left, top, text, room.into(), style);
        end - self.area.x
    }

    /// Puts cells into the columns of a row, shortened in their middle. Returns the column behind them and a space.
    pub(super) fn cells<'t>(
        &mut self,
        y: u16,
        columns: &[Column],
        cells: impl Iterator<Item = &'t str>,
        style: Style,
    ) -> u16 {
        let mut x: u16 = 0;
        for (column, cell) in columns.iter().zip(cells) {
            let width = usize::from(column.width);
            let cell = shorten(cell, width);
            let text = if column.right { format!("{cell:>width$}") } else { cell };
            let room = self.area.width.saturating_sub(x).min(column.width);
            if room > 0 && y < self.area.height {
                let (left, top) = (self.area.x + x, self.area.y + y);
                self.buffer.set_stringn(left, top, &text, room.into(), style);
            }
            x = x.saturating_add(column.width + 1);
        }
        x
    }

    /// Changes the style of a whole row.
    pub(super) fn style_row(&mut self, y: u16, style: Style) {
        if y < self.area.height {
            let row = Rect { y: self.area.y + y, height: 1, ..self.area };
            self.buffer.set_style(row, style);
        }
    }

    /// Empties a row.
    pub(super) fn clear_row(&mut self, y: u16) {
        for x in 0..self.area.width {
            if let Some(cell) = self.buffer.cell_mut((self.area.x + x, self.area.y + y)) {
                cell.reset();
            }
        }
    }

    /// The style of headings.
    pub(super) fn heading(&self) -> Style {
        self.colored(Color::Cyan)
    }

    /// The style of what has to be seen.
    pub(super) fn alarm(&self) -> Style {
        self.colored(Color::Red)
    }

    /// The style of what may have to be seen.
    pub(super) fn notice(&self) -> Style {
        self.colored(Color::Yellow)
    }

    /// Bold, and of this colour if there are colours.
    fn colored(&self, color: Color) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.colors { style.fg(color) } else { style }
    }

    /// The style of the row under the cursor.
    pub(super) fn selected() -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
