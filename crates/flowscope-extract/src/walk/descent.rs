//! Everyday tags and tunnels, opened in one pass: Ethernet, VLAN tags, MPLS, PPPoE, and tunnels in IPv4
//! without options or IPv6 without extension headers, neither fragmented nor longer than its frame.
//!
//! Gives what the general walk gives, or leaves it to that; a property test holds it to that.
//! Counted in instructions like the shortcut for plain packets: what is left of the frame is a slice,
//! so that a header costs one comparison, and tunnels have the straightest way.

use std::hint::cold_path;

use flowscope_core::{Layer, LinkType, NextHeader, PacketView, PathLayer};

use super::bytes::Bytes;
use super::numbers::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, GENEVE_PORT, GRE, GTP_U_PORT, ICMP, ICMPV6, IPV4, IPV6, MPLS,
    PPP_IPV4, PPP_IPV6, PPP_MPLS, PPPOE, SCTP, TCP, TRANSPARENT_BRIDGING, UDP, VXLAN_PORT,
    is_tunnel_port,
};
use super::start::Start;
use super::tags::{has_pending_tag, is_kind, is_tag, pending_tag};
use super::tunnel::{self, ETHERNET, Tunnel};

/// Moves the view's cursor to the innermost packet. After `false` nothing has changed, and the general
/// walk has to go.
#[inline(always)]
pub(super) fn to_innermost(view: &mut PacketView<'_>, start: Start) -> bool {
    let before = view.cursor().path.len();
    let found = descend(view, start).is_some();
    if !found {
        view.cursor_mut().path.truncate(before);
    }
    found
}

#[inline(always)]
fn descend(view: &mut PacketView<'_>, start: Start) -> Option<()> {
    let mut place = if start.at == Start::UNKNOWN.at {
        if view.vlan().is_some() && has_pending_tag(view) {
            push_pending_tag(view)?;
        }
        Place::of(view)?
    } else {
        Place::behind(view, start.ethertype, start.at)?
    };
    loop {
        // The most common is asked for first, and by itself.
        if place.ethertype == ETHERTYPE_IPV4 {
            match place.open(view, true, None)? {
                Some(_) => continue,
                None => break,
            }
        }
        match place.ethertype {
            ETHERTYPE_IPV6 => match place.open(view, false, None)? {
                Some(_) => {}
                None => break,
            },
            number if is_tag(number) => place.tag(view)?,
            MPLS => {
                let next = place.labels(view)?;
                place.resolve(next)?;
            }
            PPPOE => place.session(view)?,
            _ => return None,
        }
    }
    place.note(view, NextHeader::EtherType(place.ethertype));
    Some(())
}

/// Peels one layer, or says that another comes next; after `None` or `false` nothing has changed, and
/// after `None` the general walk has to answer.
#[inline(always)]
pub(super) fn peel(view: &mut PacketView<'_>, layer: Layer) -> Option<bool> {
    let before = view.cursor().path.len();
    if usize::from(view.cursor().stepped) != before {
        return None;
    }
    let peeled = peel_from(view, layer, before);
    if peeled != Some(true) {
        view.cursor_mut().path.truncate(before);
    }
    peeled
}

#[inline(always)]
fn peel_from(view: &mut PacketView<'_>, layer: Layer, before: usize) -> Option<bool> {
    let is_tag_beside = view.vlan().is_some() && has_pending_tag(view);
    if is_tag_beside && layer != Layer::Vlan {
        // A tag that nobody peeled stands before all else.
        return Some(false);
    }
    let mut place = Place::of(view)?;
    let next = match (layer, place.ethertype) {
        (Layer::Vlan, _) => {
            if is_tag_beside {
                push_pending_tag(view)?;
            }
            while is_tag(place.ethertype) {
                place.tag(view)?;
            }
            if view.cursor().path.len() == before {
                return Some(false);
            }
            NextHeader::EtherType(place.ethertype)
        }
        (Layer::Mpls, MPLS) => place.labels(view)?,
        (Layer::Pppoe, PPPOE) => {
            place.session(view)?;
            NextHeader::EtherType(place.ethertype)
        }
        (Layer::Mpls | Layer::Pppoe, _) => return None,
        (_, number) => {
            let opened = if number == ETHERTYPE_IPV4 {
                place.open(view, true, Some(layer))?
            } else if number == ETHERTYPE_IPV6 {
                place.open(view, false, Some(layer))?
            } else {
                return None;
            };
            match opened {
                Some(next) if is_kind(layer, view.cursor().path.get(before)?.layer) => next,
                _ => return Some(false),
            }
        }
    };
    place.note(view, next);
    Some(true)
}

