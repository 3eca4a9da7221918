use std::num::NonZeroUsize;
use std::time::Duration;

/// Flow tracker configuration. Each setter documents its default.
#[derive(Clone, Debug)]
pub struct TrackerConfig {
    pub(crate) max_flows: NonZeroUsize,
    pub(crate) memory_budget: usize,
    pub(crate) tcp_idle: Duration,
    pub(crate) udp_idle: Duration,
    pub(crate) other_idle: Duration,
    pub(crate) linger: Duration,
    pub(crate) reuse_after: Duration,
    pub(crate) active: Option<Duration>,
    pub(crate) eviction: Eviction,
    pub(crate) resets: ResetRule,
    pub(crate) mid_stream_packets: u32,
    pub(crate) listening: Vec<u16>,
    pub(crate) clock: ClockConfig,
    pub(crate) seed: u64,
    pub(crate) hash: TableHash,
    pub(crate) sweep: usize,
    pub(crate) macs: bool,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        TrackerConfig {
            max_flows: NonZeroUsize::new(100_000).expect("not zero"),
            memory_budget: 512 << 20,
            tcp_idle: Duration::from_secs(300),
            udp_idle: Duration::from_secs(60),
            other_idle: Duration::from_secs(30),
            linger: Duration::from_secs(5),
            reuse_after: Duration::from_secs(60),
            active: None,
            eviction: Eviction::OldestLastSeen,
            resets: ResetRule::InSequence,
            mid_stream_packets: 4,
            listening: Vec::new(),
            clock: ClockConfig::default(),
            seed: 0,
            hash: TableHash::Fold,
            sweep: usize::MAX,
            macs: false,
        }
    }
}

impl TrackerConfig {
    /// Maximum number of entries in the table, entries of ended flows included; default 100 000. A
    /// new flow beyond that evicts another.
    #[must_use]
    pub fn max_flows(mut self, flows: NonZeroUsize) -> Self {
        self.max_flows = flows;
        self
    }

    /// Maximum memory of the tracker in bytes, by capacity; default 512 MiB. Reaching it evicts, as
    /// [`max_flows`](Self::max_flows) does. One flow always fits.
    #[must_use]
    pub fn memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// The memory budget in bytes.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.memory_budget
    }

    /// Idle timeout of TCP flows; default 5 minutes, as in Zeek.
    #[must_use]
    pub fn tcp_idle(mut self, timeout: Duration) -> Self {
        self.tcp_idle = timeout;
        self
    }

    /// Idle timeout of UDP flows; default 60 seconds, as in Zeek.
    #[must_use]
    pub fn udp_idle(mut self, timeout: Duration) -> Self {
        self.udp_idle = timeout;
        self
    }

    /// Idle timeout of all other flows; default 30 seconds.
    #[must_use]
    pub fn other_idle(mut self, timeout: Duration) -> Self {
        self.other_idle = timeout;
        self
    }

    /// How long the entry of a closed or reset TCP flow stays in the table, to count packets that
    /// come late; default 5 seconds, from the close.
    #[must_use]
    pub fn linger(mut self, time: Duration) -> Self {
        self.linger = time;
        self
    }

    /// Idle time after which a SYN with a new sequence number starts a new flow at once; default 60
    /// seconds. On a flow that was active more recently, the SYN must be answered first (RFC 5961
    /// §4).
    #[must_use]
    pub fn reuse_after(mut self, silence: Duration) -> Self {
        self.reuse_after = silence;
        self
    }

    /// Active timeout: long flows give an interim record after each interval; off by default.
    #[must_use]
    pub fn active(mut self, interval: Option<Duration>) -> Self {
        self.active = interval;
        self
    }

    /// Which flow is evicted when the table is full; default [`Eviction::OldestLastSeen`].
    #[must_use]
    pub fn eviction(mut self, policy: Eviction) -> Self {
        self.eviction = policy;
        self
    }

    /// Which RST segments are accepted; default [`ResetRule::InSequence`].
    #[must_use]
    pub fn resets(mut self, rule: ResetRule) -> Self {
        self.resets = rule;
        self
    }

    /// A TCP flow of which only one side is seen counts as established after this many packets;
    /// default 4.
    #[must_use]
    pub fn mid_stream_packets(mut self, packets: u32) -> Self {
        self.mid_stream_packets = packets;
        self
    }

    /// Ports of servers; empty by default. Without a handshake, if exactly one port of a flow is
    /// among these, the other side is the initiator.
    #[must_use]
    pub fn listening_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.listening.extend(ports);
        self.listening.sort_unstable();
        self.listening.dedup();
        self
    }

    /// When a timestamp moves the clock; see [`ClockConfig`].
    #[must_use]
    pub fn clock(mut self, clock: ClockConfig) -> Self {
        self.clock = clock;
        self
    }

    /// The configuration of the clock.
    #[must_use]
    pub fn clock_config(&self) -> ClockConfig {
        self.clock
    }

    /// Seed of the hash function of the table; default 0. Use a random seed where an attacker can
    /// send packets. No output depends on it.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Hash function of the table; default [`TableHash::Fold`].
    #[must_use]
    pub fn hash(mut self, hash: TableHash) -> Self {
        self.hash = hash;
        self
    }

    /// Maximum number of expiry steps per packet; unlimited by default, which gives every expiry
    /// its exact place in the output. A live capture sets a few dozen, so that many flows that
    /// expire at once do not stall it; the rest waits for the next packet or
    /// [`expire`](crate::FlowTracker::expire). Only the place of events depends on it, never their
    /// contents.
    #[must_use]
    pub fn sweep(mut self, most: usize) -> Self {
        self.sweep = most;
        self
    }

    /// Whether the Ethernet addresses of flows are kept, in [`FlowStats::macs`](crate::FlowStats::macs); default
    /// `false`. They make each packet dearer, and each flow takes one or two kilobytes of the
    /// [memory budget](Self::memory_budget) more, so that fewer fit into it.
    #[must_use]
    pub fn macs(mut self, keep: bool) -> Self {
        self.macs = keep;
        self
    }

    /// Whether the Ethernet addresses of flows are kept.
    #[must_use]
    pub fn keeps_macs(&self) -> bool {
        self.macs
    }
}

