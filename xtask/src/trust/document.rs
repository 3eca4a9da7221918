//! The table in docs/RELIABILITY.md.

use std::fmt::Write as _;

use xshell::cmd;

use super::row::{Measured, ROWS, Row, Verdict};
use super::setup::Setup;
use crate::Result;

const DOCUMENT: &str = "docs/RELIABILITY.md";
const BEGIN: &str = "<!-- trust: by cargo xtask trust -->\n";
const END: &str = "<!-- end of trust -->\n";

const HEAD: &str = "\
| row | promise | load | measured | result | date | not shown |
|---|---|---|---|---|---|---|
";

/// Writes what was measured; rows that were not measured stay as they are.
pub(crate) fn update(setup: &Setup, measured: &[(&Row, Measured)]) -> Result<()> {
    let date = cmd!(setup.sh, "date -u +%F").quiet().read()?;
    let text = setup.sh.read_file(DOCUMENT)?;
    Ok(setup.sh.write_file(DOCUMENT, updated(&text, measured, &date)?)?)
}

fn updated(text: &str, measured: &[(&Row, Measured)], date: &str) -> Result<String> {
    let missing = || format!("{DOCUMENT} has no {} and {}", BEGIN.trim(), END.trim());
    let (before, rest) = text.split_once(BEGIN).ok_or_else(missing)?;
    let (table, after) = rest.split_once(END).ok_or_else(missing)?;
    let mut out = format!("{before}{BEGIN}{HEAD}");
    for row in ROWS {
        let now = measured.iter().find(|(of, _)| of.number == row.number);
        if let Some((_, measured)) = now {
            out.push_str(&line(row, measured, date));
        } else {
            let begin = format!("| {} |", row.number);
            for line in table.lines().filter(|line| line.starts_with(&begin)) {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    Ok(out + END + after)
}

fn line(row: &Row, measured: &Measured, date: &str) -> String {
    let result = match &measured.verdict {
        Verdict::Passed => "passed".to_owned(),
        Verdict::Failed(why) => format!("**failed**: {why}"),
        Verdict::Skipped(why) => format!("skipped: {why}"),
    };
    let cells = [row.promise, &measured.load, &measured.figure, &result, date, row.not_shown];
    let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " ")).join(" | ");
    format!("| {} | {cells} |\n", row.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_were_not_measured_stay() {
        let row = |number| ROWS.iter().find(|row| row.number == number).unwrap();
        let text = format!("above\n{BEGIN}{HEAD}| 9 | old |\n{END}below\n");
        let wrong = vec!["two hashes".to_owned()];
        let third = (row(3), Measured::unless(&wrong, "1 | 2", "two\nlines"));
        let text = updated(&text, &[third], "2026-01-02").unwrap();
        let expected = "| 1 \\| 2 | two lines | **failed**: two hashes | 2026-01-02 |";
        assert!(text.starts_with("above\n") && text.contains(expected), "{text}");
        assert!(text.ends_with("| 9 | old |\n<!-- end of trust -->\nbelow\n"), "{text}");
        let ninth = (row(9), Measured::skipped("no root"));
        let text = updated(&text, &[ninth], "2026-01-03").unwrap();
        assert!(text.contains("skipped: no root | 2026-01-03 |"), "{text}");
        assert!(text.contains("| 3 | ") && !text.contains("old"), "{text}");
        assert!(updated("no table", &[], "2026-01-02").is_err());
    }
}