#[cold]
fn push_pending_tag(view: &mut PacketView<'_>) -> Option<()> {
    let tag = pending_tag(view)?;
    push(view, Layer::Vlan, u32::from(tag.id()))
}

#[inline(always)]
fn push(view: &mut PacketView<'_>, layer: Layer, id: u32) -> Option<()> {
    view.cursor_mut().path.push(PathLayer { layer, id }).ok()
}

/// Where a walk stands.
struct Place<'a> {
    frame: &'a [u8],
    /// What is left of it.
    rest: &'a [u8],
    /// What that begins with.
    ethertype: u16,
}

impl<'a> Place<'a> {
    /// At the view's cursor, or behind the Ethernet header there.
    #[inline(always)]
    fn of(view: &PacketView<'a>) -> Option<Self> {
        let cursor = view.cursor();
        let mut place = Place::behind(view, 0, cursor.offset as usize)?;
        place.resolve(cursor.next)?;
        Some(place)
    }

    #[inline(always)]
    fn behind(view: &PacketView<'a>, ethertype: u16, at: usize) -> Option<Self> {
        let frame = view.frame();
        Some(Place { frame, rest: frame.get(at..)?, ethertype })
    }

    /// Finds the Ethertype of what is known to come next, which may be an Ethernet header.
    #[inline(always)]
    fn resolve(&mut self, next: NextHeader) -> Option<()> {
        if next == NextHeader::Link(LinkType::ETHERNET) {
            return self.skip::<14>().map(drop);
        }
        self.ethertype = match next {
            NextHeader::EtherType(number) => number,
            NextHeader::Ip => match *self.rest.first()? >> 4 {
                4 => ETHERTYPE_IPV4,
                6 => ETHERTYPE_IPV6,
                _ => return None,
            },
            _ => return None,
        };
        Some(())
    }

    /// Steps over a header that ends with an Ethertype.
    #[inline(always)]
    fn skip<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (header, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        self.ethertype = u16::from_be_bytes([header[N - 2], header[N - 1]]);
        Some(header)
    }

    /// Puts the view's cursor here.
    #[inline(always)]
    fn note(&self, view: &mut PacketView<'_>, next: NextHeader) {
        let cursor = view.cursor_mut();
        cursor.next = next;
        cursor.offset = self.at() as u32;
        cursor.stepped = cursor.path.len() as u8;
    }

    #[inline(always)]
    fn at(&self) -> usize {
        self.frame.len() - self.rest.len()
    }

    /// Whether `len` bytes from here on were on the wire.
    #[inline(always)]
    fn has(&self, view: &PacketView<'_>, len: usize) -> bool {
        len <= self.rest.len() || has_more(view, len - self.rest.len())
    }

