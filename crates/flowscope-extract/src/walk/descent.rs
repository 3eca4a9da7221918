//! Everyday tags and tunnels, opened in one pass: Ethernet, VLAN tags, MPLS, PPPoE, and tunnels in IPv4
//! without options or IPv6 without extension headers, neither fragmented nor longer than its frame.
//!
//! Gives what the general walk gives, or leaves it to that; a property test holds it to that.
//! Counted in instructions like the shortcut for plain packets: what is left of the frame is a slice,
//! so that a header costs one comparison, and tunnels have the straightest way.

use flowscope_core::{Layer, LinkType, NextHeader, PacketView, PathLayer};

use super::peel::{MPLS, PPPOE, has_unpeeled, is_kind, is_tag, pending_tag};
use super::tunnel::{self, ETHERNET, TRANSPARENT_BRIDGING, Tunnel};
use super::{Bytes, ETHERTYPE_IPV4, ETHERTYPE_IPV6, link};

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
    let mut place = if start == Start::UNKNOWN {
        if let Some(tag) = pending_tag(view) {
            push(view, Layer::Vlan, u32::from(tag.id()))?;
        }
        Place::of(view)?
    } else {
        Place::behind(view, start.ethertype, start.at)?
    };
    loop {
        // The most common is asked for first, and by itself.
        if place.ethertype == ETHERTYPE_IPV4 {
            match place.open_v4(view)? {
                Some(next) => place.resolve(next)?,
                None => break,
            }
            continue;
        }
        match place.ethertype {
            ETHERTYPE_IPV6 => match place.open_v6(view)? {
                Some(next) => place.resolve(next)?,
                None => break,
            },
            number if is_tag(number) => {
                let [a, b, ..] = *place.skip::<4>()?;
                push(view, Layer::Vlan, u32::from(u16::from_be_bytes([a, b]) & 0x0fff))?;
            }
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

/// Peels one layer other than tags, or says that another comes next; after `None` or `false` nothing has
/// changed, and after `None` the general walk has to answer.
#[inline(always)]
pub(super) fn peel(view: &mut PacketView<'_>, layer: Layer) -> Option<bool> {
    if has_unpeeled(view) {
        return None;
    }
    let before = view.cursor().path.len();
    let peeled = peel_from(view, layer);
    if peeled != Some(true) {
        view.cursor_mut().path.truncate(before);
    }
    peeled
}

#[inline(always)]
fn peel_from(view: &mut PacketView<'_>, layer: Layer) -> Option<bool> {
    let before = view.cursor().path.len();
    let mut place = Place::of(view)?;
    let next = match (layer, place.ethertype) {
        (Layer::Mpls, MPLS) => place.labels(view)?,
        (Layer::Pppoe, PPPOE) => {
            place.session(view)?;
            NextHeader::EtherType(place.ethertype)
        }
        (Layer::Mpls | Layer::Pppoe | Layer::Vlan, _) => return None,
        (_, number @ (ETHERTYPE_IPV4 | ETHERTYPE_IPV6)) => {
            let is_v4 = number == ETHERTYPE_IPV4;
            match if is_v4 { place.open_v4(view)? } else { place.open_v6(view)? } {
                Some(next) if is_kind(layer, view.cursor().path.get(before)?.layer) => next,
                _ => return Some(false),
            }
        }
        _ => return None,
    };
    place.note(view, next);
    Some(true)
}

#[inline(always)]
fn push(view: &mut PacketView<'_>, layer: Layer, id: u32) -> Option<()> {
    view.cursor_mut().path.push(PathLayer { layer, id }).ok()
}

/// What the Ethernet header at the cursor says, if that was read already.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) struct Start {
    pub(crate) ethertype: u16,
    /// Where what it announces begins.
    pub(crate) at: usize,
}

impl Start {
    /// Nothing begins at 0 behind a header.
    pub(crate) const UNKNOWN: Start = Start { ethertype: 0, at: 0 };
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
        len <= self.rest.len() || self.at() + len <= Bytes::of(view).wire
    }

    /// Steps over the tunnel in the IP packet at hand and says what comes next; the inner `None` is
    /// that there is no tunnel.
    #[inline(always)]
    fn open_v4(&mut self, view: &mut PacketView<'_>) -> Option<Option<NextHeader>> {
        let header = self.rest.first_chunk::<20>()?;
        // Without options, and no fragment.
        if header[0] != 0x45 || u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
            return None;
        }
        let proto = header[9];
        if proto == TCP {
            return Some(None);
        }
        // By its own length, which is right. A length of 0 has a meaning of its own.
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if !self.has(view, len) {
            return None;
        }
        if proto == UDP {
            let &[.., hi, lo] = self.rest.first_chunk::<24>()?;
            match u16::from_be_bytes([hi, lo]) {
                tunnel::VXLAN_PORT if len >= 36 => {
                    if let Some((&[.., 0x08, _, _, _, a, b, c, _], rest)) =
                        self.rest.split_first_chunk::<36>()
                    {
                        push(view, Layer::Vxlan, u32::from_be_bytes([0, a, b, c]))?;
                        self.rest = rest;
                        return Some(Some(ETHERNET));
                    }
                }
                tunnel::GENEVE_PORT if len >= 36 => {
                    if let Some((&[.., first @ 0..=0x3f, _, hi, lo, a, b, c, _], rest)) =
                        self.rest.split_first_chunk::<36>()
                        && let Some(next) = ethernet_or_ip(u16::from_be_bytes([hi, lo]))
                    {
                        push(view, Layer::Geneve, u32::from_be_bytes([0, a, b, c]))?;
                        self.rest = rest.get(usize::from(first) * 4..)?;
                        return Some(Some(next));
                    }
                }
                // At least one byte has to be inside.
                tunnel::GTP_U_PORT if len > 36 => {
                    if let Some((&[.., 0x30, 0xff, _, _, a, b, c, d], rest)) =
                        self.rest.split_first_chunk::<36>()
                        && matches!(*rest.first()? >> 4, 4 | 6)
                    {
                        push(view, Layer::GtpU, u32::from_be_bytes([a, b, c, d]))?;
                        self.rest = rest;
                        return Some(Some(NextHeader::Ip));
                    }
                }
                port if !tunnel::is_port(port) && len >= 20 => return Some(None),
                _ => {}
            }
        } else if proto == GRE {
            if len >= 28
                && let Some((&[.., flags @ (0 | 0x20), 0, hi, lo], rest)) =
                    self.rest.split_first_chunk::<24>()
                && let Some(next) = ethernet_or_ip(u16::from_be_bytes([hi, lo]))
            {
                self.rest = rest;
                let mut key = 0;
                if flags != 0 {
                    let (&bytes, rest) = rest.split_first_chunk()?;
                    (key, self.rest) = (u32::from_be_bytes(bytes), rest);
                }
                match next {
                    NextHeader::Link(_) if flags != 0 => push(view, Layer::Nvgre, key >> 8)?,
                    _ => push(view, Layer::Gre, key)?,
                }
                return Some(Some(next));
            }
        } else if (proto == IPV4 || proto == IPV6) && len >= 20 {
            self.rest = self.rest.get(20..)?;
            push(view, Layer::IpIp, 0)?;
            let number = if proto == IPV4 { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 };
            return Some(Some(NextHeader::EtherType(number)));
        } else if matches!(proto, ICMP | ICMPV6 | SCTP) && len >= 20 {
            return Some(None);
        }
        let found = rarer(view, self.at(), (proto, 20, len))?;
        self.take(found)
    }

    #[inline(always)]
    fn open_v6(&mut self, view: &mut PacketView<'_>) -> Option<Option<NextHeader>> {
        let found = in_v6(view, self.at())?;
        self.take(found)
    }

    /// Goes to what a tunnel carries, if there is one.
    #[inline(always)]
    fn take(&mut self, found: Option<(NextHeader, usize)>) -> Option<Option<NextHeader>> {
        let Some((next, at)) = found else { return Some(None) };
        self.rest = self.frame.get(at..)?;
        Some(Some(next))
    }

    #[inline(always)]
    fn labels(&mut self, view: &mut PacketView<'_>) -> Option<NextHeader> {
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
        let (next, at) = tunnel::below_labels(Bytes::of(view), self.at()).ok()??;
        if let NextHeader::Link(_) = next {
            push(view, Layer::Pseudowire, 0)?;
        }
        self.rest = self.frame.get(at..)?;
        Some(next)
    }

    #[inline(always)]
    fn session(&mut self, view: &mut PacketView<'_>) -> Option<()> {
        let (&[0x11, 0, a, b, _, _, hi, lo], rest) = self.rest.split_first_chunk::<8>()? else {
            return None;
        };
        self.ethertype = match u16::from_be_bytes([hi, lo]) {
            link::PPP_IPV4 => ETHERTYPE_IPV4,
            link::PPP_IPV6 => ETHERTYPE_IPV6,
            link::PPP_MPLS => MPLS,
            _ => return None,
        };
        self.rest = rest;
        push(view, Layer::Pppoe, u32::from(u16::from_be_bytes([a, b])))
    }
}

