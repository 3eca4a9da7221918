use super::Frame;
use crate::layer::{Kind, Layer, Order};

/// Tags and tunnels.
impl Frame {
    /// An 802.1Q tag.
    pub fn vlan(self, id: u16) -> Self {
        self.vlan_tag(0x8100, id)
    }

    /// A tag with another tag protocol identifier and all of its control field.
    pub fn vlan_tag(self, tpid: u16, tci: u16) -> Self {
        self.push(Kind::Vlan { tpid, tci })
    }

    /// An MPLS label; the bottom-of-stack bit is set where no other label follows.
    pub fn mpls(self, label: u32) -> Self {
        self.push(Kind::Mpls { label })
    }

    /// A PPPoE session header with the PPP protocol field.
    pub fn pppoe(self, session: u16) -> Self {
        self.push(Kind::Pppoe { session })
    }

    /// VXLAN, behind UDP to port 4789 unless a UDP layer is there already.
    pub fn vxlan(self, vni: u32) -> Self {
        self.over_udp(4789).push(Kind::Vxlan { vni, gpe: false })
    }

    /// VN-Tag with destination and source interface.
    pub fn vn_tag(self, dst: u16, src: u16) -> Self {
        self.push(Kind::VnTag { dst, src })
    }

    /// Provider backbone bridging (IEEE 802.1ah): an Ethernet layer follows.
    pub fn pbb(self, service: u32) -> Self {
        self.push(Kind::Pbb { service })
    }

    /// Cisco metadata with a security group.
    pub fn trustsec(self, group: u16) -> Self {
        self.push(Kind::TrustSec { group })
    }

    /// Network service header (RFC 8300) of a service path, without metadata.
    pub fn nsh(self, path: u32) -> Self {
        self.push(Kind::Nsh { path })
    }

    /// Cisco HDLC.
    pub fn cisco_hdlc(self) -> Self {
        self.push(Kind::CiscoHdlc)
    }

    /// Frame Relay with a SNAP header (RFC 2427).
    pub fn frame_relay(self) -> Self {
        self.push(Kind::FrameRelay)
    }

    /// Token Ring with a SNAP header, and with a source route or without.
    pub fn token_ring(self, route: bool) -> Self {
        self.push(Kind::TokenRing { route })
    }

    /// FDDI with a SNAP header.
    pub fn fddi(self) -> Self {
        self.push(Kind::Fddi)
    }

    /// What Linux netfilter logs, in the byte order of the capturing host.
    pub fn nflog(self, order: Order) -> Self {
        self.push(Kind::Nflog { order })
    }

    /// VXLAN with the generic protocol extension, behind UDP to port 4790 unless a UDP layer is there
    /// already.
    pub fn vxlan_gpe(self, vni: u32) -> Self {
        self.over_udp(4790).push(Kind::Vxlan { vni, gpe: true })
    }

    /// The control word of a pseudo-wire (RFC 4385), between MPLS labels and an Ethernet frame.
    pub fn control_word(self) -> Self {
        self.push(Kind::ControlWord)
    }

    /// GENEVE, behind UDP to port 6081 unless a UDP layer is there already.
    pub fn geneve(self, vni: u32) -> Self {
        self.over_udp(6081).push(Kind::Geneve { vni, options: Vec::new() })
    }

    /// GTP-U, behind UDP to port 2152 unless a UDP layer is there already.
    pub fn gtpu(self, teid: u32) -> Self {
        self.over_udp(2152).push(Kind::GtpU { teid, seq: None, extensions: Vec::new() })
    }

    /// Teredo, with the headers of RFC 4380 §5.1.1 or without, behind UDP to port 3544 unless a UDP layer is
    /// there already.
    pub fn teredo(self, authentication: bool, origin: bool) -> Self {
        self.over_udp(3544).push(Kind::Teredo { authentication, origin })
    }

    /// AYIYA with an identity of 16 bytes and a signature of 20, behind UDP to port 5072 unless a UDP layer
    /// is there already.
    pub fn ayiya(self) -> Self {
        self.over_udp(5072).push(Kind::Ayiya)
    }

    /// Adds an extension header to GTP-U. Its content has two bytes less than a multiple of four.
    pub fn gtpu_extension(mut self, kind: u8, content: &[u8]) -> Self {
        match &mut self.last().kind {
            Kind::GtpU { extensions, .. } => extensions.push((kind, content.to_vec())),
            other => panic!("{other:?} has no extension headers"),
        }
        self
    }

    /// GRE without optional fields.
    pub fn gre(self) -> Self {
        self.push(Kind::Gre { key: None, seq: None, checksum: false })
    }

    /// GRE with a key: before an Ethernet layer this is NVGRE, the upper 24 bits being its network.
    pub fn gre_key(self, key: u32) -> Self {
        self.push(Kind::Gre { key: Some(key), seq: None, checksum: false })
    }

    /// GRE with every optional field.
    pub fn gre_full(self, key: u32, seq: u32) -> Self {
        self.push(Kind::Gre { key: Some(key), seq: Some(seq), checksum: true })
    }

    /// ERSPAN type II, in GRE with a sequence number.
    pub fn erspan(self, session: u16) -> Self {
        self.push(Kind::Gre { key: None, seq: Some(1), checksum: false }).push(Kind::Erspan {
            session,
            third: false,
            platform: false,
        })
    }

    /// ERSPAN type III, with or without the eight bytes that some platforms add.
    pub fn erspan_iii(self, session: u16, platform: bool) -> Self {
        self.push(Kind::Gre { key: None, seq: Some(1), checksum: false }).push(Kind::Erspan {
            session,
            third: true,
            platform,
        })
    }

    /// The enhanced GRE of PPTP, to be followed by [`ppp`](Frame::ppp).
    pub fn pptp(self, call: u16, ack: bool) -> Self {
        self.push(Kind::Pptp { call, ack })
    }

    fn over_udp(self, port: u16) -> Self {
        match self.layers.last() {
            Some(Layer { kind: Kind::Udp { .. }, .. }) => self,
            _ => self.udp(49152, port),
        }
    }
}
