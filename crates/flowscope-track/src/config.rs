use std::num::NonZeroUsize;
use std::time::Duration;

/// What a tracker is told when it is made. Every default is documented on its setter.
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
        }
    }
}

impl TrackerConfig {
    /// How many entries the table may hold, lingering ones included; default 100 000. A new flow
    /// beyond that evicts another.
    #[must_use]
    pub fn max_flows(mut self, flows: NonZeroUsize) -> Self {
        self.max_flows = flows;
        self
    }

    /// How many bytes the tracker may hold, by capacity; default 512 MiB. Reaching it evicts, as
    /// [`max_flows`](Self::max_flows) does. One flow always fits.
    #[must_use]
    pub fn memory_budget(mut self, bytes: usize) -> Self {
        self.memory_budget = bytes;
        self
    }

    /// How many bytes the tracker may hold.
    #[must_use]
    pub fn budget(&self) -> usize {
        self.memory_budget
    }

    /// A TCP flow ends after longer silence than this; default 5 minutes (Zeek's default).
    #[must_use]
    pub fn tcp_idle(mut self, timeout: Duration) -> Self {
        self.tcp_idle = timeout;
        self
    }

    /// A UDP flow ends after longer silence than this; default 60 seconds (Zeek's default).
    #[must_use]
    pub fn udp_idle(mut self, timeout: Duration) -> Self {
        self.udp_idle = timeout;
        self
    }

    /// Any other flow ends after longer silence than this; default 30 seconds.
    #[must_use]
    pub fn other_idle(mut self, timeout: Duration) -> Self {
        self.other_idle = timeout;
        self
    }

    /// How long the entry of a closed or reset TCP flow stays to absorb what comes late; default 5
    /// seconds, counted from the close.
    #[must_use]
    pub fn linger(mut self, time: Duration) -> Self {
        self.linger = time;
        self
    }

    /// A SYN with a new sequence number starts a new flow at once on an entry that was silent for
    /// longer than this; default 60 seconds. On a livelier one it must be answered first.
    #[must_use]
    pub fn reuse_after(mut self, silence: Duration) -> Self {
        self.reuse_after = silence;
        self
    }

    /// Long flows give an interim record each time they have lasted this long; off by default.
    #[must_use]
    pub fn active(mut self, interval: Option<Duration>) -> Self {
        self.active = interval;
        self
    }

    /// Which flow makes room when the table is full; default [`Eviction::OldestLastSeen`].
    #[must_use]
    pub fn eviction(mut self, policy: Eviction) -> Self {
        self.eviction = policy;
        self
    }

    /// Which resets are believed; default [`ResetRule::InSequence`].
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

    /// Ports that servers listen on. Where no handshake tells who began a flow, and exactly one of
    /// its ports is among these, the other side began it. Empty by default.
    #[must_use]
    pub fn listening_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.listening.extend(ports);
        self.listening.sort_unstable();
        self.listening.dedup();
        self
    }

    /// Which timestamps are believed; see [`ClockConfig`].
    #[must_use]
    pub fn clock(mut self, clock: ClockConfig) -> Self {
        self.clock = clock;
        self
    }

    /// Which timestamps are believed.
    #[must_use]
    pub fn clock_config(&self) -> ClockConfig {
        self.clock
    }

    /// Seed of the table's hash; default 0. Give a random one where strangers can aim packets at
    /// the table. No output depends on it.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The table's hash function; default [`TableHash::Fold`].
    #[must_use]
    pub fn hash(mut self, hash: TableHash) -> Self {
        self.hash = hash;
        self
    }

    /// How many steps of expiry a single packet may pay for; default without limit, which gives
    /// every expiry its exact place. A live capture sets a few dozen, so that a million flows that
    /// fall silent at once do not stall it; what is left waits for the next packet or
    /// [`expire`](crate::FlowTracker::expire). Only the place of events depends on it, never what
    /// they say.
    #[must_use]
    pub fn sweep(mut self, most: usize) -> Self {
        self.sweep = most;
        self
    }
}

/// Which flow makes room when the table is full. Entries of flows already reported go first under
/// either policy.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Eviction {
    /// The one whose latest packet is the longest ago, by watermark; on a tie the one touched first.
    #[default]
    OldestLastSeen,
    /// As above, but TCP flows whose handshake is incomplete go before all others, so that a SYN
    /// flood pushes out its own.
    HalfOpenFirst,
}

/// Which RST segments end a flow.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ResetRule {
    /// One whose sequence number is where the sender's stream or its receiver's last
    /// acknowledgement stands (RFC 5961 §3.2). One elsewhere in the receive window (RFC 9293
    /// §3.10.7) counts if the linger time passes without traffic in sequence. Others are reported
    /// and change nothing.
    #[default]
    InSequence,
    /// Any.
    Any,
}

/// The hash function of the flow table.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TableHash {
    /// foldhash, seeded. When look-ups meet suspiciously many candidates the table re-seeds itself
    /// and goes over to [`Sip13`](Self::Sip13).
    #[default]
    Fold,
    /// SipHash-1-3, seeded: slower, and safe against those who can watch the tracker.
    Sip13,
}

/// When a packet's timestamp moves the clock.
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

    /// How many packets in a row must agree on a suspect time before it is believed; default 16.
    #[must_use]
    pub fn confirm(mut self, packets: u32) -> Self {
        self.confirm = packets;
        self
    }
}
