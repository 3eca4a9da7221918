//! Flows that go to the shard of the flow that announces them.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use flowscope_core::{
    Announcement, Announcer, Endpoints, Extracted, Orientation, PacketView, TcpFlags, Timestamp,
};

use crate::detection::Announcers;
use crate::place::{MAX_AGE, Place};

/// Announcements that are remembered, the last ones.
const MAX_ANNOUNCED: usize = 1024;

/// Flows that are routed so at the same time. Of more, those that have been silent for as long as an announcement holds are
/// forgotten, or else those that are announced go where their hash says.
const MAX_FLOWS: usize = 1 << 14;

/// All flows are gone through at most this often.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// The flows that go to the shard of the flow that announces them, by the packets of that one alone.
///
/// A parser finds out more, but in its shard, and later than the next packet is routed. Holds at most 1024 announcements and
/// 16384 flows, and looks for neither by going through all: any sender can announce, and begin connections.
pub(super) struct Followers<K> {
    announcers: Announcers,
    announced: Announcements,
    flows: HashMap<K, Follower>,
    /// When silent flows were last looked for.
    swept: Option<Timestamp>,
}

#[derive(Clone, Copy)]
struct Announced {
    shard: usize,
    since: Timestamp,
    /// Which announcement it is, of all.
    number: u64,
}

/// The last announcements.
#[derive(Default)]
struct Announcements {
    places: HashMap<Place, Announced>,
    /// The oldest first; some may have been taken, or made again.
    order: VecDeque<(Place, u64)>,
    count: u64,
}

impl Announcements {
    fn add(&mut self, place: Place, shard: usize, since: Timestamp) {
        if self.order.len() == MAX_ANNOUNCED
            && let Some((oldest, number)) = self.order.pop_front()
            && self.places.get(&oldest).is_some_and(|it| it.number == number)
        {
            self.places.remove(&oldest);
        }
        let number = self.count;
        self.count += 1;
        self.order.push_back((place, number));
        self.places.insert(place, Announced { shard, since, number });
    }

    /// The last of those that are of a connection between these two ends.
    fn find(&self, ends: Endpoints, now: Timestamp) -> Option<(Place, usize)> {
        let known = Place::of(ends).into_iter();
        let known = known.filter_map(|place| Some((place, *self.places.get(&place)?)));
        let known = known.filter(|(_, it)| now.since(it.since) <= MAX_AGE);
        let (place, last) = known.max_by_key(|(_, it)| it.number)?;
        Some((place, last.shard))
    }
}

struct Follower {
    shard: usize,
    last: Timestamp,
}

impl<K: Hash + Eq + Clone> Followers<K> {
    pub(super) fn new(announcers: Vec<Announcer>) -> Self {
        let announcers = Announcers::new(announcers);
        Followers {
            announcers,
            announced: Announcements::default(),
            flows: HashMap::new(),
            swept: None,
        }
    }

    /// The shard of a flow, if it is not that of its hash.
    #[inline]
    pub(super) fn shard_of(&self, key: &K) -> Option<usize> {
        if self.flows.is_empty() {
            return None;
        }
        Some(self.flows.get(key)?.shard)
    }

    /// The shard of a packet, which is `shard` unless its flow was announced; notes what the packet announces.
    #[inline]
    pub(super) fn route(
        &mut self,
        view: &PacketView<'_>,
        found: &Extracted<K>,
        endpoints: fn(&K) -> Option<Endpoints>,
        shard: usize,
        now: Timestamp,
    ) -> usize {
        let Some(tcp) = &found.tcp else { return shard };
        if self.announcers.is_empty() {
            return shard;
        }
        let mut shard = shard;
        if !self.flows.is_empty()
            && let Some(flow) = self.flows.get_mut(&found.key)
        {
            flow.last = now;
            shard = flow.shard;
        } else if !self.announced.places.is_empty() && tcp.flags.contains(TcpFlags::SYN) {
            shard = self.begin(found, endpoints, now).unwrap_or(shard);
        }
        if let Some(said) = self.announcers.find(found.payload.of(view)) {
            self.announce(said, found, endpoints, shard, now);
        }
        shard
    }

    /// The shard of a flow that begins, if it was announced.
    #[cold]
    fn begin(
        &mut self,
        found: &Extracted<K>,
        endpoints: fn(&K) -> Option<Endpoints>,
        now: Timestamp,
    ) -> Option<usize> {
        let (place, shard) = self.announced.find(endpoints(&found.key)?, now)?;
        if self.flows.len() >= MAX_FLOWS {
            self.sweep(now);
            if self.flows.len() >= MAX_FLOWS {
                return None;
            }
        }
        self.announced.places.remove(&place);
        self.flows.insert(found.key.clone(), Follower { shard, last: now });
        Some(shard)
    }

    /// Forgets flows that are silent.
    fn sweep(&mut self, now: Timestamp) {
        if self.swept.is_none_or(|before| now.since(before) >= SWEEP_INTERVAL) {
            self.swept = Some(now);
            self.flows.retain(|_, flow| now.since(flow.last) <= MAX_AGE);
        }
    }

