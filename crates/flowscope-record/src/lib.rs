//! Record schemas: the columns of a record, described once for every output format.
//!
//! A [`Protocol`] names its ports, its parsers and the [`Schema`] of its records. A schema lists
//! [`Column`]s: name, type, getter, and how EVE JSON, Zeek logs and tables show the value. Writers,
//! column stores and generated documentation are derived from it; none of them names a protocol.
//!
//! Schemas are static data with function pointers: no macros, no reflection.
//!
//! ```
//! use flowscope_core::Timestamp;
//! use flowscope_record::{Column, Kind, Schema, Value, ZeekType};
//!
//! struct Ping {
//!     ts: Timestamp,
//!     sequence: u16,
//! }
//!
//! static PING: Schema<Ping> = Schema {
//!     columns: &[
//!         Column::new("sequence", Kind::U64, |ping: &Ping| ping.sequence.into(), "Sequence number.")
//!             .eve("ping.seq")
//!             .zeek(0, "seq", ZeekType::Count),
//!     ],
//!     ..Schema::new("ping", |ping: &Ping| ping.ts)
//! };
//!
//! let ping = Ping { ts: Timestamp::ZERO, sequence: 7 };
//! assert_eq!((PING.columns[0].get)(&ping), Value::U64(7));
//! ```

mod byte_set;
mod column;
mod decimal;
mod field;
mod protocol;
mod record;
mod schema;
mod short;
mod text;
mod value;

pub use byte_set::ByteSet;
pub use column::{Column, Eve, Kind, Table, Zeek, ZeekType};
pub use decimal::digit_pair;
pub use field::{FieldSource, find as find_field};
pub use protocol::{NoParser, ParserOptions, Ports, Protocol};
pub use record::{AnySchema, ColumnInfo, Record, Visitor};
pub use schema::{Rows, Schema, ZeekService};
pub use short::Short;
pub use text::{amount, span, wire_text};
pub use value::Value;
