/// Bytes of a message header (RFC 7011 §3.1).
pub(crate) const HEADER: usize = 16;

/// Splits what an [`Exporter`](crate::Exporter) wrote into messages, in order. Bytes behind the last whole
/// message are left out.
pub fn messages(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let [_, _, high, low, ..] = *bytes else { return None };
        let len = usize::from(u16::from_be_bytes([high, low]));
        let (message, rest) = bytes.split_at_checked(len.max(HEADER))?;
        bytes = rest;
        Some(message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_cut_by_their_length_fields() {
        let message = |len: u16| {
            let mut message = vec![0, 10];
            message.extend(len.to_be_bytes());
            message.resize(usize::from(len.max(4)), 7);
            message
        };
        let both = [message(16), message(40)].concat();
        let lens = |bytes: &[u8]| messages(bytes).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(lens(&both), [16, 40]);
        assert_eq!(lens(&both[..both.len() - 1]), [16]);
        assert!(lens(&[]).is_empty());
        // A length that is no message's does not stop time.
        assert_eq!(lens(&[0; 64]), [16; 4]);
    }
}
