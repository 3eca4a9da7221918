//! Aligned columns of text.

use std::io::Write as _;

/// A column of a table.
#[derive(Clone, Debug)]
pub struct GridColumn {
    /// Its heading.
    pub heading: String,
    /// Its usual width in characters.
    pub width: usize,
    /// Whether cells are aligned to the right.
    pub right: bool,
    /// Whether a few cells may be wider than the column. They are shortened where lines [fit](Grid::fit) a terminal.
    pub may_overflow: bool,
    /// As many first characters of each cell may be left out where lines fit a terminal: the date of a time.
    pub prefix: usize,
}

/// Rows of cells in aligned columns.
///
/// Rows are held back until there are [as many as decide](Grid::LOOK_AHEAD) on the widths.
#[derive(Clone, Debug)]
pub struct Grid {
    columns: Vec<GridColumn>,
    widths: Option<Vec<usize>>,
    /// The rows that decide on the widths.
    first: Vec<Vec<String>>,
    /// Whether the widths are the usual ones.
    usual: bool,
    /// Columns of the terminal that lines have to fit.
    terminal: Option<usize>,
    /// Whether prefixes of cells are left out.
    without_prefixes: bool,
}

/// Columns of a terminal that a table tries to fit.
const TERMINAL: usize = 120;

/// Cells are shortened to this width before columns are left out, and to the second one behind that.
const SHORT: usize = 15;
const SHORTEST: usize = 11;

/// As many columns are never left out.
const FEWEST: usize = 2;

impl GridColumn {
    /// A column that is as wide as its cells.
    #[must_use]
    pub fn new(heading: &str) -> Self {
        GridColumn {
            heading: heading.to_owned(),
            width: 0,
            right: false,
            may_overflow: false,
            prefix: 0,
        }
    }

    /// Aligns cells to the right.
    #[must_use]
    pub fn right(mut self) -> Self {
        self.right = true;
        self
    }

    /// Lets a few cells be wider than the others. They are shortened where lines [fit](Grid::fit) a terminal.
    #[must_use]
    pub fn may_overflow(mut self) -> Self {
        self.may_overflow = true;
        self
    }
}

impl Grid {
    /// As many rows are held back to find the widths.
    pub const LOOK_AHEAD: usize = 500;

    /// A table of these columns, without rows.
    #[must_use]
    pub fn new(columns: Vec<GridColumn>) -> Self {
        Grid {
            columns,
            widths: None,
            first: Vec::new(),
            usual: false,
            terminal: None,
            without_prefixes: false,
        }
    }

    /// Writes each row at once: columns have their usual widths.
    pub fn hold_nothing_back(&mut self) {
        self.usual = true;
    }

    /// Lets lines have at most so many characters: cells are shortened in their middle, then dates are left out, then
    /// columns, the last ones first.
    pub fn fit(&mut self, terminal: usize) {
        self.terminal = Some(terminal);
    }

    /// Appends a row.
    pub fn row(&mut self, row: Vec<String>, out: &mut Vec<u8>) {
        if let Some(widths) = &self.widths {
            self.line(widths, &row, out);
        } else {
            self.first.push(row);
            if self.usual || self.first.len() == Self::LOOK_AHEAD {
                self.begin(out);
            }
        }
    }

    /// Aligns columns to the right in which all rows that are held back have numbers, or nothing.
    pub fn align_numbers(&mut self) {
        let is_number = |cell: &str| {
            let digits = cell.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            digits && cell.bytes().filter(|byte| *byte == b'.').count() < 2
        };
        for (at, column) in self.columns.iter_mut().enumerate() {
            let mut cells = self.first.iter().filter_map(|row| row.get(at));
            column.right = cells.all(|cell| is_number(cell));
        }
    }

    /// How many rows are held back.
    #[must_use]
    pub fn held_back(&self) -> usize {
        self.first.len()
    }

