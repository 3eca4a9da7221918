//! Which side is the client, and what is no HTTP.

use super::*;

#[test]
fn sides_are_known_by_what_they_send() {
    let talk = play(HttpParser::default(), &[("<", GET), (">", OK)], 3);
    let lines: Vec<String> = talk.out.iter().map(line).collect();
    assert_eq!(lines[2..], ["< 200 OK #0 length=2", "> end #0 2"]);
}

#[test]
fn other_protocols_fail() {
    let failed = ParserStatus::Failed(ParseError::NotTheProtocol);
    for (to, from) in [
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ""),
        ("\x16\x03\x01\x02", "\x16\x03\x03"),
        ("SSH-2.0-x\r\n", "SSH-2.0-y\r\n"),
    ] {
        for piece in [1, usize::MAX] {
            let talk = play(HttpParser::default(), &[(">", to), ("<", from)], piece);
            assert_eq!(talk.status, failed, "{to:?}");
        }
    }
    // Not by the first bytes: a flow may be joined in the middle. But not for ever.
    let text = "no such line\r\n".repeat(100);
    let config = HttpConfig::default().max_search(1000);
    for piece in [1, 999, usize::MAX] {
        let talk = play(HttpParser::with_config(config), &[(">", &text)], piece);
        assert_eq!(talk.status, failed);
    }
}

#[test]
fn what_a_server_answers_to_another_protocol_is_read() {
    for request in ["\x16\x03\x01\x02\x00\x01", "SSH-2.0-x\r\n", "\x01\x02\x03\x04", "AAAA\r\n\r\n"]
    {
        let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
        let talk = play(HttpExchanges::default(), &[(">", request), ("<", answer)], 3);
        assert_eq!(exchanges(&talk.out), ["0 - -> 400 0 Orphan"], "{request:?}");
    }
}
