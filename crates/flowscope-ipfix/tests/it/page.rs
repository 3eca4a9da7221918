//! The tables of docs/IPFIX.md.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::{env, fs};

use flowscope_ipfix::{ELEMENTS, Element, Owner, REVERSE};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/IPFIX.md");

#[test]
fn the_tables_of_the_page_are_those_of_the_code() {
    let page = fs::read_to_string(PAGE).unwrap();
    let page = with(&page, "iana", &table(Owner::Iana));
    let page = with(&page, "own", &table(Owner::Own));
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    assert!(page == fs::read_to_string(PAGE).unwrap(), "docs/IPFIX.md: run `cargo xtask formats`");
}

#[test]
fn numbers_are_unique() {
    let numbers: BTreeSet<_> = ELEMENTS.iter().map(|x| (x.owner == Owner::Own, x.number)).collect();
    assert_eq!(numbers.len(), ELEMENTS.len());
    assert!(ELEMENTS.iter().all(|element| element.number > 0 && element.number < REVERSE));
}

fn table(owner: Owner) -> String {
    let mut text =
        "| number | reverse | element | type | meaning |\n|---|---|---|---|---|\n".to_owned();
    for element in ELEMENTS.iter().filter(|element| element.owner == owner) {
        let Element { name, number, doc, .. } = element;
        let reverse = match (element.has_reverse(), owner) {
            (false, _) => String::new(),
            (true, Owner::Iana) => format!("29305/{number}"),
            (true, Owner::Own) => (number | REVERSE).to_string(),
        };
        let data_type = element.data_type();
        writeln!(text, "| {number} | {reverse} | `{name}` | {data_type} | {doc} |").unwrap();
    }
    text
}

/// The page with this text between its marks of this name.
fn with(page: &str, name: &str, text: &str) -> String {
    let [begin, end] = [format!("<!-- {name} -->\n"), format!("<!-- /{name} -->\n")];
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{text}{end}{after}")
}
