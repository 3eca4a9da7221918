//! Whether what is asked of a field holds for its values.

use std::cmp::Ordering;
use std::time::Duration;

use flowscope_record::Value;

use crate::{Check, Comparison, Literal, Test};

impl Test {
    /// Whether it holds for these values of the field.
    ///
    /// Items of lists and members of objects are values of their own; [`Value::Null`] is none.
    pub fn holds<'a>(&self, values: impl IntoIterator<Item = Value<'a>>) -> bool {
        let mut found = Found { test: self, present: false, compared: false, holds: false };
        values.into_iter().for_each(|value| found.look(&value));
        match self.check {
            Check::Exists => found.present,
            // Equal to none of them.
            Check::Compare(Comparison::NotEqual, _) => found.compared && !found.holds,
            _ => found.holds,
        }
    }
}

/// What is known of the values so far.
struct Found<'t> {
    test: &'t Test,
    /// There is a value.
    present: bool,
    /// There is a value of the literal's type.
    compared: bool,
    /// One of them compares as asked; with `!=`, is equal.
    holds: bool,
}

impl Found<'_> {
    fn look(&mut self, value: &Value<'_>) {
        match value {
            Value::Null => return,
            Value::List(items) => return items.iter().for_each(|item| self.look(item)),
            Value::Object(members) => {
                return members.iter().for_each(|(_, member)| self.look(member));
            }
            _ => self.present = true,
        }
        let compared = match &self.test.check {
            Check::Exists => None,
            Check::Compare(Comparison::NotEqual, literal) => {
                compare(value, Comparison::Equal, literal)
            }
            Check::Compare(comparison, literal) => compare(value, *comparison, literal),
            Check::In(literals) => {
                let is_one = |literal| compare(value, Comparison::Equal, literal) == Some(true);
                Some(literals.iter().any(is_one))
            }
        };
        self.compared |= compared.is_some();
        self.holds |= compared == Some(true);
    }
}

/// How a value compares with a literal; `None` if they are of different types.
fn compare(value: &Value<'_>, comparison: Comparison, literal: &Literal) -> Option<bool> {
    let ordering = match (value, literal) {
        (Value::Bytes(bytes), Literal::Text(literal)) => {
            return Some(text(bytes, comparison, literal));
        }
        (Value::Text(bytes), Literal::Text(literal)) => {
            return Some(text(bytes.as_bytes(), comparison, literal));
        }
        (Value::Short(bytes), Literal::Text(literal)) => {
            return Some(text(bytes.as_bytes(), comparison, literal));
        }
        (Value::Addr(addr), Literal::Net(net)) => {
            return (comparison == Comparison::Equal).then(|| net.contains(*addr));
        }
        (Value::Addr(addr), Literal::Addr(literal)) => addr.cmp(literal),
        (Value::Bool(flag), Literal::Bool(literal)) => flag.cmp(literal),
        (Value::U64(number), Literal::Number(literal)) => number.cmp(literal),
        (Value::U64(number), Literal::Decimal(literal)) => (*number as f64).partial_cmp(literal)?,
        (Value::F64(number), Literal::Number(literal)) => number.partial_cmp(&(*literal as f64))?,
        (Value::F64(number), Literal::Decimal(literal)) => number.partial_cmp(literal)?,
        (Value::Duration(span), Literal::Duration(literal)) => span.cmp(literal),
        (Value::Duration(span), Literal::Number(literal)) => {
            span.cmp(&Duration::from_secs(*literal))
        }
        (Value::Duration(span), Literal::Decimal(literal)) => {
            span.cmp(&Duration::try_from_secs_f64(*literal).ok()?)
        }
        (Value::Time(ts), Literal::Time(literal)) => ts.cmp(literal),
        _ => return None,
    };
    Some(match comparison {
        Comparison::Equal => ordering == Ordering::Equal,
        Comparison::NotEqual => ordering != Ordering::Equal,
        Comparison::Less => ordering == Ordering::Less,
        Comparison::AtMost => ordering != Ordering::Greater,
        Comparison::Greater => ordering == Ordering::Greater,
        Comparison::AtLeast => ordering != Ordering::Less,
        Comparison::Contains | Comparison::Starts | Comparison::Ends => return None,
    })
}