    /// Appends what is held back.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        if self.widths.is_none() {
            self.begin(out);
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        let heading = |column: &GridColumn| column.heading.chars().count();
        let mut widths: Vec<usize> = self.columns.iter().map(heading).collect();
        for (at, width) in widths.iter_mut().enumerate() {
            *width = self.cells(at).fold(*width, usize::max);
        }
        if self.usual {
            widths = self.columns.iter().map(|column| column.width.max(heading(column))).collect();
        } else if self.terminal.is_none() && total(&widths) > TERMINAL {
            for (at, column) in self.columns.iter().enumerate() {
                let fitting = self.cells(at).filter(|cell| *cell <= column.width);
                if column.may_overflow && fitting.clone().count() * 2 >= self.first.len() {
                    widths[at] = fitting.fold(heading(column), usize::max);
                }
            }
        }
        if let Some(terminal) = self.terminal {
            self.narrow(&mut widths, terminal);
        }
        let head: Vec<_> = self.columns.iter().map(|column| column.heading.clone()).collect();
        let prefixes = std::mem::take(&mut self.without_prefixes);
        self.line(&widths, &head, out);
        self.without_prefixes = prefixes;
        for row in std::mem::take(&mut self.first) {
            self.line(&widths, &row, out);
        }
        self.widths = Some(widths);
    }

    /// Makes lines fit the terminal.
    fn narrow(&mut self, widths: &mut Vec<usize>, terminal: usize) {
        self.shrink(widths, terminal, SHORT);
        if total(widths) > terminal {
            self.without_prefixes = true;
            for (width, column) in widths.iter_mut().zip(&self.columns) {
                *width = width.saturating_sub(column.prefix).max(column.heading.chars().count());
            }
        }
        if total(widths) > terminal && widths.len() > FEWEST {
            widths.pop();
        }
        self.shrink(widths, terminal, SHORTEST);
        while total(widths) > terminal && widths.len() > FEWEST {
            widths.pop();
        }
        self.columns.truncate(widths.len());
    }

    /// Takes what is too much from the widest of the columns that may be shortened, down to this width.
    fn shrink(&self, widths: &mut [usize], terminal: usize, least: usize) {
        let may_shrink = |at: &usize, widths: &[usize]| {
            let column = &self.columns[*at];
            column.may_overflow && widths[*at] > least.max(column.heading.chars().count())
        };
        while total(widths) > terminal {
            let shrinking = (0..widths.len()).filter(|at| may_shrink(at, widths));
            let Some(widest) = shrinking.max_by_key(|at| (widths[*at], *at)) else { return };
            widths[widest] -= 1;
        }
    }

    /// The widths of a column's first cells.
    fn cells(&self, at: usize) -> impl Iterator<Item = usize> + Clone {
        self.first.iter().filter_map(move |row| Some(row.get(at)?.chars().count()))
    }

    /// Appends a line, cells padded and one space between them, none at its end.
    fn line(&self, widths: &[usize], row: &[String], out: &mut Vec<u8>) {
        let start = out.len();
        for (at, ((column, width), cell)) in self.columns.iter().zip(widths).zip(row).enumerate() {
            let short = match self.terminal {
                Some(_) if column.may_overflow => Some(shorten(cell, *width)),
                _ => None,
            };
            let cell = short.as_deref().unwrap_or(cell);
            let cell = match cell.char_indices().nth(column.prefix) {
                Some((prefix, _)) if self.without_prefixes => &cell[prefix..],
                _ => cell,
            };
            let space = if at == 0 { "" } else { " " };
            let written = if column.right {
                write!(out, "{space}{cell:>width$}")
            } else {
                write!(out, "{space}{cell:<width$}")
            };
            written.expect("a vector takes all");
        }
        end_line(start, out);
    }
}

/// Characters of a line.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + widths.len().saturating_sub(1)
}

/// Returns the text with `…` in its middle where it has more than `width` characters.
#[must_use]
pub fn shorten(text: &str, width: usize) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let (first, last) = (kept / 2, kept - kept / 2);
    let mut short: String = chars[..first].iter().collect();
    short.push('…');
    short.extend(&chars[chars.len() - last..]);
    short
}

/// Ends a line without spaces before its end.
fn end_line(start: usize, out: &mut Vec<u8>) {
    let end = out[start..].iter().rposition(|b| *b != b' ').map_or(start, |at| start + at + 1);
    out.truncate(end);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shortened_in_its_middle() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdef", 5), "ab…ef");
        assert_eq!(shorten("abcdef", 4), "a…ef");
        assert_eq!(shorten("éàüöß", 3), "é…ß");
        assert_eq!(shorten("ab", 1), "…");
        assert_eq!(shorten("ab", 0), "…");
    }

    fn written(columns: Vec<GridColumn>, terminal: usize, rows: &[&[&str]]) -> String {
        let mut grid = Grid::new(columns);
        grid.fit(terminal);
        let mut out = Vec::new();
        for cells in rows {
            grid.row(cells.iter().map(|cell| (*cell).to_owned()).collect(), &mut out);
        }
        grid.end(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// [`Grid::LOOK_AHEAD`] rows decide on the widths: the last of them ends the wait.
    #[test]
    fn rows_are_held_back_until_there_are_enough() {
        let mut grid = Grid::new(vec![GridColumn::new("N")]);
        let mut out = Vec::new();
        for n in 1..Grid::LOOK_AHEAD {
            grid.row(vec![n.to_string()], &mut out);
            assert_eq!((grid.held_back(), out.len()), (n, 0));
        }
        grid.row(vec!["last".to_owned()], &mut out);
        assert_eq!(grid.held_back(), 0);
        let lines = |out: &[u8]| out.iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(lines(&out), Grid::LOOK_AHEAD + 1);
        grid.row(vec!["x".to_owned()], &mut out);
        grid.end(&mut out);
        assert_eq!(lines(&out), Grid::LOOK_AHEAD + 2);
    }

    #[test]
    fn lines_fit_the_terminal() {
        let time = || GridColumn { prefix: 11, ..GridColumn::new("START") };
        let columns =
            || vec![time(), GridColumn::new("ADDR").may_overflow(), GridColumn::new("NAME")];
        let long = ["2026-01-02 03:04:05", "[2001:db8:1111::6666]:60000", "a name"];
        let rows: [&[&str]; 2] = [&long, &["2026-01-02 03:04:06", "::1", "x"]];
        let check = |terminal: usize, expected: [&str; 3]| {
            let text = written(columns(), terminal, &rows);
            assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{terminal}");
            assert!(text.lines().all(|line| line.chars().count() <= terminal));
        };
        check(
            60,
            [
                "START               ADDR                        NAME",
                "2026-01-02 03:04:05 [2001:db8:1111::6666]:60000 a name",
                "2026-01-02 03:04:06 ::1                         x",
            ],
        );
        check(
            44,
            [
                "START               ADDR              NAME",
                "2026-01-02 03:04:05 [2001:db…6]:60000 a name",
                "2026-01-02 03:04:06 ::1               x",
            ],
        );
        check(
            32,
            [
                "START    ADDR            NAME",
                "03:04:05 [2001:d…]:60000 a name",
                "03:04:06 ::1             x",
            ],
        );
        check(20, ["START    ADDR", "03:04:05 [2001…60000", "03:04:06 ::1"]);
    }
}
