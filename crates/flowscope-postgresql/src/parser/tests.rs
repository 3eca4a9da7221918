use flowscope_core::FlowSide::{Initiator, Responder};
use flowscope_core::{
    FlowSide, ParseError, ParserStatus, Remainder, SessionParser, StreamChunk, Timestamp,
};

use super::{MAX_EARLY, MAX_MECHANISMS, MAX_VALUE, PostgresqlParser};
use crate::wire::MAX_MESSAGE;
use crate::{AuthMethod, Negotiation, PostgresqlOutcome, PostgresqlStart};

const SSL: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x2f";
const GSS: &[u8] = b"\0\0\0\x08\x04\xd2\x16\x30";
const STARTUP: &[u8] = b"\0\0\0\x12\0\x03\0\0user\0me\0\0\0";

/// A parser that is fed chunks with their stream offsets.
#[derive(Default)]
struct Fed {
    parser: PostgresqlParser,
    offsets: [u64; 2],
    out: Vec<PostgresqlStart>,
}

impl Fed {
    fn feed(&mut self, side: FlowSide, bytes: &[u8]) -> ParserStatus {
        let offset = &mut self.offsets[side.index()];
        let chunk = StreamChunk::new(side, Timestamp::from_secs(1), *offset, bytes);
        *offset += bytes.len() as u64;
        self.parser.feed_into(chunk, &mut self.out)
    }

    fn started() -> Self {
        let mut fed = Fed::default();
        assert_eq!(fed.feed(Initiator, STARTUP), ParserStatus::StopSide(Initiator));
        fed
    }
}

/// A message of a server.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend((body.len() as u32 + 4).to_be_bytes());
    message.extend(body);
    message
}

#[test]
fn what_follows_an_accepted_request_is_left_to_its_parser() {
    let mut fed = Fed::default();
    assert_eq!(fed.feed(Initiator, SSL), ParserStatus::Continue);
    assert_eq!(fed.feed(Responder, b"S"), ParserStatus::Upgrade);
    assert_eq!(fed.out[0].outcome, PostgresqlOutcome::Encrypted);
    assert_eq!(fed.out[0].ssl, Some(Negotiation::Accepted));
    assert_eq!(fed.parser.take_remainder(Initiator), None);
    assert_eq!(fed.parser.take_remainder(Responder), None);
}

#[test]
fn early_bytes_of_either_side_are_given_with_their_place() {
    let mut fed = Fed::default();
    fed.feed(Initiator, GSS);
    // Both requests before an answer, then a hello.
    fed.feed(Initiator, SSL);
    fed.feed(Initiator, b"\x16\x03");
    fed.feed(Initiator, b"\x01");
    assert_eq!(fed.feed(Responder, b"N"), ParserStatus::Continue);
    assert_eq!(fed.feed(Responder, b"Sab"), ParserStatus::Upgrade);
    let client = Remainder { offset: 16, bytes: b"\x16\x03\x01".to_vec() };
    let server = Remainder { offset: 2, bytes: b"ab".to_vec() };
    assert_eq!(fed.parser.take_remainder(Initiator), Some(client));
    assert_eq!(fed.parser.take_remainder(Responder), Some(server));
    assert_eq!(fed.parser.take_remainder(Initiator), None);
    assert_eq!(fed.out[0].gss, Some(Negotiation::Refused));
}

#[test]
fn a_refused_request_goes_on_in_clear_text() {
    let mut fed = Fed::default();
    fed.feed(Initiator, SSL);
    assert_eq!(fed.feed(Responder, b"N"), ParserStatus::Continue);
    assert_eq!(fed.feed(Initiator, STARTUP), ParserStatus::StopSide(Initiator));
    assert_eq!(fed.feed(Responder, &message(b'Z', b"I")), ParserStatus::Done);
    let start = &fed.out[0];
    assert_eq!((start.ssl, start.user.as_deref()), (Some(Negotiation::Refused), Some(&b"me"[..])));
    assert_eq!(start.outcome, PostgresqlOutcome::Ready);
}

#[test]
fn gssapi_ends_what_can_be_read() {
    let mut fed = Fed::default();
    fed.feed(Initiator, GSS);
    assert_eq!(fed.feed(Responder, b"G"), ParserStatus::Done);
    assert_eq!(fed.out[0].gss, Some(Negotiation::Accepted));
    let mut fed = Fed::default();
    fed.feed(Initiator, GSS);
    assert!(matches!(fed.feed(Responder, b"S"), ParserStatus::Failed(_)));
}

