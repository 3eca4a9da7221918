use flowscope_core::ParseError;
use flowscope_core::ParserStatus::{Continue, Done, Failed};

use super::*;

/// Feeds turns, `>` of the client and `<` of the server, one second apart.
fn play(parser: &mut RedisParser, turns: &[&str]) -> (Vec<RedisExchange>, ParserStatus) {
    let mut out = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        let side = if turn.starts_with('>') { Initiator } else { Responder };
        let ts = Timestamp::from_secs(at as u64);
        let status =
            parser.feed_into(StreamChunk::new(side, ts, 0, &turn.as_bytes()[1..]), &mut out);
        if status != Continue {
            return (out, status);
        }
    }
    (out, Continue)
}

/// Command, key and type of the reply.
fn summaries(exchanges: &[RedisExchange]) -> Vec<String> {
    let text = |bytes: &Option<Vec<u8>>| {
        String::from_utf8_lossy(bytes.as_deref().unwrap_or(b"-")).into_owned()
    };
    let summaries = |x: &RedisExchange| {
        let reply = x.reply.as_ref().map_or("-", |reply| reply.kind.as_str());
        format!("{} {} {reply}", text(&x.command), text(&x.key))
    };
    exchanges.iter().map(summaries).collect()
}

fn check(turns: &[&str], expected: &[&str]) {
    let mut parser = RedisParser::default();
    let (mut out, status) = play(&mut parser, turns);
    parser.end(&mut out);
    assert_eq!(
        (summaries(&out), status),
        (expected.iter().map(|&it| it.into()).collect(), Continue)
    );
}

#[test]
fn replies_come_in_the_order_of_commands() {
    check(
        &[
            ">GET a\r\nINCR b\r\nLRANGE c 0 9\r\nGET d\r\n",
            "<$-1\r\n:5\r\n*3\r\n*1\r\n$1\r\nx\r\n$2\r\n\r\n\r\n_\r\n-ERR no\r\n",
            ">GET e\r\n",
        ],
        &["GET a null", "INCR b integer", "LRANGE c array", "GET d error", "GET e -"],
    );
}

#[test]
fn every_type_of_resp3_is_a_reply() {
    let replies = [
        ("+OK\r\n", "status"),
        ("-ERR\r\n", "error"),
        ("!5\r\nERR x\r\n", "error"),
        ("$2\r\nab\r\n", "string"),
        ("=5\r\ntxt:a\r\n", "string"),
        ("*-1\r\n", "null"),
        (",1.5\r\n", "double"),
        ("#t\r\n", "boolean"),
        ("(123\r\n", "big_number"),
        ("%1\r\n+a\r\n*2\r\n:1\r\n:2\r\n", "map"),
        ("~2\r\n:1\r\n%1\r\n:2\r\n:3\r\n", "set"),
        ("*0\r\n", "array"),
        ("|1\r\n+ttl\r\n*1\r\n:3\r\n*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n", "array"),
    ];
    let all: String = replies.iter().map(|(text, _)| *text).collect();
    let turns = [format!(">{}", "PING\r\n".repeat(replies.len())), format!("<{all}")];
    let (out, _) = play(&mut RedisParser::default(), &[&turns[0], &turns[1]]);
    let expected: Vec<_> = replies.iter().map(|(_, kind)| format!("PING - {kind}")).collect();
    assert_eq!(summaries(&out), expected);
    let bytes: u64 = out.iter().filter_map(|x| x.reply.as_ref()).map(|reply| reply.bytes).sum();
    assert_eq!(bytes, all.len() as u64);
    assert_eq!(out[2].reply.as_ref().unwrap().error.as_deref(), Some(&b"ERR x"[..]));
    assert_eq!(out[12].reply.as_ref().unwrap().elements, Some(2));
}