    /// Steps over the tunnel in the IP packet at hand and says what comes next; the inner `None` is
    /// that there is no tunnel.
    #[inline(always)]
    fn open(
        &mut self,
        view: &mut PacketView<'a>,
        is_v4: bool,
        wanted: Option<Layer>,
    ) -> Option<Option<NextHeader>> {
        let wants = |layer| wanted.is_none_or(|wanted| is_kind(wanted, layer));
        // What is behind the IP header, and how much of that is the packet's by its own length.
        let (proto, behind, len) = if is_v4 {
            let (header, behind) = self.rest.split_first_chunk::<20>()?;
            // Without options, and no fragment.
            if header[0] != 0x45 || u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
                return None;
            }
            if header[9] == TCP {
                return Some(None);
            }
            let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
            (header[9], behind, len.checked_sub(20)?)
        } else {
            let (header, behind) = self.rest.split_first_chunk::<40>()?;
            if header[0] >> 4 != 6 {
                return None;
            }
            if header[6] == TCP {
                return Some(None);
            }
            // A length of 0 has a meaning of its own.
            let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
            (header[6], behind, if len == 0 { return None } else { len })
        };
        if len > behind.len() && !has_more(view, len - behind.len()) {
            return None;
        }
        if proto == UDP {
            if let Some((header, inside)) = behind.split_first_chunk::<16>()
                && len >= 16
            {
                match u16::from_be_bytes([header[2], header[3]]) {
                    VXLAN_PORT if wants(Layer::Vxlan) => {
                        if let &[.., 0x08, _, _, _, a, b, c, d] = header {
                            push(view, Layer::Vxlan, u32::from_be_bytes([a, b, c, d]) >> 8)?;
                            return self.enter(ETHERNET, inside, wanted);
                        }
                    }
                    GENEVE_PORT if wants(Layer::Geneve) => {
                        if let &[.., words @ 0..=0x3f, _, hi, lo, a, b, c, d] = header {
                            let vni = u32::from_be_bytes([a, b, c, d]) >> 8;
                            let number = u16::from_be_bytes([hi, lo]);
                            if number == TRANSPARENT_BRIDGING {
                                push(view, Layer::Geneve, vni)?;
                                let inside = inside.get(usize::from(words) * 4..)?;
                                return self.enter(ETHERNET, inside, wanted);
                            }
                            cold_path();
                            if let Some(next) = ethernet_or_ip(number) {
                                push(view, Layer::Geneve, vni)?;
                                let inside = inside.get(usize::from(words) * 4..)?;
                                return self.enter(next, inside, wanted);
                            }
                        }
                    }
                    GTP_U_PORT if wants(Layer::GtpU) => {
                        // At least one byte has to be inside.
                        if let &[.., 0x30, 0xff, _, _, a, b, c, d] = header
                            && len > 16
                            && matches!(*inside.first()? >> 4, 4 | 6)
                        {
                            push(view, Layer::GtpU, u32::from_be_bytes([a, b, c, d]))?;
                            return self.enter(NextHeader::Ip, inside, wanted);
                        }
                    }
                    port if !is_tunnel_port(port) => return Some(None),
                    _ => {}
                }
            }
        } else if proto == GRE {
            if wants(Layer::Gre)
                && let Some(&[flags @ (0 | 0x20), 0, hi, lo, a, b, c, d]) =
                    behind.first_chunk::<8>()
                && len >= 8
                && let Some(next) = ethernet_or_ip(u16::from_be_bytes([hi, lo]))
            {
                let (key, len) = match flags {
                    0 => (0, 4),
                    _ => (u32::from_be_bytes([a, b, c, d]), 8),
                };
                match next {
                    NextHeader::Link(_) if flags != 0 => push(view, Layer::Nvgre, key >> 8)?,
                    _ => push(view, Layer::Gre, key)?,
                }
                return self.enter(next, behind.get(len..)?, wanted);
            }
        } else if proto == IPV4 || proto == IPV6 {
            if !wants(Layer::IpIp) {
                cold_path();
                return Some(None);
            }
            push(view, Layer::IpIp, 0)?;
            let number = if proto == IPV4 { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 };
            return self.enter(NextHeader::EtherType(number), behind, wanted);
        } else {
            cold_path();
            // Of the rest, some are known not to be followed by another header.
            return matches!(proto, ICMP | ICMPV6 | SCTP).then_some(None);
        }
        let Some((next, inside)) = rarer(view, proto, behind, len)? else { return Some(None) };
        self.enter(next, inside, wanted)
    }

    /// Goes to `inside`, which begins with `next`; on a walk to the innermost packet further, to where
    /// an Ethertype says what begins there.
    #[inline(always)]
    fn enter(
        &mut self,
        next: NextHeader,
        inside: &'a [u8],
        wanted: Option<Layer>,
    ) -> Option<Option<NextHeader>> {
        self.rest = inside;
        if wanted.is_none() {
            self.resolve(next)?;
        }
        Some(Some(next))
    }

    #[inline(always)]
    fn tag(&mut self, view: &mut PacketView<'_>) -> Option<()> {
        let [a, b, ..] = *self.skip::<4>()?;
        push(view, Layer::Vlan, u32::from(u16::from_be_bytes([a, b]) & 0x0fff))
    }

    #[inline(always)]
    fn labels(&mut self, view: &mut PacketView<'a>) -> Option<NextHeader> {
        loop {
            let (&entry, rest) = self.rest.split_first_chunk::<4>()?;
            let entry = u32::from_be_bytes(entry);
            push(view, Layer::Mpls, entry >> 12)?;
            self.rest = rest;
            if entry & 0x100 != 0 {
                break;
            }
        }
        let &[first, _, hi, lo] = self.rest.first_chunk::<4>()?;
        let len = usize::from(u16::from_be_bytes([hi, lo]));
        if first >> 4 == 4 && self.has(view, len) {
            return Some(NextHeader::Ip);
        }
        let (next, inside) = wire_or_ip(view, self.at())?;
        self.rest = inside;
        Some(next)
    }

    #[inline(always)]
    fn session(&mut self, view: &mut PacketView<'_>) -> Option<()> {
        let (&[0x11, 0, a, b, _, _, hi, lo], rest) = self.rest.split_first_chunk::<8>()? else {
            return None;
        };
        self.ethertype = match u16::from_be_bytes([hi, lo]) {
            PPP_IPV4 => ETHERTYPE_IPV4,
            PPP_IPV6 => ETHERTYPE_IPV6,
            PPP_MPLS => MPLS,
            _ => return None,
        };
        self.rest = rest;
        push(view, Layer::Pppoe, u32::from(u16::from_be_bytes([a, b])))
    }
}

