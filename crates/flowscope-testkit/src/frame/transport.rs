use flowscope_core::TcpFlags;

use super::Frame;
use crate::layer::Kind;

/// Transport headers.
impl Frame {
    /// A TCP SYN; [`flags`](Frame::flags) makes it another segment.
    pub fn tcp(self, src: u16, dst: u16) -> Self {
        let options = Vec::new();
        let (seq, ack, flags, window, urgent) = (1000, 0, TcpFlags::SYN.0, 64240, 0);
        self.push(Kind::Tcp { src, dst, seq, ack, flags, window, urgent, options })
    }

    /// UDP.
    pub fn udp(self, src: u16, dst: u16) -> Self {
        self.push(Kind::Udp { src, dst })
    }

    /// SCTP common header; chunks are payload.
    pub fn sctp(self, src: u16, dst: u16) -> Self {
        self.push(Kind::Sctp { src, dst, tag: 1 })
    }

    /// ICMP or ICMPv6, whichever the IP layer above asks for, with four zero bytes behind the
    /// checksum.
    pub fn icmp(self, kind: u8, code: u8) -> Self {
        self.icmp_with(kind, code, [0; 4])
    }

    /// The same with the four bytes behind the checksum.
    pub fn icmp_with(self, kind: u8, code: u8, rest: [u8; 4]) -> Self {
        let v6 = self
            .layers
            .iter()
            .rev()
            .find_map(|l| match l.kind {
                Kind::Ipv4 { .. } => Some(false),
                Kind::Ipv6 { .. } => Some(true),
                _ => None,
            })
            .expect("an IP layer above ICMP");
        self.push(Kind::Icmp { v6, kind, code, rest })
    }

    /// Echo request.
    pub fn echo_request(self, id: u16, seq: u16) -> Self {
        self.echo(8, 128, id, seq)
    }

    /// Echo reply.
    pub fn echo_reply(self, id: u16, seq: u16) -> Self {
        self.echo(0, 129, id, seq)
    }

    fn echo(self, v4: u8, v6: u8, id: u16, seq: u16) -> Self {
        let ([a, b], [c, d]) = (id.to_be_bytes(), seq.to_be_bytes());
        let mut built = self.icmp_with(v4, 0, [a, b, c, d]);
        if let Kind::Icmp { v6: true, kind, .. } = &mut built.last().kind {
            *kind = v6;
        }
        built
    }

    /// Sequence number.
    pub fn seq(mut self, value: u32) -> Self {
        match &mut self.last().kind {
            Kind::Tcp { seq, .. } => *seq = value,
            Kind::Gre { seq, .. } => *seq = Some(value),
            Kind::GtpU { seq, .. } => *seq = Some(value as u16),
            other => panic!("{other:?} has no sequence number"),
        }
        self
    }

    /// Acknowledgement number; sets the ACK flag.
    pub fn ack(mut self, value: u32) -> Self {
        match &mut self.last().kind {
            Kind::Tcp { ack, flags, .. } => {
                *ack = value;
                *flags |= TcpFlags::ACK.0;
            }
            other => panic!("{other:?} has no acknowledgement number"),
        }
        self
    }

    /// All TCP flags.
    pub fn flags(mut self, value: TcpFlags) -> Self {
        match &mut self.last().kind {
            Kind::Tcp { flags, .. } => *flags = value.0,
            other => panic!("{other:?} has no flags"),
        }
        self
    }

    /// TCP window, unscaled.
    pub fn window(mut self, value: u16) -> Self {
        match &mut self.last().kind {
            Kind::Tcp { window, .. } => *window = value,
            other => panic!("{other:?} has no window"),
        }
        self
    }

    /// TCP urgent pointer; sets the URG flag.
    pub fn urgent(mut self, value: u16) -> Self {
        match &mut self.last().kind {
            Kind::Tcp { urgent, flags, .. } => {
                *urgent = value;
                *flags |= TcpFlags::URG.0;
            }
            other => panic!("{other:?} has no urgent pointer"),
        }
        self
    }

    /// Options of an IPv4, TCP or GENEVE header, padded with zeros to whole words.
    pub fn options(mut self, value: &[u8]) -> Self {
        let mut padded = value.to_vec();
        padded.resize(value.len().next_multiple_of(4), 0);
        match &mut self.last().kind {
            Kind::Ipv4 { options, .. }
            | Kind::Tcp { options, .. }
            | Kind::Geneve { options, .. } => *options = padded,
            other => panic!("{other:?} has no options"),
        }
        self
    }
}
