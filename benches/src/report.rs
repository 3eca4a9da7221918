use std::io::Write;

use crate::Figure;

/// A table that is printed row by row as figures come in.
pub struct Report {
    unit: &'static str,
}

impl Report {
    /// Prints the head of a table whose figures are in `unit`.
    #[must_use]
    pub fn new(title: &str, unit: &'static str) -> Self {
        line(&format!("\n## {title}\n"));
        line(&format!("{:<48} {:>10} {:>19}  goal", "", unit, "least - most"));
        Report { unit }
    }

    /// Prints a figure beside its goal, which may be empty.
    pub fn row(&self, figure: &Figure, goal: &str) {
        self.cells(&figure.name, &short(figure.median()), &spread(figure), goal);
    }

    /// Prints several figures without goals.
    pub fn rows(&self, figures: &[Figure]) {
        figures.iter().for_each(|figure| self.row(figure, ""));
    }

    /// Prints how many times as much `dear` costs as `cheap`, by their medians.
    pub fn ratio(&self, name: &str, dear: &Figure, cheap: &Figure, goal: &str) {
        let ratio = dear.median() / cheap.median();
        self.cells(name, &format!("{ratio:.2}x"), "", goal);
    }

    /// Prints a line of text within the table.
    pub fn note(&self, text: &str) {
        line(text);
    }

    /// What the figures are counted in.
    #[must_use]
    pub fn unit(&self) -> &str {
        self.unit
    }

    fn cells(&self, name: &str, value: &str, spread: &str, goal: &str) {
        line(&format!("{name:<48} {value:>10} {spread:>19}  {goal}"));
    }
}

/// A table with several figures in a row, in Markdown.
pub struct Table {
    widths: Vec<usize>,
}

impl Table {
    /// Prints the title and the head of each column; that of the first, which has names, may be empty.
    #[must_use]
    pub fn new(title: &str, heads: &[&str]) -> Self {
        let width = |head: &&str| head.chars().count();
        let mut widths: Vec<usize> = heads.iter().map(width).collect();
        if let Some(names) = widths.first_mut() {
            *names = (*names).max(NAMES);
        }
        line(&format!("\n## {title}\n"));
        let table = Table { widths };
        table.row(heads);
        let rules = table.widths.iter().enumerate().map(|(column, width)| match column {
            0 => "-".repeat(*width),
            _ => format!("{}:", "-".repeat(width - 1)),
        });
        table.row(&rules.collect::<Vec<_>>());
        table
    }

    /// Prints a row: a name, and the figures.
    pub fn row(&self, cells: &[impl AsRef<str>]) {
        let cells = cells.iter().zip(&self.widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            0 => format!("| {:<width$} |", cell.as_ref()),
            _ => format!(" {:>width$} |", cell.as_ref()),
        });
        line(&cells.collect::<String>());
    }
}

/// Width of a column of names, at least.
const NAMES: usize = 10;

/// The cheapest round and the dearest; empty unless there are several.
#[must_use]
pub fn spread(figure: &Figure) -> String {
    match figure.samples.len() {
        0 | 1 => String::new(),
        _ => format!("{} - {}", short(figure.least()), short(figure.most())),
    }
}

/// A figure with three digits, or more before the point.
#[must_use]
pub fn short(value: f64) -> String {
    match value {
        v if v.abs() >= 1000.0 => format!("{v:.0}"),
        v if v.abs() >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

fn line(text: &str) {
    // A reader that went away is no reason to stop measuring.
    let _ = writeln!(std::io::stdout().lock(), "{}", text.trim_end());
}
