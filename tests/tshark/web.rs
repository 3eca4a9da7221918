//! HTTP/2 and WebSocket.

use flowscope::http2::{Http2Exchange, Http2Response};
use flowscope::protocols::AppRecord;

use crate::capture::{recorded, records, rows};

pub(crate) fn header_fields_are_those_of_tshark() {
    for (name, paths) in [("http2.pcap", 4), ("http2-upgrade.pcap", 1)] {
        let capture = recorded(name);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let text = |bytes: Option<&[u8]>| bytes.map(|it| String::from_utf8_lossy(it).into_owned());
        for record in records(&capture) {
            let AppRecord::Http2(exchange) = record else { continue };
            let Http2Exchange { request, response, .. } = *exchange;
            let (request, response) = (request.as_ref(), response.as_ref());
            let status = response.and_then(Http2Response::status);
            ours.extend([
                ("path", request.and_then(|request| text(request.path()))),
                ("authority", request.and_then(|request| text(request.authority()))),
                ("user_agent", request.and_then(|request| text(request.user_agent()))),
                ("content_type", request.and_then(|request| text(request.content_type()))),
                ("status", status.map(|status| status.to_string())),
                ("content_type", response.and_then(|response| text(response.content_type()))),
            ]);
        }
        for field in ["path", "authority", "user_agent", "status", "content_type"] {
            let values = rows(&capture, "http2", &[&format!("http2.headers.{field}")]);
            let values = values.iter().flat_map(|row| row[0].split(','));
            theirs
                .extend(values.filter(|value| !value.is_empty()).map(|it| (field, it.to_owned())));
        }
        let mut ours: Vec<_> =
            ours.into_iter().filter_map(|(field, value)| Some((field, value?))).collect();
        ours.sort();
        theirs.sort();
        assert_eq!(ours, theirs, "{name}");
        assert_eq!(ours.iter().filter(|(field, _)| *field == "path").count(), paths);
    }
}

pub(crate) fn messages_are_those_of_tshark() {
    let capture = recorded("websocket.pcap");
    let mut frames = 0;
    let mut bytes = [0; 16];
    for record in records(&capture) {
        let AppRecord::Websocket(message) = record else { continue };
        assert!(message.is_complete);
        frames += message.frames;
        let names = ["", "text", "binary", "", "", "", "", "", "connection_close", "ping", "pong"];
        let opcode = names.iter().position(|name| *name == message.opcode.name());
        bytes[opcode.expect("an opcode")] += message.len;
    }
    let fields =
        ["websocket.opcode", "websocket.payload_length", "websocket.payload_length_ext_16"];
    let mut theirs = Vec::new();
    for row in rows(&capture, "websocket", &fields) {
        let mut cells = row.iter().map(|cell| cell.split(',').filter(|value| !value.is_empty()));
        let [opcodes, lengths, mut longer] =
            std::array::from_fn(|_| cells.next().expect("three fields"));
        for (opcode, length) in opcodes.zip(lengths) {
            // 126 stands for a longer length that follows.
            let length = if length == "126" { longer.next().expect("a length") } else { length };
            let number = |text: &str| text.parse::<u64>().expect("a number");
            theirs.push((number(opcode.trim_start_matches("0x")), number(length)));
        }
    }
    assert_eq!(frames, theirs.len() as u64);
    assert!(frames > 20, "{frames}");
    let sum = |is_it: &dyn Fn(u64) -> bool| {
        theirs.iter().filter(|(opcode, _)| is_it(*opcode)).map(|(_, length)| length).sum::<u64>()
    };
    // Frames that go on with a message have an opcode of their own; control frames are single.
    assert_eq!(bytes[..8].iter().sum::<u64>(), sum(&|opcode| opcode < 8));
    for opcode in 8..16 {
        assert_eq!(bytes[opcode as usize], sum(&|it| it == opcode), "{opcode}");
    }
}
