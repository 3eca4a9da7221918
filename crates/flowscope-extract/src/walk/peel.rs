use flowscope_core::{Cursor, Layer, NextHeader, PacketView, PathLayer, Refusal, VlanTag};

use super::bytes::Bytes;
use super::numbers::{ETHERTYPE_IPV4, ETHERTYPE_IPV6, FIRST_ETHERTYPE, MPLS, MPLS_UPSTREAM, PPPOE};
use super::start::is_tcp;
use super::tags::{is_kind, is_tag, pending_tag};
use super::tunnel::{self, Tunnel};
use super::{descent, ip, link};

/// Moves the view's cursor past a layer and notes the layer in its path; `false` if the layer is
/// not what comes next, and the view is as it was. VLAN tags and MPLS labels that stand one behind the other are peeled at
/// once. [`Layer::Gre`] stands for all that GRE carries, NVGRE and ERSPAN too, and [`Layer::Mpls`] for
/// the pseudo-wire that labels may carry.
///
/// In the view of a joined or quoted packet ([`Cursor::around`]), layers of its path are stepped
/// over, in their order, before any is read. Where a tunnel's packet is a fragment, the view is handed on with the
/// cursor at [`NextHeader::IpFragment`], so that the extractor below asks for it to be joined.
///
/// # Errors
///
/// When the packet cannot be read that far, or has more layers than
/// [`MAX_DEPTH`](flowscope_core::MAX_DEPTH). The view is as it was.
pub fn peel(view: &mut PacketView<'_>, layer: Layer) -> Result<bool, Refusal> {
    peel_inline(view, layer)
}

/// The same for a layer that is known to the caller, who then pays for no other.
#[inline(always)]
pub(crate) fn peel_inline(view: &mut PacketView<'_>, layer: Layer) -> Result<bool, Refusal> {
    match descent::peel(view, layer) {
        Some(peeled) => Ok(peeled),
        None => general(view, layer),
    }
}

/// What [`peel`] does, without the shortcuts.
#[inline(never)]
pub(crate) fn general(view: &mut PacketView<'_>, layer: Layer) -> Result<bool, Refusal> {
    let mut peeler = Peeler::new(view);
    let found = if peeler.cursor.next == NextHeader::IpFragment {
        true
    } else if peeler.is_joined() {
        peeler.step_over(layer)
    } else {
        match layer {
            Layer::Vlan => peeler.tags()?,
            // A tag that nobody peeled stands before all else.
            _ if peeler.tag.is_some() => false,
            Layer::Mpls => peeler.enter()? && peeler.labels()?,
            Layer::Pppoe => peeler.enter()? && peeler.session()?,
            _ => peeler.enter()? && peeler.tunnel(Some(layer))?,
        }
    };
    if found {
        *view.cursor_mut() = peeler.cursor;
    }
    Ok(found)
}

/// The cursor at the innermost packet: behind all that can be peeled, but for tunnels that carry
/// something else than IP, which are flows themselves. Where it was if there is nothing to peel.
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

/// Whether there are layers that stand before the cursor, so to speak: of a joined datagram, or the
/// tag that the capture took out.
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

    /// Peels layer by layer until nothing more can be, and notes where the last IP header was that
    /// carries a tunnel.
    fn walk(&mut self, tunnel: &mut Option<Cursor>) -> Result<(), Refusal> {
        while self.step(tunnel)? {}
        Ok(())
    }

    /// Peels what comes next, if it can be: then the cursor moves on.
    pub(super) fn step(&mut self, tunnel: &mut Option<Cursor>) -> Result<bool, Refusal> {
        Ok(match self.cursor.next {
            NextHeader::Link(_) => self.tags()? || !matches!(self.cursor.next, NextHeader::Link(_)),
            NextHeader::EtherType(number) if is_tag(number) => self.tags()?,
            NextHeader::EtherType(MPLS | MPLS_UPSTREAM) => self.labels()?,
            NextHeader::EtherType(PPPOE) => self.session()?,
            NextHeader::EtherType(length) if length < FIRST_ETHERTYPE => self.enter()?,
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

    /// Steps over a link header, LLC and SNAP headers, if that is where the cursor is.
    fn enter(&mut self) -> Result<bool, Refusal> {
        let at = self.cursor.offset as usize;
        let (next, at) = link::step_over(self.bytes, self.cursor.next, at)?;
        self.move_to(next, at);
        Ok(true)
    }

    fn tags(&mut self) -> Result<bool, Refusal> {
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

    /// A stack of labels down to the one marked as the bottom (RFC 3032 §2.1), and the pseudo-wire
    /// that it may be.
    fn labels(&mut self) -> Result<bool, Refusal> {
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
        let Some((next, at)) = tunnel::below_labels(self.bytes, at)? else {
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
    fn session(&mut self) -> Result<bool, Refusal> {
        let NextHeader::EtherType(PPPOE) = self.cursor.next else { return Ok(false) };
        let at = self.cursor.offset as usize;
        let [0x11, 0, a, b, _, _] = *self.bytes.array(at)? else { return Ok(false) };
        let (next, at) = link::ppp(self.bytes, at + 6)?;
        self.push(Layer::Pppoe, u16::from_be_bytes([a, b]))?;
        self.move_to(next, at);
        Ok(true)
    }

    /// The tunnel in an IP packet, if it is the one that is asked for. A fragment, of which that
    /// cannot be known, counts as if.
    fn tunnel(&mut self, wanted: Option<Layer>) -> Result<bool, Refusal> {
        let at = self.cursor.offset as usize;
        let Some(version) = ip::version(self.cursor.next) else { return Ok(false) };
        if is_tcp(self.bytes.captured, self.cursor.next, at) {
            return Ok(false);
        }
        let packet = match ip::read(self.bytes, at, version) {
            // The extractor below will say so; it is no reason to report the tunnel instead.
            Err(Refusal::HeaderMalformed) if wanted.is_none() => return Ok(false),
            read => read?,
        };
        if packet.fragment.is_some() {
            self.cursor.next = NextHeader::IpFragment;
            return Ok(true);
        }
        let inside = match tunnel::over_ip(self.bytes.until(packet.end), packet.proto, packet.at) {
            // Too short for what its number announces, so it is something else.
            Err(Refusal::HeaderMalformed) => None,
            found => found?,
        };
        match inside {
            Some(Tunnel { layer, next, at })
                if wanted.is_none_or(|wanted| is_kind(wanted, layer.layer)) =>
            {
                self.push(layer.layer, layer.id)?;
                self.move_to(next, at);
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

    fn is_joined(&self) -> bool {
        usize::from(self.cursor.stepped) < self.cursor.path.len()
    }

    /// Steps over a layer that was peeled from the fragments of a joined datagram, or all of a
    /// stack.
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
