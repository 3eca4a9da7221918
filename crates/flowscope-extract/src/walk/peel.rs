use flowscope_core::{
    Cursor, Layer, NextHeader, PacketView, PathLayer, Refusal, UnreadHeader, VlanTag,
};

use super::bytes::Bytes;
use super::layer_header::LayerHeader;
use super::link_payload::is_tcp;
use super::numbers::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, FIRST_ETHERTYPE, MPLS, MPLS_UPSTREAM, PPPOE};
use super::tags::{is_kind, is_tag, pending_tag};
use super::{fast, ip, link, pseudowire, shim, tunnel};

/// Moves the cursor of the view past a layer and appends the layer to the path.
///
/// Returns `false` and leaves the view unchanged if another layer comes next. Consecutive VLAN tags, and the
/// labels of an MPLS stack, are removed together. [`Layer::Gre`] includes NVGRE and ERSPAN, and
/// [`Layer::Mpls`] includes the pseudo-wire in the labels.
///
/// In the view of a reassembled or quoted packet ([`Cursor::around`]), the layers already in its path are
/// stepped over first, in order. If a tunnel packet is a fragment, the cursor is set to
/// [`NextHeader::IpFragment`], so that the inner extractor requests its reassembly.
///
/// # Errors
///
/// When the packet cannot be read that far, or has more layers than [`MAX_DEPTH`](flowscope_core::MAX_DEPTH).
/// The view is unchanged.
pub fn peel(view: &mut PacketView<'_>, layer: Layer) -> Result<bool, Refusal> {
    peel_inline(view, layer)
}

/// [`peel`] for a layer that is constant at the call site: the code for other layers is removed.
#[inline(always)]
pub(crate) fn peel_inline(view: &mut PacketView<'_>, layer: Layer) -> Result<bool, Refusal> {
    match fast::peel(view, layer) {
        Some(peeled) => Ok(peeled),
        None => peel_general(view, layer),
    }
}

/// [`peel`] without the fast path.
#[inline(never)]
pub(crate) fn peel_general(view: &mut PacketView<'_>, layer: Layer) -> Result<bool, Refusal> {
    let mut peeler = Peeler::new(view);
    let found = if peeler.cursor.next == NextHeader::IpFragment {
        true
    } else if peeler.has_layers_to_step_over() {
        peeler.step_over(layer)
    } else {
        match layer {
            Layer::Vlan => peeler.peel_tags()?,
            // The stripped tag is the outermost layer.
            _ if peeler.tag.is_some() => false,
            Layer::Mpls => peeler.skip_link_header()? && peeler.peel_labels()?,
            Layer::VnTag | Layer::Pbb | Layer::TrustSec | Layer::Nsh => {
                peeler.skip_link_header()? && peeler.peel_shim(Some(layer))?
            }
            Layer::Pppoe => peeler.skip_link_header()? && peeler.peel_pppoe()?,
            _ => peeler.skip_link_header()? && peeler.tunnel(Some(layer))?,
        }
    };
    if found {
        *view.cursor_mut() = peeler.cursor;
    }
    Ok(found)
}

/// The cursor at the innermost packet, behind every layer that can be removed. A tunnel that does not carry
/// IP is a flow itself and is not removed. Without any layer the cursor is unchanged.
pub(crate) fn innermost(view: &PacketView<'_>) -> Result<Cursor, Refusal> {
    let mut peeler = Peeler::new(view);
    peeler.cursor.stepped = peeler.cursor.path.len() as u8;
    let mut tunnel = None;
    match peeler.walk(&mut tunnel) {
        Ok(()) if peeler.is_at_ip() => return Ok(peeler.cursor),
        Ok(()) | Err(Refusal::NotAFlow | Refusal::HeaderMalformed) if tunnel.is_some() => {}
        Ok(()) if peeler.cursor.path.is_empty() => return Ok(*view.cursor()),
        Ok(()) => return Ok(peeler.cursor),
        Err(refusal) => return Err(refusal),
    }
    Ok(tunnel.unwrap_or(peeler.cursor))
}

