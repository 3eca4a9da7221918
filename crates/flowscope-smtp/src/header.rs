use crate::SmtpHeaders;

/// Longest name of a field that is read.
const MAX_NAME: usize = 24;
/// Most bytes of a field's value that are read; of one that is no list, 1024 are kept.
const MAX_VALUE: usize = 2048;
const MAX_KEPT: usize = 1024;
/// Most addresses of `To` and of `Cc`.
const MAX_ADDRESSES: usize = 64;

/// Reads the header of a message as it comes, up to the empty line (RFC 5322 §2.1).
#[derive(Clone, Debug, Default)]
pub(crate) struct HeaderReader {
    at: At,
    /// The field that the bytes belong to, where it is one that is read.
    field: Option<Field>,
    /// The start of a name, or the value of `field`.
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum At {
    #[default]
    LineStart,
    /// Behind CR at the start of a line.
    Cr,
    Name,
    Value,
    /// In a line that is not read.
    Skip,
    /// In the body.
    Body,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Field {
    Date,
    From,
    To,
    Cc,
    ReplyTo,
    MessageId,
    InReplyTo,
    Subject,
    OriginatingIp,
    Received,
    UserAgent,
}

const FIELDS: [(&str, Field); 12] = [
    ("Date", Field::Date),
    ("From", Field::From),
    ("To", Field::To),
    ("Cc", Field::Cc),
    ("Reply-To", Field::ReplyTo),
    ("Message-ID", Field::MessageId),
    ("In-Reply-To", Field::InReplyTo),
    ("Subject", Field::Subject),
    ("X-Originating-IP", Field::OriginatingIp),
    ("Received", Field::Received),
    ("User-Agent", Field::UserAgent),
    ("X-Mailer", Field::UserAgent),
];

impl HeaderReader {
    /// Reads the next bytes of the message. Fields go into `headers`, while there is `room` for their bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8], headers: &mut SmtpHeaders, room: &mut usize) {
        for &byte in bytes {
            if self.at == At::Body {
                return;
            }
            self.step(byte, headers, room);
        }
    }

    fn step(&mut self, byte: u8, headers: &mut SmtpHeaders, room: &mut usize) {
        self.at = match (self.at, byte) {
            (At::Body, _) => At::Body,
            (At::LineStart, b' ' | b'\t') => {
                // The value goes on: only the end of the line is taken out (RFC 5322 §2.2.3).
                self.push(byte);
                if self.field.is_some() { At::Value } else { At::Skip }
            }
            (At::LineStart, b'\r') => At::Cr,
            (At::LineStart | At::Cr, b'\n') => {
                self.end_field(headers, room);
                self.text = Vec::new();
                At::Body
            }
            (At::LineStart, _) => {
                self.end_field(headers, room);
                self.text.push(byte);
                At::Name
            }
            (At::Name, b':') => {
                let name = self.text.trim_ascii_end();
                let named =
                    FIELDS.iter().find(|(field, _)| name.eq_ignore_ascii_case(field.as_bytes()));
                self.field = named.map(|(_, field)| *field);
                self.text.clear();
                if self.field.is_some() { At::Value } else { At::Skip }
            }
            (At::Name, b'\n') => {
                self.text.clear();
                At::LineStart
            }
            (At::Name, _) if self.text.len() < MAX_NAME => {
                self.text.push(byte);
                At::Name
            }
            (At::Value, b'\n') => {
                if self.text.last() == Some(&b'\r') {
                    self.text.pop();
                }
                At::LineStart
            }
            (At::Value, _) => {
                self.push(byte);
                At::Value
            }
            (At::Name | At::Cr, _) => {
                self.end_field(headers, room);
                At::Skip
            }
            (At::Skip, b'\n') => At::LineStart,
            (At::Skip, _) => At::Skip,
        };
    }

    fn push(&mut self, byte: u8) {
        if self.field.is_some() && self.text.len() < MAX_VALUE {
            self.text.push(byte);
        }
    }

    /// The message has ended, perhaps within its header.
    pub(crate) fn end(&mut self, headers: &mut SmtpHeaders, room: &mut usize) {
        if self.at != At::Body {
            self.end_field(headers, room);
        }
        self.stop();
    }

    /// Reads no more: what follows may be in the body, or in the middle of a field.
    pub(crate) fn stop(&mut self) {
        *self = HeaderReader { at: At::Body, field: None, text: Vec::new() };
    }

    /// Puts the field at hand where it belongs. The storage of its text is that of the next one.
    fn end_field(&mut self, headers: &mut SmtpHeaders, room: &mut usize) {
        if let Some(field) = self.field.take() {
            put(field, self.text.trim_ascii(), headers, room);
        }
        self.text.clear();
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.text.capacity()
    }
}

/// Puts a field into the headers, unless there is one that counts.
fn put(field: Field, value: &[u8], headers: &mut SmtpHeaders, room: &mut usize) {
    let keep = |room: &mut usize| keep(value, MAX_KEPT, room);
    let slot = match field {
        Field::To => return addresses(value, &mut headers.to, room),
        Field::Cc => return addresses(value, &mut headers.cc, room),
        Field::Received => {
            // The last one is of the first host.
            let before = headers.first_received.take();
            if let Some(dropped) = std::mem::replace(&mut headers.second_received, before) {
                *room += dropped.len();
            }
            headers.first_received = Some(keep(room));
            return;
        }
        Field::Date => &mut headers.date,
        Field::From => &mut headers.from,
        Field::ReplyTo => &mut headers.reply_to,
        Field::MessageId => &mut headers.message_id,
        Field::InReplyTo => &mut headers.in_reply_to,
        Field::Subject => &mut headers.subject,
        Field::OriginatingIp => &mut headers.x_originating_ip,
        Field::UserAgent => &mut headers.user_agent,
    };
    // These may occur once (RFC 5322 §3.6); of several, the first counts.
    if slot.is_none() {
        *slot = Some(keep(room));
    }
}

/// At most `max` bytes of a text, while there is room for them.
pub(crate) fn keep(text: &[u8], max: usize, room: &mut usize) -> Vec<u8> {
    let len = text.len().min(max).min(*room);
    *room -= len;
    text[..len].to_vec()
}

/// Cuts a list of addresses at the commas that are in no quoted string and no comment.
fn addresses(value: &[u8], list: &mut Vec<Vec<u8>>, room: &mut usize) {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0_u32);
    let parts = value.split(|&byte| {
        let was_escaped = std::mem::take(&mut escaped);
        match byte {
            _ if was_escaped => {}
            b'\\' => escaped = quoted || depth > 0,
            b'"' if depth == 0 => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b',' => return !quoted && depth == 0,
            _ => {}
        }
        false
    });
    for address in parts.map(<[u8]>::trim_ascii).filter(|address| !address.is_empty()) {
        if list.len() == MAX_ADDRESSES || *room == 0 {
            return;
        }
        list.push(keep(address, MAX_KEPT, room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> SmtpHeaders {
        let (mut reader, mut headers, mut room) =
            (HeaderReader::default(), SmtpHeaders::default(), 8192);
        reader.feed(text.as_bytes(), &mut headers, &mut room);
        reader.end(&mut headers, &mut room);
        headers
    }

    fn text(value: Option<&Vec<u8>>) -> &str {
        value.map_or("-", |value| str::from_utf8(value).unwrap())
    }

    #[test]
    fn a_folded_field_is_one_value() {
        let headers = read("Subject: one\r\n two\r\n\tthree\r\nX: y\r\n z\r\nDate: now\r\n\r\n");
        assert_eq!(text(headers.subject.as_ref()), "one two\tthree");
        assert_eq!(text(headers.date.as_ref()), "now");
    }

    #[test]
    fn a_value_is_read_up_to_2048_bytes() {
        for (before, last) in [(2045, "xyz"), (2046, "xy"), (2047, "x")] {
            let headers = read(&format!("To:{}xyz\r\n\r\n", ",".repeat(before)));
            assert_eq!(headers.to, [last.as_bytes()], "{before}");
        }
    }

    #[test]
    fn the_header_ends_at_the_empty_line_or_with_the_message() {
        let headers = read("Subject: a\r\n\r\nDate: in the body\r\n");
        assert_eq!((text(headers.subject.as_ref()), text(headers.date.as_ref())), ("a", "-"));
        assert_eq!(text(read("Subject: a\nDate: b").date.as_ref()), "b");
        assert_eq!(read("\r\nSubject: a\r\n"), SmtpHeaders::default());
        assert_eq!(read(""), SmtpHeaders::default());
    }

    #[test]
    fn lines_that_are_no_fields_are_passed_over() {
        let headers = read("From someone\r\n no field\r\n: x\r\nFROM : a@b\r\nFrom: c@d\r\n\r\n");
        assert_eq!(text(headers.from.as_ref()), "a@b");
    }

    #[test]
    fn the_last_received_is_of_the_first_host() {
        let headers = read("Received: c\r\nReceived: b\r\nReceived: a\r\n\r\n");
        assert_eq!(text(headers.first_received.as_ref()), "a");
        assert_eq!(text(headers.second_received.as_ref()), "b");
    }

    #[test]
    fn addresses_are_cut_at_commas_outside_of_quotes_and_comments() {
        let headers =
            read("To: \"Doe, \\\"J\" <j@x>, k@x (a, b) ,,\r\n l@x\r\nTo: m@x\r\nCc: n@x\r\n\r\n");
        let to: Vec<_> = headers.to.iter().map(|to| str::from_utf8(to).unwrap()).collect();
        assert_eq!(to, ["\"Doe, \\\"J\" <j@x>", "k@x (a, b)", "l@x", "m@x"]);
        assert_eq!(headers.cc, [b"n@x"]);
    }

    #[test]
    fn values_and_lists_are_bounded() {
        let long = "x".repeat(5000);
        let headers = read(&format!("Subject: {long}\r\nTo: {}\r\n\r\n", "a@b,".repeat(200)));
        assert_eq!(headers.subject.unwrap().len(), MAX_KEPT);
        assert_eq!(headers.to.len(), MAX_ADDRESSES);
        let mut room = 5;
        assert_eq!(keep(b"abc", 2, &mut room), b"ab");
        assert_eq!(keep(b"abcdef", 9, &mut room), b"abc");
        assert_eq!(keep(b"abc", 9, &mut room), b"");
    }
}