#[test]
fn subscriptions_have_a_confirmation_for_each_channel() {
    let confirmed = |kind: &str, mark: char| {
        format!(
            "<{mark}3\r\n$9\r\n{kind}\r\n$1\r\na\r\n:1\r\n{mark}3\r\n$9\r\n{kind}\r\n$1\r\nb\r\n:2\r\n"
        )
    };
    let message = |mark: char| format!("{mark}3\r\n$7\r\nmessage\r\n$1\r\nb\r\n$5\r\nhello\r\n");
    check(
        &[
            ">SUBSCRIBE a b\r\n",
            &confirmed("subscribe", '*'),
            &format!("<{}", message('*')),
            ">PING\r\n",
            "<*4\r\n$8\r\npmessage\r\n$2\r\n*x\r\n$2\r\nax\r\n$1\r\n1\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n",
            ">UNSUBSCRIBE\r\n",
            "<*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n",
            ">PING\r\n",
            "<+PONG\r\n",
        ],
        &[
            "SUBSCRIBE a array",
            "- b push",
            "- ax push",
            "PING - array",
            "UNSUBSCRIBE - array",
            "PING - status",
        ],
    );
    // In RESP3 an array is a reply, whatever it says.
    check(
        &[
            ">HELLO 3\r\n",
            "<%0\r\n",
            ">SUBSCRIBE a b\r\nLRANGE l 0 2\r\n",
            &confirmed("subscribe", '>'),
            &format!("<{}{}", message('>'), message('*')),
            "<>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
        ],
        &["HELLO - map", "SUBSCRIBE a push", "- b push", "LRANGE l array", "- - push"],
    );
}

/// An array, or a push, of these strings; numbers are integers, and `-` is null.
fn array(mark: char, words: &[&str]) -> String {
    let value = |word: &&str| match *word {
        "-" => "$-1\r\n".to_owned(),
        word if word.parse::<u64>().is_ok() => format!(":{word}\r\n"),
        word => format!("${}\r\n{word}\r\n", word.len()),
    };
    format!("{mark}{}\r\n{}", words.len(), words.iter().map(value).collect::<String>())
}

/// A turn of the server with these arrays.
fn arrays(all: &[&[&str]]) -> String {
    let all = all.iter().map(|words| array('*', words));
    format!("<{}", all.collect::<String>())
}

#[test]
fn arrays_are_replies_once_there_are_no_subscriptions() {
    check(
        &[
            ">SUBSCRIBE ch\r\nPSUBSCRIBE p*\r\n",
            &arrays(&[
                &["subscribe", "ch", "1"],
                &["psubscribe", "p*", "2"],
                &["message", "ch", "x"],
            ]),
            ">UNSUBSCRIBE ch\r\n",
            // A subscription to a pattern is left.
            &arrays(&[&["unsubscribe", "ch", "1"], &["pmessage", "p*", "px", "y"]]),
            ">PUNSUBSCRIBE\r\nLRANGE list 0 -1\r\nGET k\r\nINCR n\r\n",
            &arrays(&[&["punsubscribe", "p*", "0"], &["message", "x", "y"]]),
            "<$-1\r\n:7\r\n",
        ],
        &[
            "SUBSCRIBE ch array",
            "PSUBSCRIBE p* array",
            "- ch push",
            "UNSUBSCRIBE ch array",
            "- px push",
            "PUNSUBSCRIBE - array",
            "LRANGE list array",
            "GET k null",
            "INCR n integer",
        ],
    );
}

#[test]
fn a_push_in_an_array_has_the_form_of_one() {
    let replies: [&[&str]; 4] = [
        &["message", "a"],
        &["message", "a", "7"],
        &["pmessage", "p*", "a"],
        &["message", "a", "x", "y"],
    ];
    for words in replies {
        check(
            &[
                ">SUBSCRIBE a\r\nPING\r\n",
                &arrays(&[&["subscribe", "a", "1"], words]),
                "<*3\r\n$8\r\nsmessage\r\n$1\r\ns\r\n$1\r\n1\r\n",
            ],
            &["SUBSCRIBE a array", "PING - array", "- s push"],
        );
    }
    let nested = "<*3\r\n$7\r\nmessage\r\n$1\r\na\r\n*1\r\n$1\r\nx\r\n";
    check(
        &[">SUBSCRIBE a\r\nPING\r\n", &arrays(&[&["subscribe", "a", "1"]]), nested],
        &["SUBSCRIBE a array", "PING - array"],
    );
}

