use std::fmt;

use crate::Literal;

/// An expression. It prints as text that [parses](Expr::parse) to the same expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All of them hold; at least two.
    And(Vec<Expr>),
    /// One of them holds; at least two.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// What is asked of one field.
    Test(Test),
}

/// What is asked of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The name of the field, as it was written.
    pub field: String,
    /// What is asked.
    pub check: Check,
}

/// What may be asked of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Check {
    /// Whether it has a value.
    Exists,
    /// How it compares with a value.
    Compare(Comparison, Literal),
    /// Whether it is one of these values, or in one of these networks.
    In(Vec<Literal>),
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `contains`
    Contains,
    /// `starts`
    Starts,
    /// `ends`
    Ends,
}

impl Comparison {
    /// All of them.
    pub(crate) const ALL: [Comparison; 9] = [
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Less,
        Comparison::AtMost,
        Comparison::Greater,
        Comparison::AtLeast,
        Comparison::Contains,
        Comparison::Starts,
        Comparison::Ends,
    ];

    /// The operator.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Comparison::Equal => "==",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::AtMost => "<=",
            Comparison::Greater => ">",
            Comparison::AtLeast => ">=",
            Comparison::Contains => "contains",
            Comparison::Starts => "starts",
            Comparison::Ends => "ends",
        }
    }
}

impl Expr {
    /// What is asked of single fields, in the order of the text.
    #[must_use]
    pub fn tests(&self) -> Vec<&Test> {
        let mut tests = Vec::new();
        self.collect(&mut tests);
        tests
    }

    fn collect<'a>(&'a self, tests: &mut Vec<&'a Test>) {
        match self {
            Expr::And(parts) | Expr::Or(parts) => {
                parts.iter().for_each(|part| part.collect(tests));
            }
            Expr::Not(inner) => inner.collect(tests),
            Expr::Test(test) => tests.push(test),
        }
    }

    /// Prints it as a part of another one.
    fn inner(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::And(_) | Expr::Or(_) => write!(f, "({self})"),
            Expr::Not(_) | Expr::Test(_) => write!(f, "{self}"),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, between) = match self {
            Expr::And(parts) => (parts, " && "),
            Expr::Or(parts) => (parts, " || "),
            Expr::Not(inner) => {
                f.write_str("!")?;
                return inner.inner(f);
            }
            Expr::Test(test) => return write!(f, "{test}"),
        };
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                f.write_str(between)?;
            }
            part.inner(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = &self.field;
        match &self.check {
            Check::Exists => write!(f, "exists {field}"),
            Check::Compare(comparison, literal) => {
                write!(f, "{field} {} {literal}", comparison.as_str())
            }
            Check::In(literals) => {
                write!(f, "{field} in {{")?;
                for (at, literal) in literals.iter().enumerate() {
                    let comma = if at > 0 { ", " } else { "" };
                    write!(f, "{comma}{literal}")?;
                }
                f.write_str("}")
            }
        }
    }
}
