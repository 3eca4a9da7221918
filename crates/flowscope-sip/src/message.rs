use std::time::Duration;

use flowscope_core::{FlowSide, Timestamp};

/// A request with its final response, or a response without a request.
///
/// An INVITE that was forked may be accepted by several callees, each with a tag of its own in `To` (RFC 3261
/// §13.2.2.4). The first 2xx is the response of the INVITE; each other one is a response without a request, with the same `Call-ID` and `CSeq`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SipTransaction {
    /// Time of the end of the request's header; without one, of the response's.
    pub ts: Timestamp,
    /// Who sent the request, or would have.
    pub side: FlowSide,
    /// Number of the transaction in its flow, from 0, in the order in which transactions begin.
    pub id: u32,
    /// The request; `None` if it was not captured, or is in the record of an earlier 2xx.
    pub request: Option<SipRequest>,
    /// The final response (RFC 3261 §7.2), else the last provisional one; `None` if there was none. `ACK` has none.
    pub response: Option<SipResponse>,
    /// Provisional responses, codes below 200 (RFC 3261 §21.1).
    pub provisional: u32,
    /// Repetitions of the request (RFC 3261 §17.1.1.2).
    pub retransmissions: u32,
    /// From the request to its final response.
    pub latency: Option<Duration>,
}

/// A request (RFC 3261 §7.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SipRequest {
    /// The method, up to 32 bytes.
    pub method: Vec<u8>,
    /// The Request-URI, up to 256 bytes.
    pub uri: Vec<u8>,
    /// Header and body.
    pub fields: SipFields,
}

/// A response (RFC 3261 §7.2).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SipResponse {
    /// The status code, 100 to 699.
    pub code: u16,
    /// The reason phrase, up to 256 bytes.
    pub reason: Vec<u8>,
    /// Header and body.
    pub fields: SipFields,
}

/// What is kept of a message: header fields (RFC 3261 §20), the first 256 bytes of each, and the media of its body.
/// `From`, `To`, `Call-ID` and `CSeq` have room of their own; of all others 2048 bytes are kept, and a field without
/// room is `None`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SipFields {
    /// `From`, with its tag.
    pub from: Option<Vec<u8>>,
    /// `To`, with its tag.
    pub to: Option<Vec<u8>>,
    /// `Call-ID`.
    pub call_id: Option<Vec<u8>>,
    /// `CSeq`: a number and the method.
    pub cseq: Option<Vec<u8>>,
    /// `Via`, the first 8.
    pub via: Vec<Vec<u8>>,
    /// `Contact`, the first.
    pub contact: Option<Vec<u8>>,
    /// `User-Agent`, or `Server`.
    pub user_agent: Option<Vec<u8>>,
    /// `Subject`.
    pub subject: Option<Vec<u8>>,
    /// `Date`.
    pub date: Option<Vec<u8>>,
    /// `Reply-To`.
    pub reply_to: Option<Vec<u8>>,
    /// `Warning`.
    pub warning: Option<Vec<u8>>,
    /// `Content-Type`.
    pub content_type: Option<Vec<u8>>,
    /// Length of the body in bytes, as `Content-Length` says; without it, of what is left of the datagram.
    pub body_len: u64,
    /// The media of a body in SDP, the first 8.
    pub media: Vec<SipMedia>,
}

/// A medium: `m=`, with the address of the `c=` that it has or inherits (RFC 8866 §5.7, §5.14).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SipMedia {
    /// `audio`, `video`, `image` and so on, up to 32 bytes.
    pub kind: Vec<u8>,
    /// The address or name to send to, without TTL and number of addresses, up to 64 bytes.
    pub address: Option<Vec<u8>>,
    /// The port; 0 refuses the medium (RFC 3264 §6).
    pub port: u16,
    /// The transport, as `RTP/AVP`, up to 32 bytes.
    pub transport: Vec<u8>,
}

impl SipTransaction {
    /// A transaction that begins.
    pub(crate) fn new(side: FlowSide, ts: Timestamp, id: u32) -> Self {
        SipTransaction {
            ts,
            side,
            id,
            request: None,
            response: None,
            provisional: 0,
            retransmissions: 0,
            latency: None,
        }
    }

    /// Header and body of the request, if there is one, else of the response.
    #[must_use]
    pub fn fields(&self) -> Option<&SipFields> {
        let request = self.request.as_ref().map(|request| &request.fields);
        request.or_else(|| self.response.as_ref().map(|response| &response.fields))
    }

    /// Memory held beside the value itself, in bytes, by capacity.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.request.as_ref().map_or(0, SipRequest::heap_bytes)
            + self.response.as_ref().map_or(0, SipResponse::heap_bytes)
    }
}

impl SipRequest {
    pub(crate) fn heap_bytes(&self) -> usize {
        self.method.capacity() + self.uri.capacity() + self.fields.heap_bytes()
    }
}

impl SipResponse {
    pub(crate) fn heap_bytes(&self) -> usize {
        self.reason.capacity() + self.fields.heap_bytes()
    }
}

impl SipFields {
    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = [
            &self.from,
            &self.to,
            &self.call_id,
            &self.cseq,
            &self.contact,
            &self.user_agent,
            &self.subject,
            &self.date,
            &self.reply_to,
            &self.warning,
            &self.content_type,
        ];
        let media = |medium: &SipMedia| {
            let address = medium.address.as_ref().map_or(0, Vec::capacity);
            medium.kind.capacity() + medium.transport.capacity() + address
        };
        texts.into_iter().flatten().map(Vec::capacity).sum::<usize>()
            + self.via.capacity() * size_of::<Vec<u8>>()
            + self.via.iter().map(Vec::capacity).sum::<usize>()
            + self.media.capacity() * size_of::<SipMedia>()
            + self.media.iter().map(media).sum::<usize>()
    }
}
