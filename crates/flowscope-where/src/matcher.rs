use std::any::Any;
use std::fmt;
use std::sync::Arc;

use flowscope_record::{Column, FieldSource, Record, Schema, Visitor};

use crate::{Expr, Test};

/// Says whether an expression holds for records, whatever their schemas, that go with a header of type `H`.
///
/// Copies share what was prepared.
pub struct Matcher<H: 'static> {
    root: Arc<Node>,
    tests: Arc<[Test]>,
    header: Arc<[&'static [Column<H>]]>,
    /// The address of a schema, and the sources of each test's field in its records.
    bound: Vec<(usize, Arc<dyn Any + Send + Sync>)>,
}

/// An expression whose tests have numbers, in the order of the text.
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(usize),
}

/// Where the values of the fields come from: for each test its sources.
type Sources<R, H> = Vec<Vec<FieldSource<R, H>>>;

impl<H> Matcher<H> {
    /// For records with the columns of this header around their own.
    #[must_use]
    pub fn new(expr: &Expr, header: &[&'static [Column<H>]]) -> Self {
        let tests: Arc<[Test]> = expr.tests().into_iter().cloned().collect();
        let mut number = 0;
        let root = Arc::new(Node::of(expr, &mut number));
        Matcher { root, tests, header: header.into(), bound: Vec::new() }
    }

    /// Looks the fields up in a schema once, instead of for each of its records.
    pub fn bind<R>(&mut self, schema: &'static Schema<R>) {
        self.bound.push((address(schema), Arc::new(self.sources(schema))));
    }

    /// What is asked of single fields, in the order of the text.
    #[must_use]
    pub fn tests(&self) -> &[Test] {
        &self.tests
    }

    /// Whether the expression holds for a record.
    pub fn matches(&self, header: &H, record: &impl Record) -> bool {
        self.holds(|number| self.test(number, header, record))
    }

    /// Whether the expression holds if this is so of the [tests](Self::tests), by their numbers.
    pub fn holds(&self, mut test: impl FnMut(usize) -> bool) -> bool {
        self.root.holds(&mut test)
    }

    /// Whether the test of this number holds for a record. One that does not exist does not.
    pub fn test(&self, number: usize, header: &H, record: &impl Record) -> bool {
        record.visit(One { matcher: self, number, header })
    }

    fn sources<R>(&self, schema: &Schema<R>) -> Sources<R, H> {
        self.tests.iter().map(|test| schema.field(&self.header, &test.field)).collect()
    }
}

impl Node {
    fn of(expr: &Expr, number: &mut usize) -> Self {
        match expr {
            Expr::And(parts) => {
                Node::All(parts.iter().map(|part| Node::of(part, number)).collect())
            }
            Expr::Or(parts) => Node::Any(parts.iter().map(|part| Node::of(part, number)).collect()),
            Expr::Not(inner) => Node::Not(Box::new(Node::of(inner, number))),
            Expr::Test(_) => {
                *number += 1;
                Node::Test(*number - 1)
            }
        }
    }

    fn holds(&self, test: &mut impl FnMut(usize) -> bool) -> bool {
        match self {
            Node::All(parts) => parts.iter().all(|part| part.holds(test)),
            Node::Any(parts) => parts.iter().any(|part| part.holds(test)),
            Node::Not(inner) => !inner.holds(test),
            Node::Test(number) => test(*number),
        }
    }
}

fn address<R>(schema: &'static Schema<R>) -> usize {
    std::ptr::from_ref(schema).addr()
}

/// One test of a record.
struct One<'a, H: 'static> {
    matcher: &'a Matcher<H>,
    number: usize,
    header: &'a H,
}

impl<H> Visitor for One<'_, H> {
    type Output = bool;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> bool {
        let One { matcher, number, header } = self;
        let Some(test) = matcher.tests.get(number) else { return false };
        let holds = |sources: &[FieldSource<R, H>]| {
            test.holds(sources.iter().map(|source| source.value(schema, header, record)))
        };
        let bound = matcher.bound.iter().find(|(of, _)| *of == address(schema));
        match bound.and_then(|(_, sources)| sources.downcast_ref::<Sources<R, H>>()) {
            Some(sources) => holds(&sources[number]),
            None => holds(&schema.field(&matcher.header, &test.field)),
        }
    }
}

impl<H> Clone for Matcher<H> {
    fn clone(&self) -> Self {
        Matcher {
            root: Arc::clone(&self.root),
            tests: Arc::clone(&self.tests),
            header: Arc::clone(&self.header),
            bound: self.bound.clone(),
        }
    }
}

impl<H> fmt::Debug for Matcher<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").field("tests", &self.tests).finish_non_exhaustive()
    }
}