/// Which flow is evicted when the table is full. Under either policy, entries of flows that have
/// ended are evicted first.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Eviction {
    /// The flow whose latest packet is the oldest, by watermark; of equal ones the one whose packet
    /// came first.
    #[default]
    OldestLastSeen,
    /// As above, but TCP flows with an incomplete handshake are evicted before all others: a SYN
    /// flood evicts its own flows.
    HalfOpenFirst,
}

/// Which RST segments end a flow.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ResetRule {
    /// The sequence number must be the next one of its sender, or the last acknowledgement of its
    /// receiver (RFC 5961 §3.2). Elsewhere in the receive window (RFC 9293 §3.10.7) a reset is
    /// accepted if the linger time passes without traffic in sequence. Other resets are reported
    /// and change nothing.
    #[default]
    InSequence,
    /// Every reset is accepted.
    Any,
}

/// The hash function of the flow table.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TableHash {
    /// foldhash, seeded. If look-ups meet too many candidates, the table takes a new seed and
    /// changes to [`Sip13`](Self::Sip13).
    #[default]
    Fold,
    /// SipHash-1-3, seeded: slower, and safe against attackers who can measure the tracker.
    Sip13,
}

/// Clock configuration: when a timestamp moves the clock.
#[derive(Clone, Copy, Debug)]
pub struct ClockConfig {
    pub(crate) jump: Duration,
    pub(crate) confirm: u32,
}

impl Default for ClockConfig {
    fn default() -> Self {
        ClockConfig { jump: Duration::from_secs(3600), confirm: 16 }
    }
}

impl ClockConfig {
    /// A timestamp further ahead of the watermark than this is suspect; default 1 hour.
    #[must_use]
    pub fn jump(mut self, limit: Duration) -> Self {
        self.jump = limit;
        self
    }

    /// How many packets in a row must agree on a suspect time before the clock accepts it; default
    /// 16.
    #[must_use]
    pub fn confirm(mut self, packets: u32) -> Self {
        self.confirm = packets;
        self
    }
}
