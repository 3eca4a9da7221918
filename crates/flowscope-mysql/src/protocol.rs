use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::MYSQL;
use crate::{MysqlParser, MysqlStart};

/// MySQL and MariaDB: the start of connections over TCP.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Mysql;

impl Protocol for Mysql {
    const NAME: &'static str = "mysql";
    const RECORDS: &'static str = "one per connection: its start, up to encryption or acceptance";
    const PORTS: Ports = Ports::tcp(&[3306]);
    /// Lengths of greetings with usual versions, without the letters that requests of HTTP begin with.
    const FIRST_BYTES: ByteSet = ByteSet::of(b"IJKLMNQUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");
    const CARRIES: bool = true;
    type Stream = MysqlParser;
    type Datagram = NoParser<MysqlStart>;
    type Record = MysqlStart;
    const SCHEMA: &'static Schema<MysqlStart> = &MYSQL;
}
