//! The start line and the header of a message (RFC 3261 §7).

use std::hash::{DefaultHasher, Hash, Hasher};

use flowscope_core::ParseError;

use crate::{SipFields, SipRequest, SipResponse};

/// Bytes of a header field, of a Request-URI and of a reason phrase that are kept.
pub(crate) const MAX_FIELD: usize = 256;
/// Bytes of all header fields of a message that are kept, beside `From`, `To`, `Call-ID` and `CSeq`, by which a call is
/// known. It is room for one of each, the first `Via` included: only more `Via` can use it up.
const MAX_FIELDS: usize = 2048;
/// `Via` fields that are kept: each proxy adds one.
const MAX_VIA: usize = 8;
/// The longest method.
pub(crate) const MAX_METHOD: usize = 32;

/// The version, which may be of any case (RFC 3261 §7.1).
pub(crate) const VERSION: &[u8] = b"SIP/2.0";

/// A request or a response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Message {
    Request(SipRequest),
    Response(SipResponse),
}

impl Message {
    /// The message that this line begins.
    pub(crate) fn begin(line: &[u8]) -> Option<Self> {
        let is_response = |rest: &&[u8]| rest.first() == Some(&b' ');
        if let Some(rest) = behind_version(line).filter(is_response) {
            let (code, reason) = rest[1..].split_at_checked(3)?;
            let code: u16 = str::from_utf8(code).ok()?.parse().ok()?;
            // Three digits, and a space, which some leave out without a phrase.
            if !(100..700).contains(&code) || !matches!(reason.first(), None | Some(b' ')) {
                return None;
            }
            let reason = kept(reason.trim_ascii(), MAX_FIELD);
            return Some(Message::Response(SipResponse { code, reason, ..SipResponse::default() }));
        }
        let (line, version) = line.split_at_checked(line.len().checked_sub(VERSION.len())?)?;
        let line = line.strip_suffix(b" ").filter(|_| version.eq_ignore_ascii_case(VERSION))?;
        let space = line.iter().position(|&byte| byte == b' ')?;
        let (method, uri) = (&line[..space], &line[space + 1..]);
        let is_uri = !uri.is_empty() && uri.iter().all(|byte| *byte > b' ');
        if method.len() > MAX_METHOD || !is_token(method) || !is_uri {
            return None;
        }
        Some(Message::Request(SipRequest {
            method: method.to_vec(),
            uri: kept(uri, MAX_FIELD),
            ..SipRequest::default()
        }))
    }

    pub(crate) fn fields_mut(&mut self) -> &mut SipFields {
        match self {
            Message::Request(request) => &mut request.fields,
            Message::Response(response) => &mut response.fields,
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Message::Request(request) => request.heap_bytes(),
            Message::Response(response) => response.heap_bytes(),
        }
    }
}

/// What follows the version that a response begins with.
pub(crate) fn behind_version(line: &[u8]) -> Option<&[u8]> {
    let (version, rest) = line.split_at_checked(VERSION.len())?;
    version.eq_ignore_ascii_case(VERSION).then_some(rest)
}

/// What a header says of the body.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Head {
    pub(crate) content_length: Option<u64>,
    pub(crate) is_sdp: bool,
    pub(crate) identity: Identity,
    has_via: bool,
    /// Bytes of fields that are kept, but for those that have room of their own.
    kept: usize,
}

/// What tells transactions and dialogs apart, as hashes of whole values: what is kept of a field may end before its
/// branch or tag. 0 where a message has none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Identity {
    /// The branch of the topmost `Via`.
    pub(crate) branch: u64,
    pub(crate) call_id: u64,
    /// Number and method of `CSeq`.
    pub(crate) number: u64,
    pub(crate) method: u64,
    /// The tag of `To`.
    pub(crate) to_tag: u64,
}

