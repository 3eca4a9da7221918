//! Fast path for common tags and tunnels: Ethernet, VLAN tags, MPLS, PPPoE, and tunnels in IPv4 without
//! options or IPv6 without extension headers, not fragmented and not longer than the frame.
//!
//! Gives the same result as the general path, or none; a property test checks this. The code is optimized by
//! instruction count: the unread part of the frame is a slice, so that each header costs one comparison.

use std::hint::cold_path;

use flowscope_core::{Layer, LinkType, NextHeader, PacketView, PathLayer};

use super::bytes::Bytes;
use super::layer_header::{ETHERNET, LayerHeader};
use super::link_payload::LinkPayload;
use super::numbers::{
    ETHERTYPE_IPV4, ETHERTYPE_IPV6, GENEVE_PORT, GRE, GTP_U_PORT, ICMP, ICMPV6, IPV4, IPV6, MPLS,
    PPP_IPV4, PPP_IPV6, PPP_MPLS, PPPOE, SCTP, TCP, TRANSPARENT_BRIDGING, UDP, VXLAN_PORT,
    is_tunnel,
};
use super::pseudowire::{self, header_sum};
use super::tags::{has_pending_tag, is_kind, is_tag, pending_tag};
use super::tunnel;

/// Moves the cursor to the innermost packet. `false`: the view is unchanged, and the general path is needed.
#[inline(always)]
pub(super) fn to_innermost(view: &mut PacketView<'_>, link_payload: LinkPayload) -> bool {
    let before = view.cursor().path.len();
    let found = walk_to_innermost(view, link_payload).is_some();
    if !found {
        view.cursor_mut().path.truncate(before);
    }
    found
}

#[inline(always)]
fn walk_to_innermost(view: &mut PacketView<'_>, link_payload: LinkPayload) -> Option<()> {
    let mut reader = if link_payload.offset == LinkPayload::UNKNOWN.offset {
        if view.vlan().is_some() && has_pending_tag(view) {
            push_pending_tag(view)?;
        }
        HeaderReader::at_cursor(view)?
    } else {
        HeaderReader::after(view, link_payload.ethertype, link_payload.offset)?
    };
    loop {
        // The most common case first.
        if reader.ethertype == ETHERTYPE_IPV4 {
            match reader.open_tunnel(view, true, None)? {
                Some(_) => continue,
                None => break,
            }
        }
        match reader.ethertype {
            ETHERTYPE_IPV6 => match reader.open_tunnel(view, false, None)? {
                Some(_) => {}
                None => break,
            },
            number if is_tag(number) => reader.skip_tag(view)?,
            MPLS => {
                let next = reader.skip_labels(view)?;
                reader.set_next(next)?;
            }
            PPPOE => reader.skip_pppoe(view)?,
            _ => return None,
        }
    }
    reader.store_cursor(view, NextHeader::EtherType(reader.ethertype));
    Some(())
}

/// Removes one layer and returns `Some(true)`. `Some(false)`: another layer comes next. `None`: the general
/// path is needed. In both cases the view is unchanged.
#[inline(always)]
pub(super) fn peel(view: &mut PacketView<'_>, layer: Layer) -> Option<bool> {
    let before = view.cursor().path.len();
    if usize::from(view.cursor().stepped) != before {
        return None;
    }
    let peeled = peel_at(view, layer, before);
    if peeled != Some(true) {
        view.cursor_mut().path.truncate(before);
    }
    peeled
}

#[inline(always)]
fn peel_at(view: &mut PacketView<'_>, layer: Layer, before: usize) -> Option<bool> {
    let is_tag_beside = view.vlan().is_some() && has_pending_tag(view);
    if is_tag_beside && layer != Layer::Vlan {
        // The stripped tag is the outermost layer.
        return Some(false);
    }
    let mut reader = HeaderReader::at_cursor(view)?;
    let next = match (layer, reader.ethertype) {
        (Layer::Vlan, _) => {
            if is_tag_beside {
                push_pending_tag(view)?;
            }
            while is_tag(reader.ethertype) {
                reader.skip_tag(view)?;
            }
            if view.cursor().path.len() == before {
                return Some(false);
            }
            NextHeader::EtherType(reader.ethertype)
        }
        (Layer::Mpls, MPLS) => reader.skip_labels(view)?,
        (Layer::Pppoe, PPPOE) => {
            reader.skip_pppoe(view)?;
            NextHeader::EtherType(reader.ethertype)
        }
        (Layer::Mpls | Layer::Pppoe, _) => return None,
        (_, number) => {
            let opened = if number == ETHERTYPE_IPV4 {
                reader.open_tunnel(view, true, Some(layer))?
            } else if number == ETHERTYPE_IPV6 {
                reader.open_tunnel(view, false, Some(layer))?
            } else {
                return None;
            };
            match opened {
                Some(next) if is_kind(layer, view.cursor().path.get(before)?.layer) => next,
                _ => return Some(false),
            }
        }
    };
    reader.store_cursor(view, next);
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

/// Position in a frame during the pass.
struct HeaderReader<'a> {
    frame: &'a [u8],
    /// The bytes not read yet.
    rest: &'a [u8],
    /// Ethertype of the header that `rest` begins with.
    ethertype: u16,
}

