//! What holds for every conversation, whole, cut, holed or damaged.

mod common;

use std::collections::{HashMap, HashSet};

use common::Talk;
use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::SessionParser;
use flowscope_http::{
    Bodies, HttpConfig, HttpExchange, HttpExchanges, HttpMessage, HttpOutcome, HttpParser,
};
use flowscope_testkit::{Rng, pieces};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Op {
    Bytes(FlowSide, Vec<u8>),
    Gap(FlowSide, u64),
    Fin(FlowSide),
}

/// Requests and responses, each pair with a number of its own in a `Tag` field. Requests are sent
/// ahead of responses as often as not.
fn conversation(rng: &mut Rng) -> Vec<Op> {
    let count = 1 + rng.below(8);
    let (mut requests, mut responses) = (Vec::new(), Vec::new());
    for tag in 0..count {
        let head = rng.one_in(4);
        requests.push(request(rng, tag, head));
        let last = tag + 1 == count && rng.one_in(3);
        responses.push(response(rng, tag, head, last));
    }
    let mut ops = Vec::new();
    let (mut asked, mut answered) = (0, 0);
    while answered < count {
        if asked < count && (asked == answered || rng.one_in(2)) {
            ops.push(Op::Bytes(Initiator, requests[asked].clone()));
            asked += 1;
        } else {
            ops.push(Op::Bytes(Responder, responses[answered].clone()));
            answered += 1;
        }
    }
    ops.push(Op::Fin(Responder));
    ops
}

fn request(rng: &mut Rng, tag: usize, head: bool) -> Vec<u8> {
    let method = if head { "HEAD" } else { *rng.pick(&["GET", "POST", "PURGE"]) };
    let first = format!("{method} /{tag} HTTP/1.1\r\nHost: h\r\nTag: {tag}\r\n");
    let body = if method == "POST" { body(rng) } else { None };
    message(&first, body)
}

fn response(rng: &mut Rng, tag: usize, head: bool, last: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    if rng.one_in(5) {
        bytes = message(&format!("HTTP/1.1 103 Early\r\nTag: {tag}\r\n"), None);
    }
    if last && !head {
        let text = format!("HTTP/1.1 200 OK\r\nTag: {tag}\r\n\r\n{}", "z".repeat(rng.below(99)));
        bytes.extend_from_slice(text.as_bytes());
        return bytes;
    }
    let status =
        if head { "200 OK" } else { *rng.pick(&["200 OK", "404 Not Found", "204", "304 x"]) };
    let first = format!("HTTP/1.1 {status}\r\nTag: {tag}\r\n");
    if head || status.starts_with("204") || status.starts_with("304") {
        let fields = *rng.pick(&["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"]);
        bytes.extend(message(&(first + fields), None));
        return bytes;
    }
    let body = body(rng).unwrap_or(("Content-Length: 0\r\n".to_owned(), Vec::new()));
    bytes.extend(message(&first, Some(body)));
    bytes
}

fn message(head: &str, body: Option<(String, Vec<u8>)>) -> Vec<u8> {
    let (field, body) = body.unwrap_or_default();
    let mut bytes = format!("{head}{field}\r\n").into_bytes();
    bytes.extend(body);
    bytes
}

/// The field that announces a body, and the body as it is sent.
fn body(rng: &mut Rng) -> Option<(String, Vec<u8>)> {
    let text = "abcdefghij".repeat(rng.below(6));
    match rng.below(3) {
        0 => None,
        1 => Some((format!("Content-Length: {}\r\n", text.len()), text.into_bytes())),
        _ => {
            let mut sent = String::new();
            let size = 1 + rng.below(20);
            for chunk in text.as_bytes().chunks(size) {
                let chunk = String::from_utf8_lossy(chunk);
                let extension = *rng.pick(&["", ";a=b", " ; x"]);
                sent += &format!("{:x}{extension}\r\n{chunk}\r\n", chunk.len());
            }
            sent += *rng.pick(&["0\r\n\r\n", "000;last\r\nTrailer: t\r\n\r\n"]);
            Some(("Transfer-Encoding: chunked\r\n".to_owned(), sent.into_bytes()))
        }
    }
}

/// Takes `len` bytes at `start` out of what `side` sends. The gap is reported when the side goes on,
/// as reassembly does, or at its end.
fn holed(ops: &[Op], side: FlowSide, start: usize, len: usize) -> Vec<Op> {
    let (mut at, mut owed, mut out) = (0, 0, Vec::new());
    for op in ops {
        match op {
            Op::Bytes(own, bytes) if *own == side => {
                let cut = |place: usize| place.saturating_sub(at).min(bytes.len());
                let (from, to) = (cut(start), cut(start + len));
                out.push(Op::Bytes(side, bytes[..from].to_vec()));
                owed += (to - from) as u64;
                if to < bytes.len() && owed > 0 {
                    out.push(Op::Gap(side, owed));
                    owed = 0;
                }
                out.push(Op::Bytes(side, bytes[to..].to_vec()));
                at += bytes.len();
            }
            Op::Fin(own) if *own == side && owed > 0 => {
                out.extend([Op::Gap(side, owed), op.clone()]);
                owed = 0;
            }
            _ => out.push(op.clone()),
        }
    }
    if owed > 0 {
        out.push(Op::Gap(side, owed));
    }
    out
}

