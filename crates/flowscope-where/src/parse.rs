//! Text to expressions.

use std::ops::Range;

use flowscope_record::Kind;

use crate::lex::{Token, tokens};
use crate::{Check, Comparison, Expr, Fields, Literal, Test, WhereError, hint};

/// Bytes of the longest expression.
pub const MAX_LEN: usize = 4096;

/// The most parentheses and negations within each other.
pub const MAX_DEPTH: usize = 64;

impl Expr {
    /// Reads an expression over these fields. The language is that of [the crate](crate#the-language).
    ///
    /// # Errors
    ///
    /// What is wrong, the place, and what may have been meant: for unknown fields the nearest names, for expressions of
    /// tcpdump and Wireshark the same in this language.
    pub fn parse(text: &str, fields: &Fields) -> Result<Expr, WhereError> {
        if text.len() > MAX_LEN {
            let message = format!("an expression has at most {MAX_LEN} bytes");
            return Err(WhereError::new(text, MAX_LEN..text.len(), message));
        }
        let mut parser = Parser { text, tokens: tokens(text)?, at: 0, fields, depth: 0 };
        let expr = parser.any()?;
        match parser.peek() {
            None => Ok(expr),
            Some(Token::Sign("&" | "|")) => Err(parser
                .error("`&&` or `||` is expected here")
                .hint(Some("both signs are written twice".to_owned()))),
            Some(Token::Sign(")")) => Err(parser.error("no parenthesis is open here")),
            Some(_) => Err(parser.error("`&&` or `||` is expected here")),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    fields: &'a Fields,
    depth: usize,
}

impl Parser<'_> {
    /// Terms with `||` between them.
    fn any(&mut self) -> Result<Expr, WhereError> {
        let first = self.all()?;
        let mut parts = vec![first];
        while self.takes("||", "or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expr::Or))
    }

    /// Terms with `&&` between them.
    fn all(&mut self) -> Result<Expr, WhereError> {
        let first = self.term()?;
        let mut parts = vec![first];
        while self.takes("&&", "and") {
            parts.push(self.term()?);
        }
        Ok(one_or(parts, Expr::And))
    }

    fn term(&mut self) -> Result<Expr, WhereError> {
        let start = self.at;
        let negated = self.takes("!", "not");
        if !negated && !self.takes("(", "") {
            return self.test();
        }
        if self.depth == MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} parentheses and negations are open here");
            return Err(WhereError::new(self.text, self.place(start), message));
        }
        self.depth += 1;
        let inner = if negated { self.term()? } else { self.any()? };
        self.depth -= 1;
        if negated {
            return Ok(Expr::Not(Box::new(inner)));
        }
        if self.takes(")", "") {
            return Ok(inner);
        }
        let message = if self.peek().is_none() {
            "this parenthesis is not closed"
        } else {
            return Err(self.error("`&&`, `||` or `)` is expected here"));
        };
        Err(WhereError::new(self.text, self.place(start), message))
    }

    /// What is asked of one field.
    fn test(&mut self) -> Result<Expr, WhereError> {
        if let Some(Token::Word(word)) = self.peek()
            && word.eq_ignore_ascii_case("exists")
        {
            self.at += 1;
            let (field, _, _) = self.field()?;
            return Ok(Expr::Test(Test { field, check: Check::Exists }));
        }
        let (field, kinds, at) = self.field()?;
        let check = self.check(&field, &kinds, at)?;
        Ok(Expr::Test(Test { field, check }))
    }

    /// The name of a field, its types, and the number of its token.
    fn field(&mut self) -> Result<(String, Vec<Kind>, usize), WhereError> {
        let at = self.at;
        let name = match self.peek() {
            Some(Token::Word(word)) => word.clone(),
            Some(Token::Quoted(_)) => {
                let hint = "text in quotes stands behind an operator: `FIELD == \"text\"`";
                return Err(self.error("a field is expected here").hint(Some(hint.to_owned())));
            }
            _ => return Err(self.error("a field is expected here")),
        };
        let kinds = self.fields.kinds(&name);
        if kinds.is_empty() {
            let rest = self.place(at).end..self.place(at + 2).end.min(self.text.len());
            let rest = &self.text[rest];
            let hint = hint::comparison(&name, rest, self.fields)
                .or_else(|| hint::tcpdump(&self.words(at)))
                .or_else(|| hint::field(&name, self.fields));
            return Err(self.error(format!("unknown field `{name}`")).hint(hint));
        }
        self.at += 1;
        Ok((name, kinds, at))
    }

