//! Typed expressions over the fields of records: which flows and sessions are wanted.
//!
//! [`Fields`] has the names and types, taken from schemas; [`Expr::parse`] reads an expression and checks each name and
//! each comparison against them; a [`Matcher`] says of a record whether the expression holds.
//!
//! ```
//! use flowscope_core::Timestamp;
//! use flowscope_record::{Column, Kind, Record, Schema, Visitor};
//! use flowscope_where::{Expr, Fields, Matcher};
//!
//! struct Ping {
//!     host: &'static str,
//!     bytes: u64,
//! }
//!
//! static PING: Schema<Ping> = Schema {
//!     columns: &[
//!         Column::new("host", Kind::Text, |ping: &Ping| ping.host.into(), "Who was asked."),
//!         Column::new("bytes", Kind::U64, |ping: &Ping| ping.bytes.into(), "Payload in bytes."),
//!     ],
//!     ..Schema::new("ping", |_| Timestamp::ZERO)
//! };
//!
//! impl Record for Ping {
//!     fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
//!         visitor.record(&PING, self)
//!     }
//! }
//!
//! let fields = Fields::new::<()>(&[]).schema(&PING);
//! let expr = Expr::parse("host ends .example && bytes > 1K", &fields)?;
//! let matcher = Matcher::<()>::new(&expr, &[]);
//! assert!(matcher.matches(&(), &Ping { host: "a.example", bytes: 2000 }));
//! assert!(!matcher.matches(&(), &Ping { host: "a.example", bytes: 20 }));
//! # Ok::<(), flowscope_where::WhereError>(())
//! ```
//!
//! # The language
//!
//! | form | holds |
//! |---|---|
//! | `FIELD == VALUE`, `!=` | if the value is the same, or is not |
//! | `FIELD < VALUE`, `<=`, `>`, `>=` | for numbers, spans of time, points in time |
//! | `FIELD contains TEXT`, `starts`, `ends` | for text |
//! | `FIELD in {VALUE, VALUE}` | if the value is one of these; an address also if it is in one of these networks |
//! | `FIELD in 10.0.0.0/8` | if the address is in the network |
//! | `exists FIELD` | if the record has a value |
//! | `FIELD` | if a flag is set |
//! | `! A`, `A && B`, `A \|\| B`, `( )`; `not`, `and`, `or` | put together; `!` binds tightest, then `&&` |
//!
//! Values are numbers (`443`, `1.5M`: `K`, `M`, `G` and `T` are powers of 1000), spans of time (`10ms`, `2s`, `5m`, `1h`,
//! `3d`; a plain number is seconds), points in time in UTC (`2026-01-02`, `2026-01-02T03:04:05.5Z`), addresses, networks,
//! `true` and `false`, and text, in quotes where it has spaces or one of `()<>=!&|{},"'`. In double quotes, `\"`, `\\`,
//! `\n`, `\r`, `\t` and `\u{..}` are characters. Text without capital letters is found in any case, text with capital
//! letters as it is (ASCII).
//!
//! A comparison with a field that a record does not have is false, `!=` too; `!(FIELD == VALUE)` holds then. A
//! field with several values (a list, or `port` for `src_port` and `dest_port`) compares as true if one of the values
//! does; with `!=`, if none of them is equal.
//!
//! An expression has at most [`MAX_LEN`] bytes and [`MAX_DEPTH`] parentheses and negations within each other.

mod error;
mod expr;
mod fields;
mod hint;
mod lex;
mod literal;
mod matcher;
mod net;
mod parse;
mod test;

pub use error::WhereError;
pub use expr::{Check, Comparison, Expr, Test};
pub use fields::Fields;
pub use literal::Literal;
pub use matcher::Matcher;
pub use net::Net;
pub use parse::{MAX_DEPTH, MAX_LEN};