fn damaged(ops: &mut [Op], rng: &mut Rng) {
    for op in ops {
        if let Op::Bytes(_, bytes) = op {
            for _ in 0..rng.below(3) {
                if bytes.is_empty() {
                    break;
                }
                let at = rng.below(bytes.len());
                match rng.below(3) {
                    0 => bytes[at] = *rng.pick(b"\r\n\0 :;,\t0fF/HG\xff"),
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, *rng.pick(b"\r\n\0 :;,\t0fF/HG\xff")),
                }
            }
        }
    }
}

/// Words of the protocol in any order.
fn words(rng: &mut Rng) -> Vec<Op> {
    const WORDS: [&str; 36] = [
        "GET ",
        "HEAD ",
        "CONNECT ",
        "POST ",
        "/x",
        " ",
        "HTTP/1.1",
        "HTTP/1.0",
        "HTTP/",
        "\r\n",
        "\n",
        "\r",
        "\r\n\r\n",
        " 200 OK",
        " 101 x",
        " 204",
        "Content-Length: ",
        "5",
        "0",
        "Host: a",
        "Host : b",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: ",
        "gzip",
        ", ",
        "\r\n folded",
        "\0",
        ":",
        "a;b",
        "ffffffffffffffff",
        "3\r\nabc\r\n",
        "0\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        "GET /old\r\n",
    ];
    let mut ops = Vec::new();
    for _ in 0..1 + rng.below(12) {
        let side = if rng.one_in(2) { Initiator } else { Responder };
        if rng.one_in(12) {
            ops.push(Op::Gap(side, 1 + rng.below(6) as u64));
            continue;
        }
        let text: String = (0..1 + rng.below(10)).map(|_| *rng.pick(&WORDS)).collect();
        ops.push(Op::Bytes(side, text.into_bytes()));
    }
    ops
}

/// How pieces are made of what a side sends in one go.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Never,
    Everywhere,
    Random(u64),
}

fn play<P: SessionParser>(parser: P, ops: &[Op], cut: Cut) -> Talk<P> {
    let mut talk = Talk::new(parser);
    let mut rng = Rng::new(if let Cut::Random(seed) = cut { seed } else { 0 });
    for op in ops {
        match op {
            Op::Bytes(side, bytes) => {
                let mut cuts: Vec<usize> = match cut {
                    Cut::Never => Vec::new(),
                    Cut::Everywhere => (1..bytes.len()).collect(),
                    Cut::Random(_) => (0..rng.below(6)).map(|_| rng.below(bytes.len())).collect(),
                };
                cuts.sort_unstable();
                for piece in pieces(bytes, &cuts) {
                    talk.send(*side, piece);
                }
            }
            Op::Gap(side, len) => drop(talk.gap(*side, *len)),
            Op::Fin(side) => drop(talk.fin(*side)),
        }
    }
    talk.end();
    talk
}

fn bodies(messages: &[HttpMessage]) -> HashMap<(FlowSide, usize), Vec<(u64, u8)>> {
    let mut ends = [0; 2];
    let mut all: HashMap<_, Vec<(u64, u8)>> = HashMap::new();
    for message in messages {
        match message {
            HttpMessage::Body(body) => {
                let bytes =
                    body.bytes.iter().enumerate().map(|(n, byte)| (body.at + n as u64, *byte));
                all.entry((body.side, ends[body.side.index()])).or_default().extend(bytes);
            }
            HttpMessage::End(end) => ends[end.side.index()] += 1,
            _ => {}
        }
    }
    all
}

fn cutting_changes_nothing(ops: &[Op], seed: u64) -> Result<(), TestCaseError> {
    // Bounds that some of the input reaches.
    let small =
        HttpConfig::default().max_head(150).max_headers(4).max_chunk_line(18).max_search(200);
    let collect = HttpConfig::default().bodies(Bodies::Collect(7));
    for config in [HttpConfig::default(), small, collect] {
        let whole = play(HttpParser::with_config(config), ops, Cut::Never);
        for cut in [Cut::Everywhere, Cut::Random(seed)] {
            let cut = play(HttpParser::with_config(config), ops, cut);
            prop_assert_eq!(&cut.out, &whole.out);
            prop_assert_eq!(cut.status, whole.status);
        }
        is_well_formed(&whole.out)?;
        let exchanges = play(HttpExchanges::with_config(config), ops, Cut::Never);
        let cut = play(HttpExchanges::with_config(config), ops, Cut::Random(seed));
        prop_assert_eq!(&exchanges.out, &cut.out);
        agree(&exchanges.out, &whole.out)?;
    }
    let spans = HttpConfig::default().bodies(Bodies::Spans);
    let whole = play(HttpParser::with_config(spans), ops, Cut::Never);
    let cut = play(HttpParser::with_config(spans), ops, Cut::Random(seed));
    prop_assert_eq!(bodies(&whole.out), bodies(&cut.out));
    Ok(())
}