/// The header at which the general walk stops, if it is none of IP.
#[cold]
pub(crate) fn unread(view: &PacketView<'_>) -> Option<UnreadHeader> {
    let mut peeler = Peeler::new(view);
    peeler.cursor.stepped = peeler.cursor.path.len() as u8;
    let mut tunnel = None;
    // An error leaves the cursor at the header that it is about.
    while let Ok(true) = peeler.step(&mut tunnel) {}
    match peeler.cursor.next {
        NextHeader::Link(link) => Some(UnreadHeader::Link(link)),
        NextHeader::EtherType(ETHERTYPE_IPV4 | ETHERTYPE_IPV6) => None,
        NextHeader::EtherType(length) if length < FIRST_ETHERTYPE => {
            let [dsap] = *peeler.bytes.array::<1>(peeler.cursor.offset as usize).ok()?;
            Some(UnreadHeader::Llc(dsap))
        }
        NextHeader::EtherType(number) => Some(UnreadHeader::EtherType(number)),
        _ => None,
    }
}

/// Whether layers remain that no combinator removed: in the path of a reassembled datagram, or the stripped
/// tag.
#[inline]
pub(super) fn has_unpeeled(view: &PacketView<'_>) -> bool {
    let cursor = view.cursor();
    usize::from(cursor.stepped) != cursor.path.len() || pending_tag(view).is_some()
}

pub(super) struct Peeler<'a> {
    bytes: Bytes<'a>,
    pub(super) cursor: Cursor,
    pub(super) tag: Option<VlanTag>,
}

impl<'a> Peeler<'a> {
    pub(super) fn new(view: &PacketView<'a>) -> Self {
        Peeler { bytes: Bytes::of(view), cursor: *view.cursor(), tag: pending_tag(view) }
    }

    /// Removes layer after layer, and stores in `tunnel` the position of the last IP header that carries a
    /// tunnel.
    fn walk(&mut self, tunnel: &mut Option<Cursor>) -> Result<(), Refusal> {
        while self.step(tunnel)? {}
        Ok(())
    }

    /// Removes the next layer; `false` if there is none.
    pub(super) fn step(&mut self, tunnel: &mut Option<Cursor>) -> Result<bool, Refusal> {
        Ok(match self.cursor.next {
            NextHeader::Link(_) => {
                self.peel_tags()? || !matches!(self.cursor.next, NextHeader::Link(_))
            }
            NextHeader::EtherType(number) if is_tag(number) => self.peel_tags()?,
            NextHeader::EtherType(MPLS | MPLS_UPSTREAM) => self.peel_labels()?,
            NextHeader::EtherType(PPPOE) => self.peel_pppoe()?,
            NextHeader::EtherType(number) if shim::is_shim(number) => self.peel_shim(None)?,
            NextHeader::EtherType(length) if length < FIRST_ETHERTYPE => self.skip_link_header()?,
            NextHeader::EtherType(ETHERTYPE_IPV4 | ETHERTYPE_IPV6) | NextHeader::Ip => {
                let here = self.cursor;
                let peeled = self.tunnel(None)?;
                if peeled && self.cursor.next != NextHeader::IpFragment {
                    *tunnel = Some(here);
                }
                peeled
            }
            _ => false,
        })
    }

    fn is_at_ip(&self) -> bool {
        matches!(
            self.cursor.next,
            NextHeader::Ip
                | NextHeader::IpFragment
                | NextHeader::EtherType(ETHERTYPE_IPV4 | ETHERTYPE_IPV6)
        )
    }

    /// Skips a link header, LLC and SNAP headers at the cursor.
    fn skip_link_header(&mut self) -> Result<bool, Refusal> {
        let at = self.cursor.offset as usize;
        let (next, at) = link::step_over(self.bytes, self.cursor.next, at)?;
        self.move_to(next, at);
        Ok(true)
    }

    fn peel_tags(&mut self) -> Result<bool, Refusal> {
        let before = self.cursor.stepped;
        if let Some(tag) = self.tag {
            self.push(Layer::Vlan, tag.id())?;
        }
        let at = self.cursor.offset as usize;
        let (next, at) = link::header_only(self.bytes, self.cursor.next, at)?;
        self.move_to(next, at);
        self.tag = None;
        while let NextHeader::EtherType(number) = self.cursor.next
            && is_tag(number)
        {
            let at = self.cursor.offset as usize;
            let [a, b, c, d] = *self.bytes.array(at)?;
            self.push(Layer::Vlan, u16::from_be_bytes([a, b]) & 0x0fff)?;
            self.move_to(NextHeader::EtherType(u16::from_be_bytes([c, d])), at + 4);
        }
        Ok(self.cursor.stepped != before)
    }

