//! What the guide says of counters.

use flowscope_core::Loss;
use netring::Stats;

#[test]
fn the_guide_names_every_counter_and_cause() {
    let guide = include_str!("../../../../docs/CAPTURE_GUIDE.md");
    let start = guide.find("## Losses and counters").expect("a chapter");
    let chapter = &guide[start..];
    let chapter = &chapter[..chapter[2..].find("\n## ").expect("another chapter")];
    let counters = format!("{:?}", Stats::default());
    // `Name { field: value, … }`, whose values are ledgers, numbers and options.
    let mut depth = 0;
    let mut fields: Vec<&str> = Vec::new();
    for word in counters.split_inclusive([' ', '{', '}', '(', ')', '[', ']']) {
        if depth == 1
            && let Some(field) = word.trim_end().strip_suffix(':')
        {
            fields.push(field);
        }
        let opens = word.matches(['{', '(', '[']).count();
        depth += opens;
        depth -= word.matches(['}', ')', ']']).count();
    }
    assert!(fields.len() >= 14 && fields.contains(&"arrived"), "{fields:?}");
    for name in
        fields.iter().map(|field| (*field).to_owned()).chain(Loss::ALL.map(|l| l.to_string()))
    {
        assert!(chapter.contains(&format!("`{name}`")), "{name} is missing");
    }
}