/// What comes next within the tunnel in an IPv6 packet, and where; the inner `None` is that there is no
/// tunnel.
#[inline(never)]
fn in_v6(view: &mut PacketView<'_>, at: usize) -> Option<Option<(NextHeader, usize)>> {
    let bytes = Bytes::of(view);
    let header = bytes.from(at).first_chunk::<40>()?;
    let len = 40 + usize::from(u16::from_be_bytes([header[4], header[5]]));
    if header[0] >> 4 != 6 || at + len > bytes.wire || len == 40 {
        return None;
    }
    match header[6] {
        TCP | ICMP | ICMPV6 | SCTP => Some(None),
        proto => rarer(view, at, (proto, 40, len)),
    }
}

/// The same for the forms of tunnel headers that are less common; of the IP packet at `at` come its
/// protocol, the length of its header, and that of all of it.
#[inline(never)]
fn rarer(
    view: &mut PacketView<'_>,
    at: usize,
    (proto, header, len): (u8, usize, usize),
) -> Option<Option<(NextHeader, usize)>> {
    if !matches!(proto, UDP | GRE | IPV4 | IPV6) || len < header {
        return None;
    }
    let found = tunnel::over_ip(Bytes::of(view).until(at + len), proto, at + header).ok()?;
    let Some(Tunnel { layer, next, at }) = found else { return Some(None) };
    push(view, layer.layer, layer.id)?;
    Some(Some((next, at)))
}

#[inline(always)]
fn ethernet_or_ip(number: u16) -> Option<NextHeader> {
    match number {
        TRANSPARENT_BRIDGING => Some(ETHERNET),
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => Some(NextHeader::EtherType(number)),
        _ => None,
    }
}

const ICMP: u8 = 1;
const IPV4: u8 = 4;
const TCP: u8 = 6;
const UDP: u8 = 17;
const IPV6: u8 = 41;
const GRE: u8 = 47;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;