/// Whether there were `more` bytes on the wire than were captured. Apart, since most packets are whole.
#[inline(never)]
fn has_more(view: &PacketView<'_>, more: usize) -> bool {
    let bytes = Bytes::of(view);
    more <= bytes.wire - bytes.captured.len()
}

/// What [`Place::open`] does, for the forms of tunnel headers that are less common: what comes next, and
/// the frame from there on. `behind` is the frame behind the IP header, whose packet has `len` bytes of
/// this protocol there.
#[inline(never)]
fn rarer<'a>(
    view: &mut PacketView<'a>,
    proto: u8,
    behind: &[u8],
    len: usize,
) -> Option<Option<(NextHeader, &'a [u8])>> {
    let frame = view.frame();
    let at = frame.len() - behind.len();
    let found = tunnel::over_ip(Bytes::of(view).until(at + len), proto, at).ok()?;
    let Some(Tunnel { layer, next, at }) = found else { return Some(None) };
    push(view, layer.layer, layer.id)?;
    Some(Some((next, frame.get(at..)?)))
}

/// What labels carry that end at `at`, where that is not IPv4 at first sight: what comes next, and the
/// frame from there on.
#[inline(never)]
fn wire_or_ip<'a>(view: &mut PacketView<'a>, at: usize) -> Option<(NextHeader, &'a [u8])> {
    let (next, at) = tunnel::below_labels(Bytes::of(view), at).ok()??;
    if let NextHeader::Link(_) = next {
        push(view, Layer::Pseudowire, 0)?;
    }
    Some((next, view.frame().get(at..)?))
}

#[inline(always)]
fn ethernet_or_ip(number: u16) -> Option<NextHeader> {
    match number {
        TRANSPARENT_BRIDGING => Some(ETHERNET),
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => Some(NextHeader::EtherType(number)),
        _ => None,
    }
}
