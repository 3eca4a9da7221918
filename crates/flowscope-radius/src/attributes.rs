use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What is kept of the attributes of request and answer (RFC 2865 §5). Texts up to 128 bytes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RadiusAttributes {
    /// `User-Name`.
    pub user_name: Option<Vec<u8>>,
    /// `NAS-IP-Address`, or `NAS-IPv6-Address` (RFC 3162 §2.1): who asks.
    pub nas_address: Option<IpAddr>,
    /// `NAS-Identifier`.
    pub nas_identifier: Option<Vec<u8>>,
    /// `NAS-Port`.
    pub nas_port: Option<u32>,
    /// `NAS-Port-Type`: 15 is Ethernet, 19 is 802.11, 5 is virtual.
    pub nas_port_type: Option<u32>,
    /// `Service-Type`: 2 is Framed, 6 is Administrative, 10 is Call-Check.
    pub service_type: Option<u32>,
    /// `Framed-IP-Address`, or `Framed-IPv6-Address` (RFC 6911 §3.1): the user's.
    pub framed_address: Option<IpAddr>,
    /// `Calling-Station-Id`: where the user is, in most cases a MAC address.
    pub calling_station: Option<Vec<u8>>,
    /// `Called-Station-Id`: of an access point its MAC address and the name of its network.
    pub called_station: Option<Vec<u8>>,
    /// `Tunnel-Client-Endpoint` (RFC 2868 §3.3).
    pub tunnel_client: Option<Vec<u8>>,
    /// `Connect-Info` (RFC 2869 §5.11).
    pub connect_info: Option<Vec<u8>>,
    /// `Reply-Message`, of the answer.
    pub reply_message: Option<Vec<u8>>,
    /// `Session-Timeout` in seconds, of the answer.
    pub session_timeout: Option<u32>,
    /// `Error-Cause` (RFC 5176 §3.5).
    pub error_cause: Option<u32>,
    /// Whether there is an `EAP-Message` (RFC 3579 §3.1).
    pub has_eap: bool,
    /// `Acct-Session-Id` (RFC 2866 §5.5).
    pub session_id: Option<Vec<u8>>,
    /// What a session has used; only of accounting.
    pub accounting: Option<Box<RadiusAccounting>>,
}

/// What a session has used (RFC 2866 §5).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RadiusAccounting {
    /// `Acct-Status-Type`: 1 is Start, 2 Stop, 3 Interim-Update.
    pub status: u32,
    /// `Acct-Session-Time`, in seconds.
    pub session_time: Option<u32>,
    /// Bytes from the user: `Acct-Input-Octets` and `Acct-Input-Gigawords` (RFC 2869 §5.1).
    pub input_octets: Option<u64>,
    /// Bytes to the user: `Acct-Output-Octets` and `Acct-Output-Gigawords` (RFC 2869 §5.2).
    pub output_octets: Option<u64>,
    /// `Acct-Terminate-Cause`.
    pub terminate_cause: Option<u32>,
}

/// Bytes of a text that are kept.
const MAX_TEXT: usize = 128;

impl RadiusAttributes {
    /// An attribute of a packet: its type and value. What is of the wrong length is left out.
    pub(crate) fn add(&mut self, kind: u8, value: &[u8]) {
        match kind {
            1 => text(&mut self.user_name, value),
            4 => self.nas_address = self.nas_address.or_else(|| ipv4(value)),
            5 => number(&mut self.nas_port, value),
            6 => number(&mut self.service_type, value),
            8 => self.framed_address = self.framed_address.or_else(|| ipv4(value)),
            18 => text(&mut self.reply_message, value),
            27 => number(&mut self.session_timeout, value),
            30 => text(&mut self.called_station, value),
            31 => text(&mut self.calling_station, value),
            32 => text(&mut self.nas_identifier, value),
            44 => text(&mut self.session_id, value),
            61 => number(&mut self.nas_port_type, value),
            // A tag below 0x20 is no part of the text.
            66 => text(&mut self.tunnel_client, untagged(value)),
            77 => text(&mut self.connect_info, value),
            79 => self.has_eap = true,
            95 => self.nas_address = self.nas_address.or_else(|| ipv6(value)),
            101 => number(&mut self.error_cause, value),
            168 => self.framed_address = self.framed_address.or_else(|| ipv6(value)),
            40 | 42 | 43 | 46 | 49 | 52 | 53 => {
                self.accounting.get_or_insert_default().add(kind, value);
            }
            _ => {}
        }
    }