#[test]
fn a_command_that_ends_all_subscriptions_has_a_confirmation_for_each() {
    check(
        &[
            ">SUBSCRIBE a b c\r\n",
            &arrays(&[
                &["subscribe", "a", "1"],
                &["subscribe", "b", "2"],
                &["subscribe", "c", "3"],
            ]),
            ">UNSUBSCRIBE\r\nSUBSCRIBE x y\r\nPING\r\n",
            &arrays(&[&["unsubscribe", "a", "2"], &["unsubscribe", "b", "1"]]),
            &arrays(&[&["unsubscribe", "c", "0"]]),
            "<-NOPERM no channel\r\n+PONG\r\n",
        ],
        &["SUBSCRIBE a array", "UNSUBSCRIBE - array", "SUBSCRIBE x error", "PING - status"],
    );
    // Each of its kind; what is left is of others.
    check(
        &[
            ">SUBSCRIBE a b\r\nPSUBSCRIBE p*\r\nSSUBSCRIBE s\r\n",
            &arrays(&[&["subscribe", "a", "1"], &["subscribe", "b", "2"]]),
            &arrays(&[&["psubscribe", "p*", "3"], &["ssubscribe", "s", "1"]]),
            ">UNSUBSCRIBE\r\nUNSUBSCRIBE\r\nUNSUBSCRIBE z\r\nPING\r\nSUNSUBSCRIBE\r\nPUNSUBSCRIBE\r\nPING\r\n",
            &arrays(&[&["unsubscribe", "b", "2"], &["unsubscribe", "a", "1"]]),
            &arrays(&[&["unsubscribe", "-", "1"], &["unsubscribe", "z", "1"], &["pong", ""]]),
            &arrays(&[&["sunsubscribe", "s", "0"], &["punsubscribe", "p*", "0"]]),
            "<+PONG\r\n",
        ],
        &[
            "SUBSCRIBE a array",
            "PSUBSCRIBE p* array",
            "SSUBSCRIBE s array",
            "UNSUBSCRIBE - array",
            "UNSUBSCRIBE - array",
            "UNSUBSCRIBE z array",
            "PING - array",
            "SUNSUBSCRIBE - array",
            "PUNSUBSCRIBE - array",
            "PING - status",
        ],
    );
    // Subscriptions that were not captured: something else is of the next command.
    check(
        &[
            ">UNSUBSCRIBE\r\nPING\r\n",
            &arrays(&[&["unsubscribe", "a", "2"], &["unsubscribe", "b", "1"], &["pong", ""]]),
        ],
        &["UNSUBSCRIBE - array", "PING - array"],
    );
}

#[test]
fn subscriptions_in_a_transaction_are_queued() {
    check(
        &[
            ">MULTI\r\nSUBSCRIBE a b\r\nEXEC\r\nPING\r\nRESET\r\nLRANGE list 0 -1\r\n",
            "<+OK\r\n+QUEUED\r\n*1\r\n",
            &arrays(&[&["subscribe", "a", "1"], &["subscribe", "b", "2"], &["message", "a", "x"]]),
            &arrays(&[&["pong", ""]]),
            "<+RESET\r\n",
            &arrays(&[&["message", "x", "y"]]),
        ],
        &[
            "MULTI - status",
            "SUBSCRIBE a status",
            "EXEC - array",
            "- a push",
            "PING - array",
            "RESET - status",
            "LRANGE list array",
        ],
    );
}

#[test]
fn what_no_command_has_asked_for_confirms_none() {
    // A shard moves to another node.
    check(
        &[
            ">SSUBSCRIBE s\r\n",
            &arrays(&[&["ssubscribe", "s", "1"]]),
            ">SUBSCRIBE a\r\n",
            &arrays(&[&["sunsubscribe", "s", "0"], &["subscribe", "a", "1"]]),
        ],
        &["SSUBSCRIBE s array", "SUBSCRIBE a array"],
    );
    // Strings and an integer are a reply, where there are no subscriptions.
    check(
        &[">EVAL x 0\r\nGET k\r\n", &arrays(&[&["subscribe", "a", "1"]]), "<$-1\r\n"],
        &["EVAL - array", "GET k null"],
    );
}

#[test]
fn replies_may_be_switched_off() {
    check(
        &[
            ">CLIENT REPLY SKIP\r\nSET a 1\r\nGET a\r\nCLIENT REPLY OFF\r\nSET b 1\r\nCLIENT REPLY ON\r\nGET b\r\n",
            "<$1\r\n1\r\n+OK\r\n$1\r\n2\r\n",
        ],
        &[
            "CLIENT REPLY - -",
            "SET a -",
            "CLIENT REPLY - -",
            "SET b -",
            "GET a string",
            "CLIENT REPLY - status",
            "GET b string",
        ],
    );
}

