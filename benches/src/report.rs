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
        let spread = match figure.samples.len() {
            0 | 1 => String::new(),
            _ => format!("{} - {}", short(figure.least()), short(figure.most())),
        };
        self.cells(&figure.name, &short(figure.median()), &spread, goal);
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

fn short(value: f64) -> String {
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