    /// Adds those of the answer. What it says of the user counts more than what was asked.
    pub(crate) fn answered(&mut self, answer: RadiusAttributes) {
        self.user_name = answer.user_name.or(self.user_name.take());
        self.framed_address = answer.framed_address.or(self.framed_address);
        self.service_type = answer.service_type.or(self.service_type);
        self.tunnel_client = answer.tunnel_client.or(self.tunnel_client.take());
        self.reply_message = answer.reply_message;
        self.session_timeout = answer.session_timeout;
        self.error_cause = answer.error_cause;
        self.has_eap |= answer.has_eap;
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let texts = [
            &self.user_name,
            &self.nas_identifier,
            &self.calling_station,
            &self.called_station,
            &self.tunnel_client,
            &self.connect_info,
            &self.reply_message,
            &self.session_id,
        ];
        texts.into_iter().flatten().map(Vec::capacity).sum::<usize>()
            + self.accounting.as_ref().map_or(0, |_| size_of::<RadiusAccounting>())
    }
}

impl RadiusAccounting {
    fn add(&mut self, kind: u8, value: &[u8]) {
        let Some(number) = u32_of(value) else { return };
        let octets = |old: Option<u64>| old.unwrap_or(0) | u64::from(number);
        let words = |old: Option<u64>| old.unwrap_or(0) | u64::from(number) << 32;
        match kind {
            40 => self.status = number,
            42 => self.input_octets = Some(octets(self.input_octets)),
            43 => self.output_octets = Some(octets(self.output_octets)),
            46 => self.session_time = Some(number),
            49 => self.terminate_cause = Some(number),
            52 => self.input_octets = Some(words(self.input_octets)),
            _ => self.output_octets = Some(words(self.output_octets)),
        }
    }

    /// The name of the status (RFC 2866 §5.1).
    #[must_use]
    pub const fn status_name(&self) -> Option<&'static str> {
        Some(match self.status {
            1 => "Start",
            2 => "Stop",
            3 => "Interim-Update",
            7 => "Accounting-On",
            8 => "Accounting-Off",
            15 => "Failed",
            _ => return None,
        })
    }
}

fn text(slot: &mut Option<Vec<u8>>, value: &[u8]) {
    if slot.is_none() {
        *slot = Some(value[..value.len().min(MAX_TEXT)].to_vec());
    }
}

fn number(slot: &mut Option<u32>, value: &[u8]) {
    *slot = slot.or_else(|| u32_of(value));
}

fn u32_of(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

fn ipv4(value: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(value).ok().map(|octets| Ipv4Addr::from(octets).into())
}

fn ipv6(value: &[u8]) -> Option<IpAddr> {
    <[u8; 16]>::try_from(value).ok().map(|octets| Ipv6Addr::from(octets).into())
}

fn untagged(value: &[u8]) -> &[u8] {
    match value {
        [0..=0x1f, rest @ ..] => rest,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_counts_and_wrong_lengths_do_not() {
        let mut read = RadiusAttributes::default();
        for (kind, value) in [
            (1, &b"alice"[..]),
            (1, b"bob"),
            (2, b"sesame"),
            (3, b"sesame"),
            (69, b"sesame"),
            (4, &[10, 0, 0]),
            (4, &[10, 0, 0, 1]),
            (5, &[0, 0, 0, 3]),
            (5, &[0, 0, 0, 4]),
            (66, b"\x0110.0.0.9"),
            (95, &[0; 16]),
        ] {
            read.add(kind, value);
        }
        let expected = RadiusAttributes {
            user_name: Some(b"alice".to_vec()),
            nas_address: Some(Ipv4Addr::new(10, 0, 0, 1).into()),
            nas_port: Some(3),
            tunnel_client: Some(b"10.0.0.9".to_vec()),
            ..RadiusAttributes::default()
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn octets_have_words_above() {
        let mut read = RadiusAttributes::default();
        for (kind, last) in [(40, 2), (42, 7), (52, 1), (53, 2), (46, 60), (49, 1)] {
            read.add(kind, &[0, 0, 0, last]);
        }
        let accounting = *read.accounting.unwrap();
        assert_eq!(accounting.input_octets, Some((1 << 32) + 7));
        assert_eq!(accounting.output_octets, Some(2 << 32));
        assert_eq!((accounting.status_name(), accounting.session_time), (Some("Stop"), Some(60)));
    }
}
