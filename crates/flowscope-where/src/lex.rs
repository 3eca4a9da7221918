//! Text to tokens.

use std::ops::Range;

use crate::WhereError;

/// A piece of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// Letters, digits, and all that has no meaning of its own.
    Word(String),
    /// Text in quotes, without them.
    Quoted(String),
    /// `(`, `==`, `&&`, ..
    Sign(&'static str),
}

/// The signs; those that begin like another one stand before it.
const SIGNS: [&str; 16] =
    ["==", "!=", "<=", ">=", "&&", "||", "<", ">", "=", "!", "&", "|", "(", ")", "{", "}"];

/// The tokens of a text, each with its place.
pub(crate) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, WhereError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, len) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first == '"' || first == '\'' {
            let (content, len) = quoted(rest, first).map_err(|(from, to, message)| {
                WhereError::new(text, at + from..at + to, message)
            })?;
            (Token::Quoted(content), len)
        } else if first == ',' {
            (Token::Sign(","), 1)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            let len = rest.find(ends_word).unwrap_or(rest.len());
            (Token::Word(rest[..len].to_owned()), len)
        };
        tokens.push((token, at..at + len));
        at += len;
    }
    Ok(tokens)
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || "()<>=!&|{},\"'".contains(c)
}

/// The content of a quoted text, and the length of the text with its quotes; or place and message.
fn quoted(text: &str, quote: char) -> Result<(String, usize), (usize, usize, &'static str)> {
    const ESCAPES: &str = "unknown escape: use \\\", \\\\, \\n, \\r, \\t or \\u{..}";

    let mut content = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return Ok((content, at + 1));
        }
        if c != '\\' || quote == '\'' {
            content.push(c);
            continue;
        }
        let Some((_, escape)) = chars.next() else { break };
        content.push(match escape {
            '"' | '\\' => escape,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let inner = text[at + 2..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
                let digits = inner.map_or("", |(digits, _)| digits);
                let is_hex = (1..=6).contains(&digits.len())
                    && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let code = if is_hex { u32::from_str_radix(digits, 16).ok() } else { None };
                let c = code.and_then(char::from_u32).ok_or((at, at + 2, ESCAPES))?;
                chars.by_ref().take(digits.len() + 2).for_each(drop);
                c
            }
            other => return Err((at, at + 1 + other.len_utf8(), ESCAPES)),
        });
    }
    Err((0, text.len(), "this quote is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_tokens() {
        let check = |text: &str, expected: &[&str]| {
            let shown = |(token, _): &(Token, Range<usize>)| match token {
                Token::Word(word) => word.clone(),
                Token::Quoted(content) => format!("'{content}'"),
                Token::Sign(sign) => format!("<{sign}>"),
            };
            let tokens = tokens(text).map(|tokens| tokens.iter().map(shown).collect::<Vec<_>>());
            assert_eq!(tokens.unwrap(), expected, "{text}");
        };
        check("a==1&&b", &["a", "<==>", "1", "<&&>", "b"]);
        check("ip in {::1, 10.0.0.0/8}", &["ip", "in", "<{>", "::1", "<,>", "10.0.0.0/8", "<}>"]);
        check(r#""a\"\\\u{e9}" 'b\n'"#, &["'a\"\\é'", "'b\\n'"]);
        check("!(a<=5)", &["<!>", "<(>", "a", "<<=>", "5", "<)>"]);
        check("\u{a0}é ", &["é"]);
        for wrong in ["\"a", "'", r#""\q""#, r#""\u{110000}""#, r#""\u{}""#, r#""\u12""#, "\"\\"] {
            assert!(tokens(wrong).is_err(), "{wrong}");
        }
    }
}