/// Text compares in any case unless the literal has capital letters.
fn text(value: &[u8], comparison: Comparison, literal: &str) -> bool {
    let is_exact = literal.bytes().any(|byte| byte.is_ascii_uppercase());
    let literal = literal.as_bytes();
    let same = |value: &[u8]| {
        if is_exact { value == literal } else { value.eq_ignore_ascii_case(literal) }
    };
    let len = literal.len();
    match comparison {
        Comparison::Equal => same(value),
        Comparison::NotEqual => !same(value),
        Comparison::Starts => value.get(..len).is_some_and(same),
        Comparison::Ends => value.len() >= len && same(&value[value.len() - len..]),
        Comparison::Contains => len == 0 || value.windows(len).any(same),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use flowscope_core::Timestamp;

    use super::*;

    fn check(comparison: Comparison, literal: Literal, values: &[Value<'_>], expected: bool) {
        let test = Test { field: "x".into(), check: Check::Compare(comparison, literal) };
        assert_eq!(test.holds(values.iter().cloned()), expected, "{test}: {values:?}");
    }

    #[test]
    fn each_comparison_is_itself() {
        use Comparison::*;
        let number = |comparison, value: u64, expected| {
            check(comparison, Literal::Number(7), &[Value::U64(value)], expected);
        };
        for (comparison, expected) in [
            (Equal, [false, true, false]),
            (NotEqual, [true, false, true]),
            (Less, [true, false, false]),
            (AtMost, [true, true, false]),
            (Greater, [false, false, true]),
            (AtLeast, [false, true, true]),
        ] {
            (6..9).zip(expected).for_each(|(value, expected)| number(comparison, value, expected));
        }
        let text = |comparison, value: &str, expected| {
            check(
                comparison,
                Literal::Text("name".into()),
                &[Value::from(value.as_bytes())],
                expected,
            );
        };
        for (comparison, holds, does_not) in [
            (Equal, "NAME", "names"),
            (NotEqual, "names", "NAME"),
            (Starts, "name", "nam"),
            (Ends, "name", "ame"),
            (Contains, "name", "nam"),
        ] {
            text(comparison, holds, true);
            text(comparison, does_not, false);
        }
    }

    #[test]
    fn text_without_capitals_is_found_in_any_case() {
        use Comparison::*;
        let text = |literal: &str| Literal::Text(literal.into());
        let host = [Value::from(b"WWW.Example.com".as_slice())];
        check(Equal, text("www.example.com"), &host, true);
        check(Equal, text("WWW.Example.com"), &host, true);
        check(Equal, text("Www.example.com"), &host, false);
        check(NotEqual, text("www.example.com"), &host, false);
        check(Ends, text(".example.COM"), &host, false);
        check(Ends, text(".example.com"), &host, true);
        check(Starts, text("www."), &host, true);
        check(Starts, text("www.example.com.org"), &host, false);
        check(Ends, text("www.www.example.com"), &host, false);
        check(Contains, text("EXAMPLE"), &host, false);
        check(Contains, text("example"), &host, true);
        check(Contains, text(""), &host, true);
        check(Contains, text("é"), &[Value::from("résumé")], true);
        check(Contains, text("a"), &[Value::short("bab")], true);
    }

    #[test]
    fn one_of_several_values_is_enough_and_no_value_never_is() {
        use Comparison::*;
        let ports = [Value::U64(40_000), Value::U64(443)];
        check(Equal, Literal::Number(443), &ports, true);
        check(NotEqual, Literal::Number(443), &ports, false);
        check(NotEqual, Literal::Number(80), &ports, true);
        check(Less, Literal::Number(1024), &ports, true);
        for values in [&[][..], &[Value::Null], &[Value::List(Vec::new())]] {
            for comparison in Comparison::ALL {
                check(comparison, Literal::Number(0), values, false);
            }
        }
        // A value of another type is none.
        check(NotEqual, Literal::Number(80), &["OK".into()], false);
        let nested = Value::List(vec![Value::Object(vec![("a", "b".into()), ("n", 7_u64.into())])]);
        check(Equal, Literal::Number(7), &[nested], true);
        let exists = Test { field: "x".into(), check: Check::Exists };
        assert!(exists.holds([Value::Null, Value::Bool(false)]));
        assert!(!exists.holds([Value::Null, Value::List(Vec::new())]));
    }

    #[test]
    fn values_compare_by_their_types() {
        use Comparison::*;
        let second = [Value::Duration(Duration::from_secs(1))];
        check(Greater, Literal::Duration(Duration::from_millis(10)), &second, true);
        check(AtMost, Literal::Number(1), &second, true);
        check(Less, Literal::Decimal(0.5), &second, false);
        check(AtLeast, Literal::Decimal(6.5), &[Value::U64(7)], true);
        check(Equal, Literal::Number(7), &[Value::F64(7.0)], true);
        check(Less, Literal::Decimal(0.5), &[Value::F64(0.25)], true);
        check(
            Less,
            Literal::Time(Timestamp::from_secs(2)),
            &[Timestamp::from_secs(1).into()],
            true,
        );
        check(Equal, Literal::Bool(true), &[true.into()], true);
        let addr: IpAddr = "10.1.2.3".parse().unwrap();
        check(Equal, Literal::Addr(addr), &[addr.into()], true);
        let within = |net: &str| {
            let literals = vec![Literal::Net(net.parse().unwrap()), Literal::Addr([1; 4].into())];
            Test { field: "x".into(), check: Check::In(literals) }.holds([addr.into()])
        };
        assert!(within("10.0.0.0/8") && !within("10.2.0.0/16"));
    }
}