    /// Removes a label stack, to the label marked as the bottom (RFC 3032 §2.1), and the pseudo-wire in it.
    fn peel_labels(&mut self) -> Result<bool, Refusal> {
        let NextHeader::EtherType(MPLS | MPLS_UPSTREAM) = self.cursor.next else {
            return Ok(false);
        };
        let before = self.cursor;
        let mut at = self.cursor.offset as usize;
        loop {
            let entry = u32::from_be_bytes(*self.bytes.array(at)?);
            self.push(Layer::Mpls, entry >> 12)?;
            at += 4;
            if entry & 0x100 != 0 {
                break;
            }
        }
        let Some((next, at)) = pseudowire::below_labels(self.bytes, at)? else {
            self.cursor = before;
            return Ok(false);
        };
        if let NextHeader::Link(_) = next {
            self.push(Layer::Pseudowire, 0u32)?;
        }
        self.move_to(next, at);
        Ok(true)
    }

    /// RFC 2516 §4: version and type 1, code 0 for session packets, session id, length.
    fn peel_pppoe(&mut self) -> Result<bool, Refusal> {
        let NextHeader::EtherType(PPPOE) = self.cursor.next else { return Ok(false) };
        let at = self.cursor.offset as usize;
        let [0x11, 0, a, b, _, _] = *self.bytes.array(at)? else { return Ok(false) };
        let (next, at) = link::ppp(self.bytes, at + 6)?;
        self.push(Layer::Pppoe, u16::from_be_bytes([a, b]))?;
        self.move_to(next, at);
        Ok(true)
    }

    /// Removes one header between Ethernet and its payload, if it is the wanted kind.
    fn peel_shim(&mut self, wanted: Option<Layer>) -> Result<bool, Refusal> {
        let NextHeader::EtherType(number) = self.cursor.next else { return Ok(false) };
        let found = shim::read(self.bytes, number, self.cursor.offset as usize)?;
        match found {
            Some(LayerHeader { layer, next, offset })
                if wanted.is_none_or(|wanted| wanted == layer.layer) =>
            {
                self.push(layer.layer, layer.id)?;
                self.move_to(next, offset);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Removes the tunnel headers of an IP packet if it is the wanted kind. A fragment counts as a tunnel,
    /// because its content is unknown.
    fn tunnel(&mut self, wanted: Option<Layer>) -> Result<bool, Refusal> {
        let at = self.cursor.offset as usize;
        let Some(version) = ip::version(self.cursor.next) else { return Ok(false) };
        if is_tcp(self.bytes.captured, self.cursor.next, at) {
            return Ok(false);
        }
        let packet = match ip::read(self.bytes, at, version) {
            // The inner extractor reports this error; it is no reason to report the tunnel instead.
            Err(Refusal::HeaderMalformed) if wanted.is_none() => return Ok(false),
            read => read?,
        };
        if packet.fragment.is_some() {
            self.cursor.next = NextHeader::IpFragment;
            return Ok(true);
        }
        let inside = match tunnel::over_ip(self.bytes.until(packet.end), packet.proto, packet.at) {
            // Too short for the tunnel that its number names: not a tunnel.
            Err(Refusal::HeaderMalformed) => None,
            found => found?,
        };
        match inside {
            Some(LayerHeader { layer, next, offset })
                if wanted.is_none_or(|wanted| is_kind(wanted, layer.layer)) =>
            {
                self.push(layer.layer, layer.id)?;
                self.move_to(next, offset);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn move_to(&mut self, next: NextHeader, at: usize) {
        self.cursor.next = next;
        self.cursor.offset = at as u32;
    }

    fn push(&mut self, layer: Layer, id: impl Into<u32>) -> Result<(), Refusal> {
        let layer = PathLayer { layer, id: id.into() };
        self.cursor.path.push(layer).map_err(|_| Refusal::DepthExceeded)?;
        self.cursor.stepped += 1;
        Ok(())
    }

    fn has_layers_to_step_over(&self) -> bool {
        usize::from(self.cursor.stepped) < self.cursor.path.len()
    }

    /// Steps over a layer, or a whole stack, that was removed from the fragments of a reassembled datagram.
    fn step_over(&mut self, wanted: Layer) -> bool {
        let before = self.cursor.stepped;
        let stacks = matches!(wanted, Layer::Vlan | Layer::Mpls);
        let mut stepped = before;
        while let Some(found) = self.cursor.path.get(stepped.into())
            && is_kind(wanted, found.layer)
            && (stacks || stepped == before)
        {
            stepped += 1;
        }
        if wanted == Layer::Mpls
            && stepped != before
            && self.cursor.path.get(stepped.into()).is_some_and(|l| l.layer == Layer::Pseudowire)
        {
            stepped += 1;
        }
        self.cursor.stepped = stepped;
        stepped != before
    }
}