    /// What is asked of a field of these types.
    fn check(&mut self, field: &str, kinds: &[Kind], at: usize) -> Result<Check, WhereError> {
        let operator = self.at;
        let word = match self.peek() {
            Some(Token::Word(word)) => word.to_ascii_lowercase(),
            Some(Token::Sign(sign)) => (*sign).to_owned(),
            Some(Token::Quoted(_)) | None => String::new(),
        };
        if word == "in" {
            self.at += 1;
            return self.set(field, kinds);
        }
        let comparison = Comparison::ALL.into_iter().find(|known| known.as_str() == word);
        let Some(comparison) = comparison else {
            let ends = matches!(word.as_str(), "" | ")" | "&&" | "||" | "&" | "|" | "and" | "or");
            let ends = ends && !matches!(self.peek(), Some(Token::Quoted(_)));
            if ends && kinds == [Kind::Bool] {
                return Ok(Check::Compare(Comparison::Equal, Literal::Bool(true)));
            }
            return Err(self.no_operator(field, &word, ends, at));
        };
        self.at += 1;
        let may_order =
            |kind: &Kind| matches!(kind, Kind::U64 | Kind::F64 | Kind::Duration | Kind::Time);
        let is_text = |kind: &Kind| matches!(kind, Kind::Text | Kind::Bytes);
        let fitting: Vec<Kind> = match comparison {
            Comparison::Equal | Comparison::NotEqual => kinds.to_vec(),
            Comparison::Contains | Comparison::Starts | Comparison::Ends => {
                kinds.iter().copied().filter(is_text).collect()
            }
            _ => kinds.iter().copied().filter(may_order).collect(),
        };
        if fitting.is_empty() {
            let operator_text = comparison.as_str();
            let message = format!("`{operator_text}` is not for {}", described(kinds));
            let hint = match kinds {
                [Kind::Addr] => Some(format!("networks are asked for by `{field} in 10.0.0.0/8`")),
                _ => None,
            };
            return Err(WhereError::new(self.text, self.place(operator), message).hint(hint));
        }
        let literal = self.literal(field, &fitting)?;
        if let Literal::Net(net) = &literal {
            let hint = format!("`{field} in {net}`");
            let place = self.place(self.at - 1);
            let error = WhereError::new(self.text, place, "a network is no address");
            return Err(error.hint(Some(hint)));
        }
        Ok(Check::Compare(comparison, literal))
    }

    /// What comes behind `in`.
    fn set(&mut self, field: &str, kinds: &[Kind]) -> Result<Check, WhereError> {
        let open = self.at;
        if !self.takes("{", "") {
            let is_set = kinds.contains(&Kind::Addr);
            if !is_set {
                let hint = format!("`{field} in {{VALUE, VALUE}}`");
                return Err(self.error("`{` is expected here").hint(Some(hint)));
            }
            return Ok(Check::In(vec![self.literal(field, kinds)?]));
        }
        let mut literals = Vec::new();
        loop {
            literals.push(self.literal(field, kinds)?);
            if self.takes("}", "") {
                return Ok(Check::In(literals));
            }
            if !self.takes(",", "") {
                if self.peek().is_some() {
                    return Err(self.error("`,` or `}` is expected here"));
                }
                let message = "this brace is not closed";
                return Err(WhereError::new(self.text, self.place(open), message));
            }
        }
    }