#[test]
fn skipping_has_no_effect_while_replies_are_off_and_ends_with_them_on() {
    check(
        &[
            ">CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nGET k\r\nPING\r\n",
            "<+OK\r\n$-1\r\n+PONG\r\n",
            ">CLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING\r\n",
            "<+OK\r\n+PONG\r\n",
            ">CLIENT REPLY OFF\r\nPING\r\nRESET\r\nGET k\r\n",
            "<+RESET\r\n$-1\r\n",
        ],
        &[
            "CLIENT REPLY - -",
            "CLIENT REPLY - -",
            "CLIENT REPLY - status",
            "GET k null",
            "PING - status",
            "CLIENT REPLY - -",
            "CLIENT REPLY - status",
            "PING - status",
            "CLIENT REPLY - -",
            "PING - -",
            "RESET - status",
            "GET k null",
        ],
    );
}

#[test]
fn confirmations_come_while_replies_are_off() {
    check(
        &[
            ">CLIENT REPLY SKIP\r\nSUBSCRIBE a b\r\nPING\r\n",
            &arrays(&[&["subscribe", "a", "1"], &["subscribe", "b", "2"], &["pong", ""]]),
            &arrays(&[&["message", "b", "x"]]),
        ],
        &["CLIENT REPLY - -", "SUBSCRIBE a -", "PING - array", "- b push"],
    );
}

#[test]
fn what_the_server_repeats_of_a_command_is_no_error_text() {
    let (out, _) = play(
        &mut RedisParser::default(),
        &[
            ">AUHT sesame\r\n",
            "<-ERR unknown command 'AUHT', with args beginning with: 'sesame' \r\n",
            ">AUTH sesame\r\n",
            "<-WRONGPASS invalid username-password pair or user is disabled.\r\n",
        ],
    );
    assert_eq!(
        out[0].reply.as_ref().unwrap().error.as_deref(),
        Some(&b"ERR unknown command 'AUHT'"[..])
    );
    let secret = format!("{:?}", b"sesame");
    assert!(!format!("{out:?}").contains(secret.trim_matches(['[', ']'])));
}

#[test]
fn many_open_commands_are_bounded_and_replies_still_find_theirs() {
    let mut parser = RedisParser::default();
    let commands: String = (0..300).map(|at| format!("GET k{at}\r\n")).collect();
    let mut out = parser.feed_initiator(commands.as_bytes());
    assert_eq!(out.len(), 300 - MAX_OPEN);
    let replies: String = (0..300).map(|at| format!(":{at}\r\n")).collect();
    out.extend(parser.feed_responder(replies.as_bytes()));
    assert_eq!(out.len(), 300);
    assert_eq!(out[44].key.as_deref(), Some(&b"k44"[..]));
    // ":44" and what ends it.
    assert_eq!(out[44].reply.as_ref().unwrap().bytes, 5);
    assert_eq!((out[43].reply.as_ref(), out[144].reply.as_ref().unwrap().bytes), (None, 6));
}

#[test]
fn a_gap_within_a_value_is_passed_over() {
    let mut parser = RedisParser::default();
    let mut out = Vec::new();
    parser.feed_initiator(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4000000000\r\nxx");
    assert_eq!(parser.gap(Initiator, 3_999_999_997, &mut out), Continue);
    parser.feed_initiator(b"x\r\nGET k\r\n");
    parser.feed_responder(b"+OK\r\n$100\r\n");
    assert_eq!(parser.gap(Responder, 99, &mut out), Continue);
    out.extend(parser.feed_responder(b"x\r\n"));
    assert_eq!(summaries(&out), ["GET k string"]);
    assert_eq!(parser.gap(Responder, 1, &mut out), Done);
}

#[test]
fn what_ends_parsing() {
    let ends = |turns: &[&str]| play(&mut RedisParser::default(), turns).1;
    assert_eq!(ends(&[">MONITOR\r\n", "<+OK\r\n"]), Done);
    assert_eq!(ends(&[">PSYNC ? -1\r\n", "<-ERR\r\n"]), Continue);
    let failed = |field| Failed(ParseError::InvalidField(field));
    assert_eq!(ends(&["<SSH-2.0\r\n"]), failed("RESP data type"));
    assert_eq!(ends(&["<*5x\r\n"]), failed("RESP length"));
    assert_eq!(ends(&[">\u{16}\u{3}\r\n"]), failed("command"));
}
