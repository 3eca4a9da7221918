//! Bodies in SDP (RFC 8866): the media, and where they are to be sent.

use crate::SipMedia;
use crate::head::kept;

/// Media that are kept.
const MAX_MEDIA: usize = 8;
/// Bytes of a kind and of a transport that are kept.
const MAX_WORD: usize = 32;
/// Bytes of an address that are kept.
const MAX_ADDRESS: usize = 64;

/// The description whose lines are being read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sdp {
    /// The address of the session, for media that have none.
    session: Option<Vec<u8>>,
    /// Media so far, those that are not kept included.
    count: usize,
}

impl Sdp {
    /// A line, without its end.
    pub(crate) fn line(&mut self, line: &[u8], media: &mut Vec<SipMedia>) {
        match line {
            [b'm', b'=', rest @ ..] => {
                self.count += 1;
                if media.len() < MAX_MEDIA
                    && let Some(medium) = medium(rest)
                {
                    media.push(SipMedia { address: self.session.clone(), ..medium });
                }
            }
            [b'c', b'=', rest @ ..] => {
                let Some(address) = address(rest) else { return };
                match media.last_mut() {
                    _ if self.count == 0 => self.session = Some(address),
                    // The description of a medium that is not kept has none.
                    Some(medium) if self.count <= MAX_MEDIA => medium.address = Some(address),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.session.as_ref().map_or(0, Vec::capacity)
    }
}

/// `audio 49170/2 RTP/AVP 0` (RFC 8866 §5.14).
fn medium(text: &[u8]) -> Option<SipMedia> {
    let mut words = text.split(|&byte| byte == b' ');
    let (kind, port, transport) = (words.next()?, words.next()?, words.next()?);
    let port = port.split(|&byte| byte == b'/').next()?;
    let port = str::from_utf8(port).ok()?.parse().ok()?;
    Some(SipMedia {
        kind: kept(kind, MAX_WORD),
        address: None,
        port,
        transport: kept(transport, MAX_WORD),
    })
}

/// The address in `IN IP4 233.252.0.1/127/3` (RFC 8866 §5.7).
fn address(text: &[u8]) -> Option<Vec<u8>> {
    let address = text.split(|&byte| byte == b' ').nth(2)?;
    let address = address.split(|&byte| byte == b'/').next()?;
    (!address.is_empty()).then(|| kept(address, MAX_ADDRESS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Option<String>, u16, String)> {
        let (mut sdp, mut media) = (Sdp::default(), Vec::new());
        text.lines().for_each(|line| sdp.line(line.as_bytes(), &mut media));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let shown = |medium: SipMedia| {
            (text(medium.kind), medium.address.map(text), medium.port, text(medium.transport))
        };
        media.into_iter().map(shown).collect()
    }

    #[test]
    fn media_have_the_session_s_address_or_their_own() {
        let media = read(
            "v=0\no=- 1 1 IN IP4 10.0.0.9\nc=IN IP4 10.0.0.1\nm=audio 49170 RTP/AVP 0 8\n\
             m=video 51372/2 RTP/AVP 99\nc=IN IP4 233.252.0.1/127/3\nm=image 0 udptl t38\nc=IN IP6 ::1\n",
        );
        let of = |kind: &str, address: &str, port, transport: &str| {
            (kind.to_owned(), Some(address.to_owned()), port, transport.to_owned())
        };
        assert_eq!(
            media,
            [
                of("audio", "10.0.0.1", 49170, "RTP/AVP"),
                of("video", "233.252.0.1", 51372, "RTP/AVP"),
                of("image", "::1", 0, "udptl"),
            ]
        );
    }

    #[test]
    fn what_is_no_medium_is_left_out_and_many_are_cut() {
        assert_eq!(
            read("m=audio x RTP/AVP 0\nm=audio 70000 RTP/AVP\nm=audio 1\nm=\nc=\nc=IN IP4 /\n"),
            []
        );
        assert_eq!(read("m=audio 1 RTP/AVP 0\n")[0].1, None);
        let many = "m=audio 1 RTP/AVP 0\nc=IN IP4 10.0.0.1\n".repeat(9) + "c=IN IP4 10.0.0.2\n";
        let media = read(&many);
        assert_eq!(media.len(), MAX_MEDIA);
        assert!(media.iter().all(|medium| medium.1.as_deref() == Some("10.0.0.1")));
    }
}