impl<'a> HeaderReader<'a> {
    /// A reader at the cursor, or behind the Ethernet header there.
    #[inline(always)]
    fn at_cursor(view: &PacketView<'a>) -> Option<Self> {
        let cursor = view.cursor();
        let mut reader = HeaderReader::after(view, 0, cursor.offset as usize)?;
        reader.set_next(cursor.next)?;
        Some(reader)
    }

    #[inline(always)]
    fn after(view: &PacketView<'a>, ethertype: u16, offset: usize) -> Option<Self> {
        let frame = view.frame();
        Some(HeaderReader { frame, rest: frame.get(offset..)?, ethertype })
    }

    /// Sets the Ethertype from what comes next, and skips it if it is an Ethernet header.
    #[inline(always)]
    fn set_next(&mut self, next: NextHeader) -> Option<()> {
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

    /// Skips a header of `N` bytes that ends with an Ethertype.
    #[inline(always)]
    fn skip<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (header, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        self.ethertype = u16::from_be_bytes([header[N - 2], header[N - 1]]);
        Some(header)
    }

    /// Moves the cursor of the view to this position.
    #[inline(always)]
    fn store_cursor(&self, view: &mut PacketView<'_>, next: NextHeader) {
        let cursor = view.cursor_mut();
        cursor.next = next;
        cursor.offset = self.offset() as u32;
        cursor.stepped = cursor.path.len() as u8;
    }

    #[inline(always)]
    fn offset(&self) -> usize {
        self.frame.len() - self.rest.len()
    }

    /// Whether the next `len` bytes were on the wire.
    #[inline(always)]
    fn is_on_wire(&self, view: &PacketView<'_>, len: usize) -> bool {
        len <= self.rest.len() || on_wire_beyond_capture(view, len - self.rest.len())
    }

    /// Skips the headers of the tunnel in the IP packet and returns what comes next. `Some(None)`: the packet
    /// is not a tunnel.
    #[inline(always)]
    fn open_tunnel(
        &mut self,
        view: &mut PacketView<'a>,
        is_v4: bool,
        wanted: Option<Layer>,
    ) -> Option<Option<NextHeader>> {
        let wants = |layer| wanted.is_none_or(|wanted| is_kind(wanted, layer));
        // Protocol and payload of the IP packet, and the payload length by its header.
        let (proto, payload, len) = if is_v4 {
            let (header, payload) = self.rest.split_first_chunk::<20>()?;
            // No options, not a fragment.
            if header[0] != 0x45 || u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
                return None;
            }
            if header[9] == TCP {
                return Some(None);
            }
            let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
            (header[9], payload, len.checked_sub(20)?)
        } else {
            let (header, payload) = self.rest.split_first_chunk::<40>()?;
            if header[0] >> 4 != 6 {
                return None;
            }
            if header[6] == TCP {
                return Some(None);
            }
            // Length 0 means a jumbogram or segmentation offload.
            let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
            (header[6], payload, if len == 0 { return None } else { len })
        };
        if len > payload.len() && !on_wire_beyond_capture(view, len - payload.len()) {
            return None;
        }
        if proto == UDP {
            if let Some((header, inside)) = payload.split_first_chunk::<16>()
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
                        // The payload has at least one byte.
                        if let &[.., 0x30, 0xff, _, _, a, b, c, d] = header
                            && len > 16
                            && matches!(*inside.first()? >> 4, 4 | 6)
                        {
                            push(view, Layer::GtpU, u32::from_be_bytes([a, b, c, d]))?;
                            return self.enter(NextHeader::Ip, inside, wanted);
                        }
                    }
                    _ if !is_tunnel([header[0], header[1], header[2], header[3]]) => {
                        return Some(None);
                    }
                    _ => {}
                }
            }
        } else if proto == GRE {
            if wants(Layer::Gre)
                && let Some(&[flags @ (0 | 0x20), 0, hi, lo, a, b, c, d]) =
                    payload.first_chunk::<8>()
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
                return self.enter(next, payload.get(len..)?, wanted);
            }
        } else if proto == IPV4 || proto == IPV6 {
            if !wants(Layer::IpIp) {
                cold_path();
                return Some(None);
            }
            push(view, Layer::IpIp, 0)?;
            let number = if proto == IPV4 { ETHERTYPE_IPV4 } else { ETHERTYPE_IPV6 };
            return self.enter(NextHeader::EtherType(number), payload, wanted);
        } else {
            cold_path();
            // These protocols carry no tunnel; for any other the general path decides.
            return matches!(proto, ICMP | ICMPV6 | SCTP).then_some(None);
        }
        let Some((next, inside)) = open_uncommon_tunnel(view, proto, payload, len)? else {
            return Some(None);
        };
        self.enter(next, inside, wanted)
    }

    /// Moves to `inside`, which begins with `next`. On the way to the innermost packet (`wanted` is `None`)
    /// it moves on until the Ethertype is known.
    #[inline(always)]
    fn enter(
        &mut self,
        next: NextHeader,
        inside: &'a [u8],
        wanted: Option<Layer>,
    ) -> Option<Option<NextHeader>> {
        self.rest = inside;
        if wanted.is_none() {
            self.set_next(next)?;
        }
        Some(Some(next))
    }

    #[inline(always)]
    fn skip_tag(&mut self, view: &mut PacketView<'_>) -> Option<()> {
        let [a, b, ..] = *self.skip::<4>()?;
        push(view, Layer::Vlan, u32::from(u16::from_be_bytes([a, b]) & 0x0fff))
    }

    #[inline(always)]
    fn skip_labels(&mut self, view: &mut PacketView<'a>) -> Option<NextHeader> {
        loop {
            let (&entry, rest) = self.rest.split_first_chunk::<4>()?;
            let entry = u32::from_be_bytes(entry);
            push(view, Layer::Mpls, entry >> 12)?;
            self.rest = rest;
            if entry & 0x100 != 0 {
                break;
            }
        }
        // IPv4 without options, with a source address that is no Ethertype or a correct checksum; the slow
        // path decides on all else.
        let header = self.rest.first_chunk::<20>()?;
        if header[0] == 0x45 && !pseudowire::may_begin_ethertype(header[12]) {
            return Some(NextHeader::Ip);
        }
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] == 0x45
            && len >= header.len()
            && self.is_on_wire(view, len)
            && header_sum(header) == 0xffff
        {
            return Some(NextHeader::Ip);
        }
        let (next, inside) = below_labels(view, self.offset())?;
        self.rest = inside;
        Some(next)
    }

    #[inline(always)]
    fn skip_pppoe(&mut self, view: &mut PacketView<'_>) -> Option<()> {
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

/// Whether at least `more` bytes followed the captured ones on the wire. Not inlined: most packets are
/// captured whole.
#[inline(never)]
fn on_wire_beyond_capture(view: &PacketView<'_>, more: usize) -> bool {
    let bytes = Bytes::of(view);
    more <= bytes.wire - bytes.captured.len()
}

/// [`HeaderReader::open_tunnel`] for less common tunnel headers: what comes next, and the frame from there
/// on. `payload` is the rest of the frame behind the IP header; `len` is the payload length by that header.
#[inline(never)]
fn open_uncommon_tunnel<'a>(
    view: &mut PacketView<'a>,
    proto: u8,
    payload: &[u8],
    len: usize,
) -> Option<Option<(NextHeader, &'a [u8])>> {
    let frame = view.frame();
    let offset = frame.len() - payload.len();
    let found = tunnel::over_ip(Bytes::of(view).until(offset + len), proto, offset).ok()?;
    let Some(LayerHeader { layer, next, offset }) = found else { return Some(None) };
    push(view, layer.layer, layer.id)?;
    Some(Some((next, frame.get(offset..)?)))
}

/// Payload of a label stack that ends at `offset`, if it is not obviously IPv4: what comes next, and the
/// frame from there on.
#[inline(never)]
fn below_labels<'a>(view: &mut PacketView<'a>, offset: usize) -> Option<(NextHeader, &'a [u8])> {
    let (next, offset) = pseudowire::below_labels(Bytes::of(view), offset).ok()??;
    if let NextHeader::Link(_) = next {
        push(view, Layer::Pseudowire, 0)?;
    }
    Some((next, view.frame().get(offset..)?))
}

#[inline(always)]
fn ethernet_or_ip(number: u16) -> Option<NextHeader> {
    match number {
        TRANSPARENT_BRIDGING => Some(ETHERNET),
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => Some(NextHeader::EtherType(number)),
        _ => None,
    }
}
