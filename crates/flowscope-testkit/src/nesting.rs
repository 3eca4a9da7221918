use flowscope_core::{Layer, PathLayer};

use crate::{Frame, Packet, Rng, frame};

/// Random packet inside tags and tunnels, with the expected result of an extractor.
#[derive(Clone, Debug)]
pub struct Nesting {
    /// The complete packet.
    pub packet: Packet,
    /// The outer layers, ready for another inner packet of the same IP version.
    pub outer: Frame,
    /// The innermost packet alone, from its IP header on.
    pub inner: Frame,
    /// Whether that is IPv6.
    pub v6: bool,
    /// The outer layers, outermost first.
    pub path: Vec<PathLayer>,
}

impl Nesting {
    /// A packet inside exactly `depth` layers.
    #[must_use]
    pub fn new(rng: &mut Rng, depth: usize) -> Self {
        let mut nest = Nest { frame: frame(), path: Vec::new(), left: depth, ips: 0, v6: false };
        nest.link(rng);
        let inner = nest.innermost(rng, frame());
        let outer = nest.frame;
        // Drawn once, written twice.
        let whole = outer.clone().then(&inner);
        Nesting { packet: whole.packet(), outer, inner, v6: nest.v6, path: nest.path }
    }
}

/// What is being drawn.
struct Nest {
    frame: Frame,
    path: Vec<PathLayer>,
    /// Layers still to be added.
    left: usize,
    /// IP headers so far, so that each has addresses of its own.
    ips: u8,
    v6: bool,
}

impl Nest {
    fn link(&mut self, rng: &mut Rng) {
        match rng.below(8) {
            0 => {
                self.add(Frame::sll);
                self.ethertype(rng);
            }
            1 => self.ip(rng),
            _ => self.ethernet(rng),
        }
    }

    fn ethernet(&mut self, rng: &mut Rng) {
        // Some look like an IP header where nothing says that they are none.
        let dst = *rng.pick(&[
            [2, 0, 0, 0, 0, 2],
            [0x45, 0, 0xff, 0xff, 0, 1],
            [0x60, 0, 0, 0, 0xff, 0xff],
            // Lengths that fit.
            [0x45, 0, 0, 30, 0, 1],
            [0x4c, 0x5e, 0, 60, 0, 1],
            [0x6c, 0x3b, 0x6b, 0, 0, 9],
        ]);
        self.add(|frame| frame.ethernet_between([2, 0, 0, 0, 0, 1], dst));
        self.ethertype(rng);
    }

    /// What an Ethertype may announce.
    fn ethertype(&mut self, rng: &mut Rng) {
        if self.left > 0 && rng.one_in(2) {
            for _ in 0..=rng.below(self.left.min(3)) {
                let (tpid, id) =
                    (*rng.pick(&[0x8100, 0x88a8, 0x9100, 0x9200, 0x9300]), rng.below(4096) as u16);
                let priority = (rng.below(16) as u16) << 12;
                self.add(|frame| frame.vlan_tag(tpid, priority | id));
                self.layer(Layer::Vlan, u32::from(id));
            }
        }
        match rng.below(8) {
            0 | 1 if self.left > 0 => self.labels(rng, true),
            2 if self.left > 0 => {
                let id = rng.below(0x4000) as u16;
                self.add(|frame| frame.vn_tag(id, 9));
                self.layer(Layer::VnTag, id.into());
                self.ethertype(rng);
            }
            3 if self.left > 0 => {
                let id = rng.below(0x1_0000) as u16;
                self.add(|frame| frame.trustsec(id));
                self.layer(Layer::TrustSec, id.into());
                self.ethertype(rng);
            }
            4 if self.left > 0 => {
                let id = rng.below(0x100_0000) as u32;
                let service = rng.one_in(2);
                self.add(|frame| if service { frame.pbb(id) } else { frame.nsh(id) });
                self.layer(if service { Layer::Pbb } else { Layer::Nsh }, id);
                if service { self.ethernet(rng) } else { self.ethernet_or_ip(rng) }
            }
            5 if self.left > 0 => {
                let session = rng.below(0x1_0000) as u16;
                self.add(|frame| frame.pppoe(session));
                self.layer(Layer::Pppoe, u32::from(session));
                self.ppp(rng);
            }
            _ => self.ip(rng),
        }
    }

    /// What a PPP protocol number may announce.
    fn ppp(&mut self, rng: &mut Rng) {
        if self.left > 0 && rng.one_in(4) { self.labels(rng, true) } else { self.ip(rng) }
    }

    fn labels(&mut self, rng: &mut Rng, wires: bool) {
        for _ in 0..=rng.below(self.left.min(3)) {
            let label = 16 + rng.below(0xf_fff0) as u32;
            self.add(|frame| frame.mpls(label));
            self.layer(Layer::Mpls, label);
        }
        if wires && self.left > 0 && rng.one_in(2) {
            if rng.one_in(2) {
                self.add(Frame::control_word);
            }
            self.layer(Layer::Pseudowire, 0);
            self.ethernet(rng);
        } else {
            self.ip(rng);
        }
    }

