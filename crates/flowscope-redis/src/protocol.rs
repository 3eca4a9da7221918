use flowscope_record::{ByteSet, NoParser, Ports, Protocol, Schema};

use crate::schema::REDIS;
use crate::{RedisExchange, RedisParser};

/// Redis over TCP: RESP2 and RESP3.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Redis;

impl Protocol for Redis {
    const NAME: &'static str = "redis";
    const RECORDS: &'static str =
        "one per command with its reply, and one per message that the server pushes";
    const PORTS: Ports = Ports::tcp(&[6379]);
    /// Of arrays.
    const FIRST_BYTES: ByteSet = ByteSet::of(b"*");
    type Stream = RedisParser;
    type Datagram = NoParser<RedisExchange>;
    type Record = RedisExchange;
    const SCHEMA: &'static Schema<RedisExchange> = &REDIS;
}