    #[cold]
    fn announce(
        &mut self,
        said: Announcement,
        found: &Extracted<K>,
        endpoints: fn(&K) -> Option<Endpoints>,
        shard: usize,
        since: Timestamp,
    ) {
        let Some(Endpoints { a, b }) = endpoints(&found.key) else { return };
        let (sender, receiver) =
            if found.orientation == Orientation::Forward { (a, b) } else { (b, a) };
        for place in Place::said(sender.ip(), said.host, said.port, receiver.ip()) {
            self.announced.add(place, shard, since);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const A: &str = "10.0.0.1:4000";

    /// The first number in a payload is a port.
    fn announcer(payload: &[u8]) -> Option<Announcement> {
        let text = str::from_utf8(payload.strip_prefix(b"at ")?).ok()?;
        Some(Announcement::new("data", None, text.parse().ok()?))
    }

    const ANNOUNCER: Announcer = Announcer { first_bytes: b"a", find: announcer };

    /// A key has both ends in order.
    type Key = (SocketAddr, SocketAddr);

    fn ends(key: &Key) -> Option<Endpoints> {
        Some(Endpoints { a: key.0, b: key.1 })
    }

    fn route(
        followers: &mut Followers<Key>,
        (from, to): (&str, &str),
        flags: TcpFlags,
        payload: &[u8],
        (shard, secs): (usize, u64),
    ) -> usize {
        use flowscope_core::{LinkType, Payload, TcpInfo};
        let (from, to): Key = (from.parse().unwrap(), to.parse().unwrap());
        let forward = from <= to;
        let (key, orientation) = if forward {
            ((from, to), Orientation::Forward)
        } else {
            ((to, from), Orientation::Reverse)
        };
        let mut found = Extracted::new(key, orientation);
        found.tcp = Some(TcpInfo { flags, ..TcpInfo::default() });
        let len = payload.len() as u32;
        found.payload = Payload::new(0, len, len);
        let now = Timestamp::from_secs(secs);
        let view = PacketView::new(payload, LinkType::ETHERNET, now);
        followers.route(&view, &found, ends, shard, now)
    }

    #[test]
    fn a_flow_follows_the_one_that_announces_it() {
        let mut all = Followers::new(vec![ANNOUNCER]);
        let (syn, ack) = (TcpFlags::SYN, TcpFlags::ACK);
        let server = "10.0.0.2:21";
        assert_eq!(route(&mut all, (server, A), ack, b"at 50", (3, 0)), 3);
        // Another host, another port, no first packet.
        assert_eq!(route(&mut all, ("10.0.0.9:1", "10.0.0.2:50"), syn, b"", (7, 1)), 7);
        assert_eq!(route(&mut all, ("10.0.0.1:1", "10.0.0.2:51"), syn, b"", (7, 1)), 7);
        assert_eq!(route(&mut all, ("10.0.0.1:1", "10.0.0.2:50"), ack, b"", (7, 1)), 7);
        for (ends, flags) in
            [(("10.0.0.1:1", "10.0.0.2:50"), syn), (("10.0.0.2:50", "10.0.0.1:1"), ack)]
        {
            assert_eq!(route(&mut all, ends, flags, b"x", (7, 1)), 3);
        }
        // The announcement was of one flow.
        assert_eq!(route(&mut all, ("10.0.0.1:2", "10.0.0.2:50"), syn, b"", (7, 1)), 7);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut all = Followers::new(vec![ANNOUNCER]);
        for port in 0..2000 {
            let text = format!("at {port}");
            route(&mut all, ("10.0.0.2:21", A), TcpFlags::ACK, text.as_bytes(), (3, 0));
        }
        assert_eq!(all.announced.places.len(), MAX_ANNOUNCED);
        assert_eq!(all.announced.order.len(), MAX_ANNOUNCED);
        let forgotten = ("10.0.0.1:1", "10.0.0.2:975");
        assert_eq!(route(&mut all, forgotten, TcpFlags::SYN, b"", (7, 0)), 7);
        let old = ("10.0.0.1:1", "10.0.0.2:1999");
        assert_eq!(route(&mut all, old, TcpFlags::SYN, b"", (7, 301)), 7);
        assert_eq!(route(&mut all, old, TcpFlags::SYN, b"", (7, 300)), 3);
        let mut from = 0_u32;
        while all.flows.len() < MAX_FLOWS {
            from += 1;
            let host = std::net::Ipv4Addr::from(0x0b00_0000 + from / 60_000);
            let client = format!("{host}:{}", from % 60_000 + 1);
            route(&mut all, ("10.0.0.2:21", &*client), TcpFlags::ACK, b"at 50", (3, 0));
            assert_eq!(route(&mut all, (&*client, "10.0.0.2:50"), TcpFlags::SYN, b"", (7, 0)), 3);
        }
        let one_more = |all: &mut _, secs| {
            route(all, ("10.0.0.2:21", A), TcpFlags::ACK, b"at 50", (3, secs));
            route(all, ("10.0.0.1:9", "10.0.0.2:50"), TcpFlags::SYN, b"", (7, secs))
        };
        assert_eq!(one_more(&mut all, 300), 7);
        assert_eq!(one_more(&mut all, 301), 3);
        assert!(all.flows.len() < 10, "the others were silent");
    }
}