    /// The header of a tunnel's packet and what it carries; nothing if this is to be the last.
    fn ip(&mut self, rng: &mut Rng) {
        if self.left == 0 {
            return;
        }
        let frame = std::mem::replace(&mut self.frame, frame());
        self.frame = self.header(rng, frame);
        let id = rng.below(0x100_0000) as u32;
        match rng.below(12) {
            0 | 1 => {
                self.add(|frame| frame.vxlan(id));
                self.layer(Layer::Vxlan, id);
                self.ethernet(rng);
            }
            2 => {
                self.add(|frame| frame.vxlan_gpe(id));
                self.layer(Layer::Vxlan, id);
                self.ethernet_or_ip(rng);
            }
            3 | 4 => {
                let options = rng.bytes(4);
                let many = rng.below(4);
                self.add(|frame| frame.geneve(id).options(&options.repeat(many)));
                self.layer(Layer::Geneve, id);
                self.ethernet_or_ip(rng);
            }
            5 => {
                let full = rng.one_in(2);
                self.add(|frame| if full { frame.gre_full(id, 1) } else { frame.gre_key(id) });
                self.layer(Layer::Gre, id);
                if self.left > 0 && rng.one_in(3) { self.labels(rng, true) } else { self.ip(rng) }
            }
            6 => {
                self.add(Frame::gre);
                self.layer(Layer::Gre, 0);
                self.ethernet_or_ip(rng);
            }
            7 => {
                self.add(|frame| frame.gre_key(id << 8 | 5));
                self.layer(Layer::Nvgre, id);
                self.ethernet(rng);
            }
            8 => {
                let (session, kind) = (id as u16 & 0x3ff, rng.below(4));
                self.add(|frame| match kind {
                    0 => frame.gre().next(0x88be),
                    1 => frame.erspan(session),
                    more => frame.erspan_iii(session, more == 2),
                });
                self.layer(Layer::Erspan, if kind == 0 { 0 } else { u32::from(session) });
                if kind > 1 { self.ethernet_or_ip(rng) } else { self.ethernet(rng) }
            }
            9 => {
                let (ack, bare) = (rng.one_in(2), rng.one_in(2));
                self.add(|frame| frame.pptp(id as u16, ack));
                self.add(|frame| if bare { frame.ppp_bare() } else { frame.ppp() });
                self.layer(Layer::Gre, 0);
                self.ppp(rng);
            }
            10 => {
                let (seq, extensions) = (rng.one_in(2), rng.below(3));
                self.add(|frame| {
                    let frame = frame.gtpu(id);
                    let frame = if seq { frame.seq(1) } else { frame };
                    let extend =
                        |frame: Frame, words| frame.gtpu_extension(0x85, &[7; 10][..2 + 4 * words]);
                    (0..extensions).fold(frame, extend)
                });
                self.layer(Layer::GtpU, id);
                self.ip(rng);
            }
            _ => {
                self.layer(Layer::IpIp, 0);
                self.ip(rng);
            }
        }
    }

    fn ethernet_or_ip(&mut self, rng: &mut Rng) {
        if rng.one_in(2) { self.ethernet(rng) } else { self.ip(rng) }
    }

    /// An IP header like no other of this packet, with options or extension headers now and then.
    fn header(&mut self, rng: &mut Rng, frame: Frame) -> Frame {
        self.ips += 1;
        let n = self.ips;
        self.v6 = rng.one_in(3);
        if self.v6 {
            let header = frame.ipv6(format!("2001:db8:{n}::1"), format!("2001:db8:{n}::2"));
            let header = header.flow_label(rng.below(0x10_0000) as u32);
            if rng.one_in(4) { header.destination(&[0; 6]) } else { header }
        } else {
            let header = frame.ipv4(format!("10.{n}.0.1"), format!("10.{n}.0.2"));
            if rng.one_in(4) { header.options(&[1; 4]) } else { header }
        }
    }

    /// A packet that is no tunnel.
    fn innermost(&mut self, rng: &mut Rng, frame: Frame) -> Frame {
        let header = self.header(rng, frame);
        let (src, dst) = (40000 + rng.below(1000) as u16, 50 + rng.below(50) as u16);
        let payload = rng.below(100);
        let packet = match rng.below(5) {
            0 => header.udp(src, dst),
            1 => header.sctp(src, dst),
            2 => header.echo_request(src, 1),
            3 => header.tcp(src, dst).options(&[2, 4, 5, 0xb4]),
            _ => header.tcp(src, dst).ack(7),
        };
        packet.payload(rng.bytes(payload + 8))
    }

    fn add(&mut self, layer: impl FnOnce(Frame) -> Frame) {
        let frame = std::mem::replace(&mut self.frame, frame());
        self.frame = layer(frame);
    }

    fn layer(&mut self, layer: Layer, id: u32) {
        self.path.push(PathLayer { layer, id });
        self.left -= 1;
    }
}
