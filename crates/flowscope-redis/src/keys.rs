//! Commands whose arguments are known: what is not listed may be a misspelt `AUTH` with a password behind it.

use flowscope_lines::begins_command;

/// Commands whose first argument is a key, a channel or a pattern; in order.
#[rustfmt::skip]
const KEYED: [&[u8]; 167] = [
    b"APPEND", b"BITCOUNT", b"BITFIELD", b"BITFIELD_RO", b"BITPOS", b"BLMOVE", b"BLPOP", b"BRPOP",
    b"BRPOPLPUSH", b"BZPOPMAX", b"BZPOPMIN", b"COPY", b"DECR", b"DECRBY", b"DEL", b"DUMP",
    b"EXISTS", b"EXPIRE", b"EXPIREAT", b"EXPIRETIME", b"GEOADD", b"GEODIST", b"GEOHASH", b"GEOPOS",
    b"GEORADIUS", b"GEORADIUSBYMEMBER", b"GEORADIUSBYMEMBER_RO", b"GEORADIUS_RO", b"GEOSEARCH",
    b"GEOSEARCHSTORE", b"GET", b"GETBIT", b"GETDEL", b"GETEX", b"GETRANGE", b"GETSET", b"HDEL",
    b"HEXISTS", b"HEXPIRE", b"HGET", b"HGETALL", b"HINCRBY", b"HINCRBYFLOAT", b"HKEYS", b"HLEN",
    b"HMGET", b"HMSET", b"HPERSIST", b"HPEXPIRE", b"HRANDFIELD", b"HSCAN", b"HSET", b"HSETNX",
    b"HSTRLEN", b"HTTL", b"HVALS", b"INCR", b"INCRBY", b"INCRBYFLOAT", b"LINDEX", b"LINSERT",
    b"LLEN", b"LMOVE", b"LPOP", b"LPOS", b"LPUSH", b"LPUSHX", b"LRANGE", b"LREM", b"LSET", b"LTRIM",
    b"MGET", b"MOVE", b"MSET", b"MSETNX", b"PERSIST", b"PEXPIRE", b"PEXPIREAT", b"PEXPIRETIME",
    b"PFADD", b"PFCOUNT", b"PFMERGE", b"PSETEX", b"PSUBSCRIBE", b"PTTL", b"PUBLISH",
    b"PUNSUBSCRIBE", b"RENAME", b"RENAMENX", b"RESTORE", b"RPOP", b"RPOPLPUSH", b"RPUSH", b"RPUSHX",
    b"SADD", b"SCARD", b"SDIFF", b"SDIFFSTORE", b"SET", b"SETBIT", b"SETEX", b"SETNX", b"SETRANGE",
    b"SINTER", b"SINTERSTORE", b"SISMEMBER", b"SMEMBERS", b"SMISMEMBER", b"SMOVE", b"SORT",
    b"SORT_RO", b"SPOP", b"SPUBLISH", b"SRANDMEMBER", b"SREM", b"SSCAN", b"SSUBSCRIBE", b"STRLEN",
    b"SUBSCRIBE", b"SUBSTR", b"SUNION", b"SUNIONSTORE", b"SUNSUBSCRIBE", b"TOUCH", b"TTL", b"TYPE",
    b"UNLINK", b"UNSUBSCRIBE", b"WATCH", b"XACK", b"XADD", b"XAUTOCLAIM", b"XCLAIM", b"XDEL",
    b"XLEN", b"XPENDING", b"XRANGE", b"XREVRANGE", b"XSETID", b"XTRIM", b"ZADD", b"ZCARD",
    b"ZCOUNT", b"ZDIFFSTORE", b"ZINCRBY", b"ZINTERSTORE", b"ZLEXCOUNT", b"ZMSCORE", b"ZPOPMAX",
    b"ZPOPMIN", b"ZRANDMEMBER", b"ZRANGE", b"ZRANGEBYLEX", b"ZRANGEBYSCORE", b"ZRANGESTORE",
    b"ZRANK", b"ZREM", b"ZREMRANGEBYLEX", b"ZREMRANGEBYRANK", b"ZREMRANGEBYSCORE", b"ZREVRANGE",
    b"ZREVRANGEBYLEX", b"ZREVRANGEBYSCORE", b"ZREVRANK", b"ZSCAN", b"ZSCORE", b"ZUNIONSTORE",
];