impl Head {
    /// A header field, with the lines that continue it (RFC 3261 §7.3.1).
    ///
    /// # Errors
    ///
    /// A `Content-Length` that is no number: where the next message begins is not known.
    pub(crate) fn field(&mut self, line: &[u8], fields: &mut SipFields) -> Result<(), ParseError> {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return Ok(()) };
        let (name, mut value) = (line[..colon].trim_ascii_end(), line[colon + 1..].trim_ascii());
        let slot = match full_name(name) {
            Field::ContentLength => {
                let number = str::from_utf8(value).ok().and_then(|text| text.parse::<u32>().ok());
                let length = number.ok_or(ParseError::InvalidField("Content-Length"))?;
                self.content_length = Some(length.into());
                return Ok(());
            }
            Field::Via => {
                for via in value.split(|&byte| byte == b',') {
                    if !std::mem::replace(&mut self.has_via, true) {
                        self.identity.branch = hash(parameter(via, b"branch"));
                    }
                    let room = (MAX_FIELDS - self.kept).min(MAX_FIELD);
                    if fields.via.len() < MAX_VIA && room > 0 {
                        let via = kept(via.trim_ascii(), room);
                        self.kept += via.len();
                        fields.via.push(via);
                    }
                }
                return Ok(());
            }
            Field::ContentType => {
                let media_type = value.split(|&byte| byte == b';').next().unwrap_or_default();
                self.is_sdp = media_type.trim_ascii().eq_ignore_ascii_case(b"application/sdp");
                &mut fields.content_type
            }
            Field::From => {
                keep(&mut fields.from, value, MAX_FIELD);
                return Ok(());
            }
            Field::To => {
                if fields.to.is_none() {
                    self.identity.to_tag = hash(parameter(behind_address(value), b"tag"));
                }
                keep(&mut fields.to, value, MAX_FIELD);
                return Ok(());
            }
            Field::CallId => {
                if fields.call_id.is_none() {
                    self.identity.call_id = hash(value);
                }
                keep(&mut fields.call_id, value, MAX_FIELD);
                return Ok(());
            }
            Field::Cseq => {
                if fields.cseq.is_none() {
                    let words = value.split(u8::is_ascii_whitespace);
                    let mut words = words.filter(|word| !word.is_empty());
                    self.identity.number = hash(words.next().unwrap_or_default());
                    self.identity.method = hash(words.next().unwrap_or_default());
                }
                keep(&mut fields.cseq, value, MAX_FIELD);
                return Ok(());
            }
            Field::Contact => {
                value = first_of(value);
                &mut fields.contact
            }
            Field::UserAgent => &mut fields.user_agent,
            Field::Subject => &mut fields.subject,
            Field::Date => &mut fields.date,
            Field::ReplyTo => &mut fields.reply_to,
            Field::Warning => &mut fields.warning,
            Field::Other => return Ok(()),
        };
        self.kept += keep(slot, value, (MAX_FIELDS - self.kept).min(MAX_FIELD));
        Ok(())
    }
}

enum Field {
    Via,
    From,
    To,
    CallId,
    Cseq,
    Contact,
    UserAgent,
    Subject,
    Date,
    ReplyTo,
    Warning,
    ContentType,
    ContentLength,
    Other,
}

/// The field of a name, which some have in a compact form too (RFC 3261 §7.3.3).
fn full_name(name: &[u8]) -> Field {
    let is = |names: [&str; 2]| names.iter().any(|it| name.eq_ignore_ascii_case(it.as_bytes()));
    let fields = [
        (["Via", "v"], Field::Via),
        (["From", "f"], Field::From),
        (["To", "t"], Field::To),
        (["Call-ID", "i"], Field::CallId),
        (["CSeq", "CSeq"], Field::Cseq),
        (["Contact", "m"], Field::Contact),
        (["User-Agent", "Server"], Field::UserAgent),
        (["Subject", "s"], Field::Subject),
        (["Date", "Date"], Field::Date),
        (["Reply-To", "Reply-To"], Field::ReplyTo),
        (["Warning", "Warning"], Field::Warning),
        (["Content-Type", "c"], Field::ContentType),
        (["Content-Length", "l"], Field::ContentLength),
    ];
    let found = fields.into_iter().find(|(names, _)| is(*names));
    found.map_or(Field::Other, |(_, field)| field)
}

/// Keeps the first value of a field, up to `room` bytes; how many that are. Without room there is no value, which an
/// empty one would not say.
fn keep(slot: &mut Option<Vec<u8>>, value: &[u8], room: usize) -> usize {
    if slot.is_some() || (room == 0 && !value.is_empty()) {
        return 0;
    }
    slot.insert(kept(value, room)).len()
}

/// A hash that is never 0, but for a text of no bytes.
pub(crate) fn hash(text: &[u8]) -> u64 {
    if text.is_empty() {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish().max(1)
}

/// The first value of a list (RFC 3261 §7.3.1). A comma within brackets or quotes ends none.
fn first_of(value: &[u8]) -> &[u8] {
    let (mut is_quoted, mut is_escaped, mut in_brackets) = (false, false, false);
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' if !in_brackets => is_quoted = !is_quoted,
            b'<' | b'>' if !is_quoted => in_brackets = *byte == b'<',
            b',' if !is_quoted && !in_brackets => return value[..at].trim_ascii_end(),
            _ => {}
        }
    }
    value
}