/// Each head has one end, behind it and before the next head of its side. A body without a head is
/// one of HTTP/0.9, and the last of its side.
fn is_well_formed(messages: &[HttpMessage]) -> Result<(), TestCaseError> {
    let mut open = [false; 2];
    let mut last = [false; 2];
    for message in messages {
        let (side, head) = match message {
            HttpMessage::Request(request) => (request.side, Some(true)),
            HttpMessage::Response(response) => (response.side, Some(true)),
            HttpMessage::End(end) => (end.side, Some(false)),
            HttpMessage::Body(body) => (body.side, None),
            HttpMessage::Anomaly(_) => continue,
            other => panic!("{other:?}"),
        };
        prop_assert!(!last[side.index()]);
        match head {
            Some(true) => prop_assert!(!std::mem::replace(&mut open[side.index()], true)),
            Some(false) => last[side.index()] = !std::mem::take(&mut open[side.index()]),
            None => {}
        }
    }
    prop_assert_eq!(open, [false; 2]);
    Ok(())
}

/// Exchanges say of requests and responses what messages do.
fn agree(exchanges: &[HttpExchange], messages: &[HttpMessage]) -> Result<(), TestCaseError> {
    let ids: Vec<u64> = exchanges.iter().map(|x| x.id).collect();
    prop_assert_eq!(ids, (0..exchanges.len() as u64).collect::<Vec<_>>());
    let mut requests = exchanges.iter().filter_map(|x| x.request.as_ref());
    let mut finals = 0;
    for message in messages {
        match message {
            HttpMessage::Request(request) => prop_assert_eq!(Some(request), requests.next()),
            HttpMessage::Response(response) if !response.is_interim() => finals += 1,
            _ => {}
        }
    }
    prop_assert_eq!(requests.next(), None);
    prop_assert_eq!(finals, exchanges.iter().filter(|x| x.response.is_some()).count());
    for x in exchanges {
        let numbers =
            (x.request.as_ref().map(|r| r.exchange), x.response.as_ref().map(|r| r.exchange));
        match numbers {
            (Some(request), Some(response)) => prop_assert_eq!(request, response),
            (Some(_), None) => prop_assert!(matches!(
                x.outcome,
                HttpOutcome::Unanswered | HttpOutcome::Unpaired | HttpOutcome::SimpleResponse
            )),
            (None, _) => prop_assert_eq!(x.outcome, HttpOutcome::Orphan),
        }
    }
    Ok(())
}

fn tag(value: Option<&[u8]>) -> u64 {
    let text = String::from_utf8_lossy(value.expect("a tag"));
    text.parse().expect("a number")
}

/// Who sent a message, where it begins, its bytes.
type Place<'a> = (FlowSide, u64, &'a [u8]);

fn heads(messages: &[HttpMessage]) -> Vec<Place<'_>> {
    fn place(message: &HttpMessage) -> Option<Place<'_>> {
        match message {
            HttpMessage::Request(r) => Some((r.side, r.offset, r.headers().raw())),
            HttpMessage::Response(r) => Some((r.side, r.offset, r.headers().raw())),
            _ => None,
        }
    }
    messages.iter().filter_map(place).collect()
}

fn pairs_are_right(messages: &[HttpMessage]) -> Result<usize, TestCaseError> {
    let mut asked = HashMap::new();
    let mut pairs = 0;
    for message in messages {
        match message {
            HttpMessage::Request(r) => {
                if let Some(exchange) = r.exchange {
                    prop_assert_eq!(asked.insert(exchange, tag(r.header("tag"))), None);
                }
            }
            HttpMessage::Response(r) => {
                if let Some(exchange) = r.exchange {
                    prop_assert_eq!(asked.get(&exchange), Some(&tag(r.header("tag"))));
                    pairs += usize::from(!r.is_interim());
                }
            }
            _ => {}
        }
    }
    Ok(pairs)
}