/// Other commands, without arguments or with such that are not kept; without `HELLO`, which clients send as an array
/// and people as a greeting.
#[rustfmt::skip]
const OTHERS: [&[u8]; 56] = [
    b"ASKING", b"AUTH", b"BGREWRITEAOF", b"BGSAVE", b"BLMPOP", b"BZMPOP", b"DBSIZE", b"DISCARD",
    b"ECHO", b"EVAL", b"EVALSHA", b"EVALSHA_RO", b"EVAL_RO", b"EXEC", b"FAILOVER", b"FCALL",
    b"FCALL_RO", b"FLUSHALL", b"FLUSHDB", b"INFO", b"KEYS", b"LASTSAVE", b"LCS", b"LMPOP",
    b"LOLWUT", b"MIGRATE", b"MONITOR", b"MULTI", b"PING", b"PSYNC", b"QUIT", b"RANDOMKEY",
    b"READONLY", b"READWRITE", b"REPLCONF", b"REPLICAOF", b"RESET", b"ROLE", b"SAVE", b"SCAN",
    b"SELECT", b"SHUTDOWN", b"SINTERCARD", b"SLAVEOF", b"SWAPDB", b"SYNC", b"TIME", b"UNWATCH",
    b"WAIT", b"XREAD", b"XREADGROUP", b"ZDIFF", b"ZINTER", b"ZINTERCARD", b"ZMPOP", b"ZUNION",
];

/// Commands with subcommands; in order.
const CONTAINERS: [&[u8]; 17] = [
    b"ACL",
    b"CLIENT",
    b"CLUSTER",
    b"COMMAND",
    b"CONFIG",
    b"DEBUG",
    b"FUNCTION",
    b"LATENCY",
    b"MEMORY",
    b"MODULE",
    b"OBJECT",
    b"PUBSUB",
    b"SCRIPT",
    b"SENTINEL",
    b"SLOWLOG",
    b"XGROUP",
    b"XINFO",
];

/// Of these, whose second argument is a key.
const KEYED_CONTAINERS: [&[u8]; 4] = [b"MEMORY", b"OBJECT", b"XGROUP", b"XINFO"];

/// Whether these first bytes may begin a command that is a line.
pub(crate) fn begins_line(start: &[u8]) -> bool {
    [&KEYED[..], &CONTAINERS, &OTHERS].iter().any(|known| begins_command(start, known))
}

/// Whether the first argument of a command is a subcommand.
pub(crate) fn has_subcommands(command: &[u8]) -> bool {
    CONTAINERS.binary_search(&command).is_ok()
}

/// Which argument of a command is a key, from 1.
pub(crate) fn key_of(command: &[u8]) -> Option<usize> {
    if KEYED.binary_search(&command).is_ok() {
        Some(1)
    } else if KEYED_CONTAINERS.contains(&command) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_in_order() {
        assert!(KEYED.is_sorted() && CONTAINERS.is_sorted());
        assert!(KEYED.iter().all(|command| !has_subcommands(command)));
        assert!(OTHERS.is_sorted());
        assert!(OTHERS.iter().all(|other| key_of(other).is_none() && !has_subcommands(other)));
    }

    #[test]
    fn keys_are_known_commands_arguments() {
        assert_eq!((key_of(b"GET"), key_of(b"OBJECT"), key_of(b"AUTH")), (Some(1), Some(2), None));
        for secret in [&b"HELLO"[..], b"AUHT", b"CONFIG", b"ACL", b"MIGRATE", b"EVAL"] {
            assert_eq!(key_of(secret), None);
        }
    }
}