/// What follows the address of `From` or `To` (RFC 3261 §20.10): without brackets, parameters are the field's. A semicolon
/// before it is that of an address or of a name in quotes.
fn behind_address(value: &[u8]) -> &[u8] {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in value.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b'<' if !is_quoted => {
                let end = value[at..].iter().position(|&byte| byte == b'>');
                return end.map_or(&[], |end| &value[at + end..]);
            }
            _ => {}
        }
    }
    value
}

/// A parameter of a field (RFC 3261 §7.3.1), behind the value that it belongs to.
fn parameter<'a>(value: &'a [u8], name: &[u8]) -> &'a [u8] {
    for parameter in value.split(|&byte| byte == b';').skip(1) {
        let Some(end) = parameter.iter().position(|&byte| byte == b'=') else { continue };
        if parameter[..end].trim_ascii().eq_ignore_ascii_case(name) {
            return parameter[end + 1..].trim_ascii();
        }
    }
    &[]
}

/// The first bytes of a text.
pub(crate) fn kept(text: &[u8], len: usize) -> Vec<u8> {
    text[..text.len().min(len)].to_vec()
}

/// Whether all bytes are those of a token, and there is at least one (RFC 3261 §25.1).
pub(crate) fn is_token(word: &[u8]) -> bool {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(byte);
    !word.is_empty() && word.iter().all(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_lines() {
        let request = |line: &[u8]| match Message::begin(line) {
            Some(Message::Request(SipRequest { method, uri, .. })) => Some((method, uri)),
            _ => None,
        };
        let bob = || Some((b"INVITE".to_vec(), b"sip:bob@b.example".to_vec()));
        assert_eq!(request(b"INVITE sip:bob@b.example SIP/2.0"), bob());
        assert_eq!(request(b"INVITE sip:bob@b.example sip/2.0"), bob());
        for line in [
            &b"INVITE sip:bob@b.example SIP/3.0"[..],
            b"INVITE sip:bob @b.example SIP/2.0",
            b"INVITE  SIP/2.0",
            b"IN/VITE sip:bob SIP/2.0",
            b"OPTIONS * RTSP/1.0",
            b"GET / HTTP/1.1",
            b" SIP/2.0",
            b"SIP/2.0",
            b"INVITE sip:bobSIP/2.0",
            b"IP/2.0",
        ] {
            assert_eq!(Message::begin(line), None, "{}", line.escape_ascii());
        }
        let response = |line: &[u8]| match Message::begin(line) {
            Some(Message::Response(SipResponse { code, reason, .. })) => Some((code, reason)),
            _ => None,
        };
        assert_eq!(response(b"SIP/2.0 180 Ringing"), Some((180, b"Ringing".to_vec())));
        assert_eq!(response(b"SIP/2.0 200"), Some((200, Vec::new())));
        assert_eq!(response(b"Sip/2.0 200"), Some((200, Vec::new())));
        for line in [&b"SIP/2.0 99 x"[..], b"SIP/2.0 700 x", b"SIP/2.0 2000", b"SIP/2.0 +20 x"] {
            assert_eq!(Message::begin(line), None, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn names_have_compact_forms_and_any_case() {
        let (mut head, mut fields) = (Head::default(), SipFields::default());
        for line in [
            &b"i: one"[..],
            b"Call-ID: two",
            b"FROM : <sip:a@b>",
            b"v: SIP/2.0/UDP a;branch=x, SIP/2.0/UDP b",
            b"c: application/SDP; charset=utf-8",
            b"l: 7",
            b"no colon",
            b"Authorization: Digest username=\"bob\", response=\"secret\"",
        ] {
            assert_eq!(head.field(line, &mut fields), Ok(()));
        }
        assert_eq!(fields.call_id.as_deref(), Some(&b"one"[..]));
        assert_eq!(fields.from.as_deref(), Some(&b"<sip:a@b>"[..]));
        assert_eq!(fields.via, [&b"SIP/2.0/UDP a;branch=x"[..], b"SIP/2.0/UDP b"]);
        assert_eq!((head.content_length, head.is_sdp), (Some(7), true));
        assert!(
            !format!("{fields:?}").contains(&format!("{:?}", b"secret").replace(['[', ']'], ""))
        );
        for length in ["", "x", "-1", "1 2", "99999999999"] {
            let line = format!("Content-Length: {length}");
            let invalid = Err(ParseError::InvalidField("Content-Length"));
            assert_eq!(head.field(line.as_bytes(), &mut fields), invalid, "{length}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (mut head, mut fields) = (Head::default(), SipFields::default());
        let long = "x".repeat(2000);
        for name in ["From", "To", "Call-ID", "CSeq", "Contact", "Subject", "Date", "Warning"] {
            head.field(format!("{name}: {long}").as_bytes(), &mut fields).unwrap();
        }
        for _ in 0..100 {
            head.field(format!("Via: SIP/2.0/UDP {long}").as_bytes(), &mut fields).unwrap();
        }
        let len = |field: &Option<Vec<u8>>| field.as_ref().map(Vec::len);
        for field in [&fields.from, &fields.to, &fields.call_id, &fields.cseq, &fields.warning] {
            assert_eq!(len(field), Some(MAX_FIELD));
        }
        assert_eq!((fields.via.len(), head.kept), (4, MAX_FIELDS));
        // No room is no value.
        head.field(b"User-Agent: x", &mut fields).unwrap();
        assert_eq!(fields.user_agent, None);
    }

    #[test]
    fn long_vias_leave_room_for_what_names_a_call() {
        let (mut head, mut fields) = (Head::default(), SipFields::default());
        for _ in 0..8 {
            let via = format!("Via: SIP/2.0/UDP a;branch={}", "x".repeat(300));
            head.field(via.as_bytes(), &mut fields).unwrap();
        }
        for line in [&b"From: <sip:a>"[..], b"To: <sip:b>", b"Call-ID: c", b"CSeq: 1 INVITE"] {
            head.field(line, &mut fields).unwrap();
        }
        assert_eq!(fields.from.as_deref(), Some(&b"<sip:a>"[..]));
        assert_eq!(fields.to.as_deref(), Some(&b"<sip:b>"[..]));
        assert_eq!(fields.call_id.as_deref(), Some(&b"c"[..]));
        assert_eq!(fields.cseq.as_deref(), Some(&b"1 INVITE"[..]));
        assert_eq!(fields.via.len(), 8);
    }

    #[test]
    fn the_branch_is_a_parameter_of_the_first_via() {
        let check = |via: &str, expected: &str| {
            let (mut head, mut fields) = (Head::default(), SipFields::default());
            head.field(format!("Via: {via}").as_bytes(), &mut fields).unwrap();
            head.field(b"Via: SIP/2.0/UDP z;branch=z", &mut fields).unwrap();
            assert_eq!(head.identity.branch, hash(expected.as_bytes()), "{via}");
        };
        check("SIP/2.0/UDP a:5060;rport;Branch = z9hG4bK1;x=y", "z9hG4bK1");
        check("SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2", "1");
        check("SIP/2.0/UDP a;branch=", "");
        check("SIP/2.0/UDP branch=x", "");
        let long = "x".repeat(400);
        check(&format!("SIP/2.0/UDP a;rport=5060;received=192.0.2.1;branch={long}"), &long);
    }

    #[test]
    fn the_tag_is_a_parameter_behind_the_address() {
        let check = |to: &str, expected: &str| {
            let (mut head, mut fields) = (Head::default(), SipFields::default());
            head.field(format!("To: {to}").as_bytes(), &mut fields).unwrap();
            assert_eq!(head.identity.to_tag, hash(expected.as_bytes()), "{to}");
        };
        check("sip:b@b;Tag=1;x=y", "1");
        check("<sip:b@b;tag=1>", "");
        check("\"a \\\" <x>;tag=0\" <sip:b@b;tag=1>; tag = 2", "2");
        check("Bob <sip:b@b;tag=1", "");
        check(&format!("<sip:{}@b>;tag=3", "b".repeat(400)), "3");
    }

    #[test]
    fn the_first_of_a_list_ends_at_a_comma() {
        let check = |list: &str, first: &str| {
            assert_eq!(first_of(list.as_bytes()), first.as_bytes(), "{list}");
        };
        check("<sip:q@r> , <sip:q2@r>", "<sip:q@r>");
        check("\"A, B\" <sip:a,b@c>;q=0.7, x", "\"A, B\" <sip:a,b@c>;q=0.7");
        check("\"\\\", \" <sip:a@b>", "\"\\\", \" <sip:a@b>");
        check("*", "*");
        check("", "");
    }
}
