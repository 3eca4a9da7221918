/// A word of a text, and the byte it begins at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

/// The words of a text: names, numbers and addresses; `&&` and `||`; any other character alone.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = match first {
            _ if is_of_name(first) => rest.find(|c| !is_of_name(c)).unwrap_or(rest.len()),
            '&' | '|' if rest.get(1..).is_some_and(|rest| rest.starts_with(first)) => 2,
            other => other.len_utf8(),
        };
        let (word, behind) = rest.split_at(len);
        words.push(Word { text: word, at: text.len() - rest.len() });
        rest = behind.trim_start();
    }
    words
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '/' | '-' | '_')
}
