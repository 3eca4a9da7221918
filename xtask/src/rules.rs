//! `cargo xtask rules`: each rule of the flow tracker has an id that is named in the code, in the
//! reference model and in a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::Result;

/// The page that defines the ids, each in bold: `**RST-2**`.
const PAGE: &str = "docs/TCP_LIFE.md";

/// A name for each place where every id must stand, and its files and folders.
const PLACES: [(&str, &[&str]); 3] = [
    ("the code", &["crates/flowscope-track/src"]),
    ("the model", &["crates/flowscope-track/tests/model"]),
    (
        "a test",
        &[
            "crates/flowscope-track/tests/regressions",
            "crates/flowscope-track/tests/properties.rs",
            "tests/it/life",
        ],
    ),
];

/// Checks the ids of all rules.
pub(crate) fn run() -> Result<()> {
    let page = fs::read_to_string(PAGE)?;
    let mut found = Vec::new();
    for (place, paths) in PLACES {
        let mut text = String::new();
        for path in paths {
            read(Path::new(path), &mut text)?;
        }
        found.push((place, ids(&text)));
    }
    let problems = problems(&page, &found);
    if problems.is_empty() {
        println!("{} rules are named in code, model and tests", defined(&page).0.len());
        return Ok(());
    }
    Err(problems.join("\n").into())
}

/// Appends the Rust files of a folder, or one file.
fn read(path: &Path, text: &mut String) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            read(&entry?.path(), text)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        text.push_str(&fs::read_to_string(path)?);
        text.push('\n');
    }
    Ok(())
}

fn problems(page: &str, places: &[(&str, BTreeSet<String>)]) -> Vec<String> {
    let (defined, twice) = defined(page);
    let mut problems: Vec<String> =
        twice.into_iter().map(|id| format!("{PAGE} defines {id} twice")).collect();
    let unknown = ids(page).into_iter().filter(|id| !defined.contains(id));
    problems.extend(unknown.map(|id| format!("{PAGE} mentions {id}, which it does not define")));
    for (place, named) in places {
        let missing = defined.difference(named).map(|id| format!("{id} is not named in {place}"));
        problems.extend(missing);
        let unknown = named.difference(&defined);
        problems.extend(unknown.map(|id| format!("{id}, named in {place}, is not in {PAGE}")));
    }
    problems
}

/// The ids that the page defines, and those that it defines more than once.
fn defined(page: &str) -> (BTreeSet<String>, Vec<String>) {
    let mut defined = BTreeSet::new();
    let mut twice = Vec::new();
    for id in page.split("**").filter(|text| is_id(text)) {
        if !defined.insert(id.to_owned()) {
            twice.push(id.to_owned());
        }
    }
    (defined, twice)
}

/// All ids in a text.
fn ids(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
        .filter(|word| is_id(word))
        .map(str::to_owned)
        .collect()
}

/// Whether it is some capital letters, a hyphen and a number, as `RST-2`.
fn is_id(word: &str) -> bool {
    word.split_once('-').is_some_and(|(name, number)| {
        name.len() >= 2
            && name.bytes().all(|b| b.is_ascii_uppercase())
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(page: &str, code: &str, tests: &str) -> Vec<String> {
        problems(page, &[("the code", ids(code)), ("a test", ids(tests))])
    }

    #[test]
    fn a_rule_that_is_named_everywhere_passes() {
        assert_eq!(check("* **RST-2** Text.", "// RST-2: why.", "/// RST-2"), [""; 0]);
    }

    #[test]
    fn what_is_missing_or_unknown_is_reported() {
        assert_eq!(
            check("* **RST-2** Text.\n* **RST-2** See FIN-9.", "// RST-2, SYN-1", "// none"),
            [
                "docs/TCP_LIFE.md defines RST-2 twice",
                "docs/TCP_LIFE.md mentions FIN-9, which it does not define",
                "SYN-1, named in the code, is not in docs/TCP_LIFE.md",
                "RST-2 is not named in a test",
            ]
        );
    }

    #[test]
    fn other_words_with_hyphens_are_no_ids() {
        assert_eq!(ids("SipHash-1-3, half-open, X-1, RFC-, A_B-1 and SYNACK-3."), ids("SYNACK-3"));
    }
}