#[test]
fn the_first_side_that_speaks_is_the_client() {
    let mut fed = Fed::default();
    assert_eq!(fed.feed(Responder, STARTUP), ParserStatus::StopSide(Responder));
    assert_eq!(fed.feed(Initiator, &message(b'Z', b"I")), ParserStatus::Done);
    assert_eq!(fed.out[0].user.as_deref(), Some(&b"me"[..]));
}

#[test]
fn the_first_method_counts_and_mechanisms_are_bounded() {
    let mut fed = Fed::started();
    let names = b"A\0".repeat(MAX_MECHANISMS + 5);
    fed.feed(Responder, &message(b'R', &[b"\0\0\0\x0a", &names[..], b"\0"].concat()));
    fed.feed(Responder, &message(b'R', b"\0\0\0\x0bsalt"));
    fed.feed(Responder, &message(b'R', b"\0\0\0\x05salt"));
    fed.feed(Responder, &message(b'R', b"\0\0\0\0"));
    fed.feed(Responder, &message(b'Z', b"I"));
    let start = &fed.out[0];
    assert_eq!((start.auth, start.authenticated), (Some(AuthMethod::Sasl), Some(true)));
    assert_eq!(start.sasl_mechanisms.len(), MAX_MECHANISMS);
}

#[test]
fn parameters_of_known_names_are_kept_once_and_cut() {
    let mut fed = Fed::started();
    fed.feed(Responder, &message(b'S', b"TimeZone\0UTC\0"));
    fed.feed(Responder, &message(b'S', b"unheard_of\0x\0"));
    let long = [b"TimeZone\0", &[b'z'; MAX_VALUE + 1][..], b"\0"].concat();
    fed.feed(Responder, &message(b'S', &long));
    fed.feed(Responder, &message(b'Z', b"I"));
    assert_eq!(fed.out[0].parameters, [("TimeZone", vec![b'z'; MAX_VALUE])]);
}

#[test]
fn notices_of_any_length_are_passed_over() {
    let mut fed = Fed::started();
    for part in message(b'N', &[b'x'; 3 * MAX_MESSAGE]).chunks(1000) {
        assert_eq!(fed.feed(Responder, part), ParserStatus::Continue);
        assert!(fed.parser.heap_bytes() < 2000);
    }
    assert_eq!(fed.feed(Responder, &message(b'Z', b"I")), ParserStatus::Done);
}

#[test]
fn bytes_that_make_no_sense_are_errors_and_what_was_known_is_reported() {
    let too_long = [&b"R"[..], &(MAX_MESSAGE as u32 + 1).to_be_bytes()].concat();
    for (bytes, error) in [
        (&b"R\0\0\0\x03"[..], ParseError::InvalidField("length")),
        (b"R\0\0\0\x04", ParseError::InvalidField("authentication")),
        (b"?\0\0\0\x04", ParseError::InvalidField("message type")),
        (&too_long, ParseError::TooLong(MAX_MESSAGE as u64 + 1)),
    ] {
        let mut fed = Fed::started();
        assert_eq!(fed.feed(Responder, bytes), ParserStatus::Failed(error));
        assert_eq!(fed.out[0].outcome, PostgresqlOutcome::Incomplete);
        assert_eq!(fed.parser.heap_bytes(), 0);
    }
    let mut fed = Fed::default();
    let status = fed.feed(Initiator, b"GET / HTTP/1.1\r\n");
    assert_eq!(status, ParserStatus::Failed(ParseError::NotTheProtocol));
    assert!(fed.out.is_empty());
}

#[test]
fn early_bytes_are_bounded() {
    let mut fed = Fed::default();
    fed.feed(Initiator, SSL);
    assert_eq!(fed.feed(Initiator, &[0; MAX_EARLY]), ParserStatus::Continue);
    let status = fed.feed(Initiator, &[0]);
    assert_eq!(status, ParserStatus::Failed(ParseError::TooLong(MAX_EARLY as u64 + 1)));
}

#[test]
fn a_gap_behind_the_startup_message_of_the_client_costs_nothing() {
    let mut fed = Fed::started();
    let status = fed.parser.gap(Initiator, 10, &mut fed.out);
    assert_eq!(status, ParserStatus::StopSide(Initiator));
    assert_eq!(fed.parser.gap(Responder, 1, &mut fed.out), ParserStatus::Done);
    assert_eq!(fed.out[0].outcome, PostgresqlOutcome::Cut);
}
