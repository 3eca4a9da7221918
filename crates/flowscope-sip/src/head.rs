//! The start line and the header of a message (RFC 3261 §7).

use flowscope_core::ParseError;

use crate::{SipFields, SipRequest, SipResponse};

/// Bytes of a header field, of a Request-URI and of a reason phrase that are kept.
pub(crate) const MAX_FIELD: usize = 256;
/// Bytes of all header fields of a message that are kept.
const MAX_FIELDS: usize = 2048;
/// `Via` fields that are kept: each proxy adds one.
const MAX_VIA: usize = 8;
/// The longest method.
pub(crate) const MAX_METHOD: usize = 32;

/// A request or a response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Message {
    Request(SipRequest),
    Response(SipResponse),
}

impl Message {
    /// The message that this line begins.
    pub(crate) fn begin(line: &[u8]) -> Option<Self> {
        if let Some(rest) = line.strip_prefix(b"SIP/2.0 ") {
            let (code, reason) = rest.split_at_checked(3)?;
            let code: u16 = str::from_utf8(code).ok()?.parse().ok()?;
            // Three digits, and a space, which some leave out without a phrase.
            if !(100..700).contains(&code) || !matches!(reason.first(), None | Some(b' ')) {
                return None;
            }
            let reason = kept(reason.trim_ascii(), MAX_FIELD);
            return Some(Message::Response(SipResponse { code, reason, ..SipResponse::default() }));
        }
        let line = line.strip_suffix(b" SIP/2.0")?;
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

/// What a header says of the body.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Head {
    pub(crate) content_length: Option<u64>,
    pub(crate) is_sdp: bool,
    /// Bytes of fields that are kept.
    kept: usize,
}

impl Head {
    /// A header field, with the lines that continue it (RFC 3261 §7.3.1).
    ///
    /// # Errors
    ///
    /// A `Content-Length` that is no number: where the next message begins is not known.
    pub(crate) fn field(&mut self, line: &[u8], fields: &mut SipFields) -> Result<(), ParseError> {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return Ok(()) };
        let (name, value) = (line[..colon].trim_ascii_end(), line[colon + 1..].trim_ascii());
        let slot = match full_name(name) {
            Field::ContentLength => {
                let number = str::from_utf8(value).ok().and_then(|text| text.parse::<u32>().ok());
                let length = number.ok_or(ParseError::InvalidField("Content-Length"))?;
                self.content_length = Some(length.into());
                return Ok(());
            }
            Field::Via => {
                for via in value.split(|&byte| byte == b',') {
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
            Field::From => &mut fields.from,
            Field::To => &mut fields.to,
            Field::CallId => &mut fields.call_id,
            Field::Cseq => &mut fields.cseq,
            Field::Contact => &mut fields.contact,
            Field::UserAgent => &mut fields.user_agent,
            Field::Subject => &mut fields.subject,
            Field::Date => &mut fields.date,
            Field::ReplyTo => &mut fields.reply_to,
            Field::Warning => &mut fields.warning,
            Field::Other => return Ok(()),
        };
        if slot.is_none() {
            let value = kept(value, (MAX_FIELDS - self.kept).min(MAX_FIELD));
            self.kept += value.len();
            *slot = Some(value);
        }
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
        for line in [
            &b"INVITE sip:bob@b.example SIP/3.0"[..],
            b"INVITE sip:bob @b.example SIP/2.0",
            b"INVITE  SIP/2.0",
            b"IN/VITE sip:bob SIP/2.0",
            b"OPTIONS * RTSP/1.0",
            b"GET / HTTP/1.1",
            b" SIP/2.0",
        ] {
            assert_eq!(Message::begin(line), None, "{}", line.escape_ascii());
        }
        let response = |line: &[u8]| match Message::begin(line) {
            Some(Message::Response(SipResponse { code, reason, .. })) => Some((code, reason)),
            _ => None,
        };
        assert_eq!(response(b"SIP/2.0 180 Ringing"), Some((180, b"Ringing".to_vec())));
        assert_eq!(response(b"SIP/2.0 200"), Some((200, Vec::new())));
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
            head.field(b"Via: SIP/2.0/UDP a", &mut fields).unwrap();
        }
        assert_eq!((fields.from.as_ref().unwrap().len(), head.kept), (MAX_FIELD, MAX_FIELDS));
        assert_eq!(fields.via.len(), 0);
    }
}
