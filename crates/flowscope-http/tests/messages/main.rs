//! The messages that are read from conversations, case by case.

mod bounds;
#[path = "../common/mod.rs"]
mod common;
mod detection;
mod framing;
mod heads;
mod recovery;
#[path = "../script/mod.rs"]
mod script;

use common::Talk;
use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::{ParseError, ParserStatus, SessionParser};
use flowscope_http::{
    Bodies, Ending, Fields, Framing, HttpConfig, HttpExchanges, HttpMessage, HttpParser,
    HttpVersion,
};
use script::{GET, OK, exchanges, play};

fn arrow(side: FlowSide) -> char {
    if side == Initiator { '>' } else { '<' }
}

fn number(exchange: Option<u64>) -> String {
    exchange.map_or("?".to_owned(), |exchange| exchange.to_string())
}

fn framing(framing: Framing) -> String {
    match framing {
        Framing::None => "none".to_owned(),
        Framing::Length(length) => format!("length={length}"),
        Framing::Chunked => "chunked".to_owned(),
        Framing::UntilClose => "until-close".to_owned(),
        Framing::Tunnel => "tunnel".to_owned(),
    }
}

fn line(message: &HttpMessage) -> String {
    let text = String::from_utf8_lossy;
    match message {
        HttpMessage::Request(r) => format!(
            "> {} {} {} #{} {}",
            r.method(),
            text(r.target()),
            r.version(),
            number(r.exchange),
            framing(r.framing)
        ),
        HttpMessage::Response(r) => format!(
            "< {} {}#{} {}",
            r.status(),
            r.reason().first().map_or(String::new(), |_| text(r.reason()).into_owned() + " "),
            number(r.exchange),
            framing(r.framing)
        ),
        HttpMessage::Body(body) => {
            format!("{} body {}+{}", arrow(body.side), body.at, text(&body.bytes))
        }
        HttpMessage::End(end) => {
            let mut line =
                format!("{} end #{} {}", arrow(end.side), number(end.exchange), end.body_len);
            if end.missing > 0 {
                line += &format!(" missing={}", end.missing);
            }
            if end.ending != Ending::Complete {
                line += &format!(" {:?}", end.ending);
            }
            for (name, value) in end.trailers.iter().flat_map(Fields::iter) {
                line += &format!(" {name}={}", text(value));
            }
            line
        }
        HttpMessage::Anomaly(a) => format!("{} ! {} @{}", arrow(a.side), a.kind.slug(), a.offset),
        other => format!("{other:?}"),
    }
}

fn check_with(config: HttpConfig, script: &[(&str, &str)], expected: &[&str]) {
    for piece in [usize::MAX, 1, 7] {
        let talk = play(HttpParser::with_config(config), script, piece);
        let lines: Vec<String> = talk.out.iter().map(line).collect();
        assert_eq!(lines, expected, "{script:#?} by {piece}");
        assert!(
            talk.parser.heap_bytes() <= 128,
            "{} bytes held at the end",
            talk.parser.heap_bytes()
        );
    }
}

fn check(script: &[(&str, &str)], expected: &[&str]) {
    check_with(HttpConfig::default(), script, expected);
}
