use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::POSTGRESQL;
use crate::{PostgresqlParser, PostgresqlStart};

/// PostgreSQL: the start of connections over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Postgresql;

impl Protocol for Postgresql {
    const NAME: &'static str = "postgresql";
    const RECORDS: &'static str = "one per connection: its start, up to encryption or readiness";
    const PORTS: Ports = Ports::tcp(&[5432]);
    const FIRST_BYTES: ByteSet = ByteSet::of(b"\0");
    const CARRIES: bool = true;
    type Stream = PostgresqlParser;
    type Datagram = NoParser<PostgresqlStart>;
    type Record = PostgresqlStart;
    const SCHEMA: &'static Schema<PostgresqlStart> = &POSTGRESQL;
}