    /// A value of one of these types.
    fn literal(&mut self, field: &str, kinds: &[Kind]) -> Result<Literal, WhereError> {
        let (word, quoted) = match self.peek() {
            Some(Token::Word(word)) => (word.as_str(), false),
            Some(Token::Quoted(content)) => (content.as_str(), true),
            _ => return Err(self.error(format!("a value is expected here: {}", described(kinds)))),
        };
        match Literal::read(word, quoted, kinds) {
            Some(literal) => {
                self.at += 1;
                Ok(literal)
            }
            None => {
                let message = format!("`{field}` is {}", described(kinds));
                Err(self.error(message).hint(forms(kinds)))
            }
        }
    }

    /// There is no operator behind a field.
    fn no_operator(&self, field: &str, word: &str, ends: bool, at: usize) -> WhereError {
        let hint = match word {
            "=" => Some("`==` compares".to_owned()),
            "eq" => Some("`==` compares".to_owned()),
            "ne" => Some("`!=` compares".to_owned()),
            "lt" | "le" | "gt" | "ge" => Some("`<`, `<=`, `>` and `>=` compare".to_owned()),
            "matches" | "~" | "=~" | "like" => {
                Some("text is searched by `contains`, `starts` and `ends`".to_owned())
            }
            "not" => Some(format!("`!({field} in {{..}})`")),
            _ if ends => Some(format!("`exists {field}` asks whether it has a value")),
            _ => hint::tcpdump(&self.words(at)),
        };
        self.error(format!("an operator is expected behind `{field}`")).hint(hint)
    }

    /// The words from this token on, up to the first sign and the first word that puts together.
    fn words(&self, at: usize) -> Vec<&str> {
        let word = |(token, _): &'_ (Token, Range<usize>)| match token {
            Token::Word(word) if !["and", "or", "not"].contains(&word.as_str()) => true,
            Token::Word(_) | Token::Quoted(_) | Token::Sign(_) => false,
        };
        let tokens = self.tokens.iter().skip(at).take_while(|token| word(token));
        tokens.map(|(_, place)| &self.text[place.clone()]).collect()
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    /// Takes this sign, or this word in any case, if it is next.
    fn takes(&mut self, sign: &str, word: &str) -> bool {
        let is_it = match self.peek() {
            Some(Token::Sign(next)) => *next == sign,
            Some(Token::Word(next)) => next.eq_ignore_ascii_case(word),
            Some(Token::Quoted(_)) | None => false,
        };
        self.at += usize::from(is_it);
        is_it
    }

    /// The place of a token; behind the text if there is none.
    fn place(&self, at: usize) -> Range<usize> {
        let end = self.text.trim_end().len();
        self.tokens.get(at).map_or(end..end, |(_, place)| place.clone())
    }

    /// What is wrong with the next token.
    fn error(&self, message: impl Into<String>) -> WhereError {
        WhereError::new(self.text, self.place(self.at), message)
    }
}

/// The only one, or all of them put together.
fn one_or(mut parts: Vec<Expr>, together: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            together(parts)
        }
    }
}

/// What values of these types are.
fn described(kinds: &[Kind]) -> String {
    let mut names: Vec<_> = kinds
        .iter()
        .map(|kind| match kind {
            Kind::Bool => "a flag",
            Kind::U64 | Kind::F64 => "a number",
            Kind::Time => "a point in time",
            Kind::Duration => "a span of time",
            Kind::Addr => "an address",
            _ => "text",
        })
        .collect();
    names.dedup();
    names.join(" or ")
}

/// How a value of the first of these types is written.
fn forms(kinds: &[Kind]) -> Option<String> {
    let form = match kinds.first()? {
        Kind::Bool => "`true` or `false`",
        Kind::U64 | Kind::F64 => "a number like 443, 0.5 or 1.5M",
        Kind::Time => "a time in UTC like 2026-01-02 or 2026-01-02T03:04:05Z",
        Kind::Duration => "a span like 10ms, 2s, 5m or 1h",
        Kind::Addr => "an address like 10.0.0.1 or ::1; a network behind `in`",
        _ => return None,
    };
    Some(form.to_owned())
}