fn stream_len(ops: &[Op], side: FlowSide) -> usize {
    let len = |op: &Op| match op {
        Op::Bytes(own, bytes) if *own == side => bytes.len(),
        _ => 0,
    };
    ops.iter().map(len).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn whole_conversations_are_read_to_the_last_byte(seed: u64) {
        let mut rng = Rng::new(seed);
        let ops = conversation(&mut rng);
        let talk = play(HttpParser::default(), &ops, Cut::Never);
        let requests = ops.iter().filter(|op| matches!(op, Op::Bytes(Initiator, _))).count();
        prop_assert_eq!(pairs_are_right(&talk.out)?, requests);
        for message in &talk.out {
            match message {
                HttpMessage::End(end) => prop_assert!(end.is_complete(), "{:?}", end),
                HttpMessage::Anomaly(anomaly) => prop_assert!(false, "{:?}", anomaly),
                _ => {}
            }
        }
        cutting_changes_nothing(&ops, seed)?;
    }

    #[test]
    fn after_a_gap_messages_may_be_missing_but_never_are_mispaired(
        seed: u64, first: bool, start: prop::sample::Index, len in 1_usize..400, pipelining: bool,
    ) {
        let side = if first { Initiator } else { Responder };
        let ops = conversation(&mut Rng::new(seed));
        let start = start.index(stream_len(&ops, side));
        let holed = holed(&ops, side, start, len);
        let config = HttpConfig::default();
        let without = play(HttpParser::with_config(config), &ops, Cut::Never).out;
        let with = play(HttpParser::with_config(config), &holed, Cut::Never).out;
        pairs_are_right(&with)?;
        // No message that was not sent, and all that were sent whole before the gap.
        let all: HashSet<Place<'_>> = heads(&without).into_iter().collect();
        for head in heads(&with) {
            prop_assert!(all.contains(&head), "{:?}", head);
        }
        let before = |messages: &[HttpMessage]| -> Vec<HttpMessage> {
            let before = |message: &&HttpMessage| match message {
                HttpMessage::Request(r) => r.side == side && r.offset < start as u64,
                HttpMessage::Response(r) => r.side == side && r.offset < start as u64,
                HttpMessage::End(end) => end.side == side && end.offset <= start as u64,
                _ => false,
            };
            let mut before: Vec<_> = messages.iter().filter(before).cloned().collect();
            // A head whose end is behind the gap is a message that does not lie before it.
            if !matches!(before.last(), Some(HttpMessage::End(_))) {
                before.pop();
            }
            before
        };
        prop_assert_eq!(before(&with), before(&without));
        if !first {
            let requests = |all: &[HttpMessage]| -> Vec<HttpMessage> {
                all.iter().filter(|m| matches!(m, HttpMessage::Request(_))).cloned().collect()
            };
            prop_assert_eq!(requests(&with), requests(&without));
        }
        cutting_changes_nothing(&holed, seed)?;
        // What is taken for granted then is not so here; it does no harm but to pairs.
        let careless = HttpParser::with_config(config.pipelining(pipelining));
        is_well_formed(&play(careless, &holed, Cut::Never).out)?;
    }

    #[test]
    fn two_gaps(seed: u64, places in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), 1_usize..90), 2..4)) {
        let whole = conversation(&mut Rng::new(seed));
        let mut ops = whole.clone();
        for (first, start, len) in places {
            let side = if first { Initiator } else { Responder };
            if !ops.iter().any(|op| matches!(op, Op::Gap(own, _) if *own == side)) {
                ops = holed(&ops, side, start.index(stream_len(&whole, side)), len);
            }
        }
        pairs_are_right(&play(HttpParser::default(), &ops, Cut::Never).out)?;
        cutting_changes_nothing(&ops, seed)?;
    }

    #[test]
    fn damaged_conversations(seed: u64) {
        let mut rng = Rng::new(seed);
        let mut ops = conversation(&mut rng);
        damaged(&mut ops, &mut rng);
        cutting_changes_nothing(&ops, seed)?;
    }

    #[test]
    fn words_of_the_protocol_in_any_order(seed: u64) {
        let ops = words(&mut Rng::new(seed));
        cutting_changes_nothing(&ops, seed)?;
    }

    #[test]
    fn any_bytes(all in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..64)), 0..6), seed: u64) {
        let ops: Vec<Op> = all
            .into_iter()
            .map(|(first, bytes)| Op::Bytes(if first { Initiator } else { Responder }, bytes))
            .collect();
        cutting_changes_nothing(&ops, seed)?;
    }

    #[test]
    fn a_probe_never_changes_its_mind(seed: u64) {
        for op in words(&mut Rng::new(seed)) {
            let Op::Bytes(side, bytes) = op else { continue };
            let mut last = flowscope_core::Probe::Maybe;
            for end in 0..=bytes.len() {
                let probe = HttpParser::probe(side, &bytes[..end]);
                prop_assert!(last == flowscope_core::Probe::Maybe || probe == last);
                last = probe;
            }
        }
    }
}
