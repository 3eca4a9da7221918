//! The examples of `docs/FILTERS.md` are read, or refused, as the page says.

use flowscope_filter::{Expr, LinkType, ParseExprError};

const PAGE: &str = include_str!("../../../docs/FILTERS.md");

/// The lines of the blocks that are fenced with `language`: the expression, and what stands behind `#`.
fn examples(language: &str) -> Vec<(&'static str, &'static str)> {
    let mut fence = None;
    let mut examples = Vec::new();
    for line in PAGE.lines() {
        match (line.strip_prefix("```"), fence) {
            (Some(name), None) => fence = Some(name),
            (Some(_), Some(_)) => fence = None,
            (None, Some(open)) if open == language => {
                let (expr, expected) = line.split_once(" # ").expect(line);
                examples.push((expr.trim(), expected));
            }
            (None, _) => {}
        }
    }
    assert_eq!(fence, None, "a block of {language} is not closed");
    assert!(examples.len() > 3, "{} examples of {language}", examples.len());
    examples
}

fn refused(text: &str) -> ParseExprError {
    text.parse::<Expr>().expect_err(text)
}

#[test]
fn what_is_supported_is_read_as_the_page_says() {
    for (text, expected) in examples("filter") {
        let expr: Expr = text.parse().expect(text);
        assert_eq!(expr.to_string(), expected, "{text}");
        assert!(expr.compile(LinkType::ETHERNET).is_ok(), "{text}");
    }
}

#[test]
fn what_libpcap_may_take_is_said_to_be_its() {
    for (text, word) in examples("filter-libpcap") {
        let error = refused(text);
        assert_eq!(error.word(), Some(word), "{text}: {error}");
        assert!(error.is_beyond(), "{text}: {error}");
    }
}

#[test]
fn what_is_wrong_is_wrong_for_libpcap_too() {
    for (text, word) in examples("filter-wrong") {
        let error = refused(text);
        assert_eq!(error.word(), Some(word), "{text}: {error}");
        assert!(!error.is_beyond(), "{text}: {error}");
    }
}
