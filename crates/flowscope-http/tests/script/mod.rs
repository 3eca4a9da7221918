//! Conversations as scripts. A line is what a side sends, `>` the initiator and `<` the responder; `gap`,
//! `fin` and `rst` behind the side are what happens to it. The end follows the last line.

use flowscope_core::FlowSide::{self, Initiator, Responder};
use flowscope_core::SessionParser;
use flowscope_http::HttpExchange;

use crate::common::Talk;

pub(crate) const GET: &str = "GET / HTTP/1.1\r\n\r\n";
pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

fn side(word: &str) -> FlowSide {
    if word == ">" { Initiator } else { Responder }
}

/// Feeds a script to a parser, the bytes of each side in pieces of this length.
pub(crate) fn play<P: SessionParser>(parser: P, script: &[(&str, &str)], piece: usize) -> Talk<P> {
    let mut talk = Talk::new(parser);
    for (who, what) in script {
        match who.split_once(' ') {
            None => {
                for bytes in what.as_bytes().chunks(piece) {
                    talk.send(side(who), bytes);
                }
            }
            Some((who, "gap")) => drop(talk.gap(side(who), what.parse().expect("a number"))),
            Some((who, "fin")) => drop(talk.fin(side(who))),
            Some((_, "rst")) => talk.parser.rst(Initiator, &mut talk.out),
            Some(other) => panic!("{other:?}"),
        }
    }
    talk.end();
    talk
}

/// A line per exchange: its id, request, response, length of the response's body and outcome.
pub(crate) fn exchanges(out: &[HttpExchange]) -> Vec<String> {
    let line = |x: &HttpExchange| {
        let request = x.request.as_ref().map_or("-".to_owned(), |r| {
            format!("{} {}", r.method(), String::from_utf8_lossy(r.target()))
        });
        let response = x.response.as_ref().map_or("-".to_owned(), |r| r.status().to_string());
        format!("{} {request} -> {response} {} {:?}", x.id, x.response_body.len, x.outcome)
    };
    out.iter().map(line).collect()
}
