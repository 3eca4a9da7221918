use std::fmt;

/// How many tags and tunnels may lie above a flow before the packet is refused as
/// [`DepthExceeded`](crate::Refusal::DepthExceeded).
pub const MAX_DEPTH: usize = 8;

/// A kind of encapsulation that can be peeled off.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Layer {
    /// IEEE 802.1Q or 802.1ad tag; the identifier is the 12-bit VLAN id.
    Vlan,
    /// MPLS label stack entry (RFC 3032); the identifier is the 20-bit label.
    Mpls,
    /// PPPoE session (RFC 2516); the identifier is the session id.
    Pppoe,
    /// VXLAN (RFC 7348), also with the generic protocol extension; the identifier is the 24-bit VNI.
    Vxlan,
    /// GENEVE (RFC 8926); the identifier is the 24-bit VNI.
    Geneve,
    /// GRE (RFC 2784, 2890); the identifier is the key, 0 without one. Also the enhanced GRE of PPTP
    /// (RFC 2637), whose call id differs per direction; the identifier is 0.
    Gre,
    /// NVGRE (RFC 7637); the identifier is the 24-bit virtual subnet id.
    Nvgre,
    /// ERSPAN, types I to III; the identifier is the session id, 0 in type I, which has none.
    Erspan,
    /// GTP-U (3GPP TS 29.281); the identifier is the TEID, which differs per direction.
    GtpU,
    /// IP in IP (RFC 2003, 2473, 4213); no identifier.
    IpIp,
    /// The Ethernet pseudo-wire that a stack of MPLS labels carries (RFC 4448); no identifier.
    Pseudowire,
    /// VN-Tag (IEEE 802.1Qbh draft); the identifier is the 14-bit destination interface, which differs
    /// per direction.
    VnTag,
    /// Provider backbone bridging, MAC in MAC (IEEE 802.1ah); the identifier is the 24-bit service id.
    Pbb,
    /// Cisco metadata of TrustSec; the identifier is the 16-bit security group of the sender, which
    /// differs per direction.
    TrustSec,
    /// Network service header (RFC 8300); the identifier is the 24-bit service path, which may differ
    /// per direction.
    Nsh,
    /// Teredo (RFC 4380); no identifier.
    Teredo,
    /// AYIYA (draft-massar-v6ops-ayiya); no identifier.
    Ayiya,
}

impl Layer {
    /// Its name in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Layer::Vlan => "vlan",
            Layer::Mpls => "mpls",
            Layer::Pppoe => "pppoe",
            Layer::Vxlan => "vxlan",
            Layer::Geneve => "geneve",
            Layer::Gre => "gre",
            Layer::Nvgre => "nvgre",
            Layer::Erspan => "erspan",
            Layer::GtpU => "gtp_u",
            Layer::IpIp => "ip_ip",
            Layer::Pseudowire => "pseudowire",
            Layer::VnTag => "vntag",
            Layer::Pbb => "pbb",
            Layer::TrustSec => "trustsec",
            Layer::Nsh => "nsh",
            Layer::Teredo => "teredo",
            Layer::Ayiya => "ayiya",
        }
    }
}

/// [`Layer::as_str`].
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One peeled layer and the number that names the tunnel or tag.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct PathLayer {
    /// What it was.
    pub layer: Layer,
    /// Its identifier, as documented on [`Layer`]; 0 where the kind has none.
    pub id: u32,
}

/// `vlan 5`; the name alone where the kind has no identifier.
impl fmt::Display for PathLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.layer.fmt(f)?;
        match self.layer {
            Layer::IpIp | Layer::Pseudowire => Ok(()),
            _ => write!(f, " {}", self.id),
        }
    }
}

/// The layers above a flow, outermost first; at most [`MAX_DEPTH`].
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Path {
    ids: [u32; MAX_DEPTH],
    layers: [Layer; MAX_DEPTH],
    len: u8,
}

impl Path {
    /// No encapsulation at all.
    pub const EMPTY: Path = Path { ids: [0; MAX_DEPTH], layers: [Layer::Vlan; MAX_DEPTH], len: 0 };

    /// Adds a layer below those already there.
    ///
    /// # Errors
    ///
    /// Returns the layer when [`MAX_DEPTH`] are there already.
    #[inline]
    pub fn push(&mut self, layer: PathLayer) -> Result<(), PathLayer> {
        let at = usize::from(self.len);
        if at == MAX_DEPTH {
            return Err(layer);
        }
        self.ids[at] = layer.id;
        self.layers[at] = layer.layer;
        self.len += 1;
        Ok(())
    }

    /// Removes the layers from `len` on, if there are any.
    pub fn truncate(&mut self, len: usize) {
        for at in len..self.len() {
            self.ids[at] = 0;
            self.layers[at] = Layer::Vlan;
            self.len -= 1;
        }
    }

    /// The layer at `index`, counted from the outermost.
    #[must_use]
    #[inline]
    pub fn get(&self, index: usize) -> Option<PathLayer> {
        (index < self.len()).then(|| PathLayer { layer: self.layers[index], id: self.ids[index] })
    }

    /// How many layers there are.
    #[must_use]
    #[inline]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no layer.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The layers, outermost first.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = PathLayer> + '_ {
        (0..self.len()).map(|i| PathLayer { layer: self.layers[i], id: self.ids[i] })
    }
}

impl Default for Path {
    fn default() -> Self {
        Path::EMPTY
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_ninth_layer() {
        let mut path = Path::EMPTY;
        for id in 0..MAX_DEPTH as u32 {
            path.push(PathLayer { layer: Layer::Mpls, id }).unwrap();
        }
        let ninth = PathLayer { layer: Layer::Vlan, id: 9 };
        assert_eq!(path.push(ninth), Err(ninth));
        assert_eq!(path.iter().map(|l| l.id).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
        assert_eq!(path.get(8), None);
        path.truncate(9);
        assert_eq!(path.len(), MAX_DEPTH);
        path.truncate(0);
        assert_eq!(path, Path::EMPTY);
    }
}
