//! Options of the flow table and of reassembly.

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};
use flowscope::driver::{Checksums, DriverConfig};
use flowscope::protocols;
use flowscope::reassembly::{OverlapPolicy, StreamConfig};
use flowscope::track::{Eviction, ResetRule, TrackerConfig};

use super::{Size, Time, positive, values};

#[derive(Args, Debug)]
#[command(next_help_heading = "Tracking")]
pub(crate) struct Tracking {
    /// Most flows in the table; beyond that the one idle for longest is evicted
    #[arg(long, value_name = "N", default_value = "1000000")]
    max_flows: NonZeroUsize,

    /// Memory budget for flows, in bytes or with K, M or G (times 1024), at least 256K; beyond that
    /// flows are evicted
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = values::memory)]
    memory: Size,

    /// Idle timeout of TCP flows (seconds, or like 5m, 300ms)
    #[arg(long, value_name = "TIME", default_value = "5m")]
    tcp_idle: Time,

    /// Idle timeout of UDP flows
    #[arg(long, value_name = "TIME", default_value = "60s")]
    udp_idle: Time,

    /// Idle timeout of all other flows
    #[arg(long, value_name = "TIME", default_value = "30s")]
    other_idle: Time,

    /// Print a record of an open flow each time this long has passed. Packets and bytes of a record
    /// are then those since the previous record of the flow
    #[arg(long, visible_alias = "interim", value_name = "TIME", value_parser = positive)]
    active: Option<Time>,

    /// Keep a closed TCP connection for this long, so that late packets are counted in its record,
    /// which is written then
    #[arg(long, value_name = "TIME", default_value = "5s")]
    linger: Time,

    /// Keep flows of different VLANs and virtual networks apart: VLAN, VXLAN, GENEVE, NVGRE and PBB
    /// identifiers, ERSPAN and PPPoE sessions. Not for captures that see the two directions of a flow
    /// in different ones
    #[arg(long)]
    pub(crate) vlan_key: bool,

    /// Keep the Ethernet addresses of flows: in EVE's object `ether`, at most 10 of each side. Each flow then
    /// takes up to 2 KiB more of --memory
    #[arg(long)]
    pub(crate) ethernet: bool,

    /// Which flow to evict when the table is full
    #[arg(long, value_enum, default_value_t = EvictionArg::HalfOpenFirst)]
    eviction: EvictionArg,

    /// Which TCP resets end a flow
    #[arg(long, value_enum, default_value_t = ResetsArg::InSequence)]
    resets: ResetsArg,

    /// What to do with wrong checksums. A checksum that is left to the network card of the sender
    /// never counts as wrong
    #[arg(long, value_enum, default_value_t = ChecksumsArg::Off)]
    checksums: ChecksumsArg,

    /// Which bytes to use where TCP segments overlap and differ, as hosts of this kind do
    #[arg(long, value_enum, default_value_t = OverlapArg::First)]
    overlap: OverlapArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum OverlapArg {
    /// Those that arrived first
    First,
    /// Those that arrived last
    Last,
    /// As in BSD
    Bsd,
    /// As in Linux
    Linux,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ChecksumsArg {
    /// Do not verify checksums
    Off,
    /// Count wrong checksums
    Count,
    /// Count the packet in its flow, and ignore its flags and payload
    Exclude,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EvictionArg {
    /// The flow idle for longest
    Oldest,
    /// The same, but connections that were never established first
    HalfOpenFirst,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ResetsArg {
    /// Those with a sequence number that the receiver would accept
    InSequence,
    /// All
    Any,
}

impl Tracking {
    /// Configuration of the driver, including that of the flow table.
    pub(crate) fn driver(&self) -> DriverConfig {
        let streams = StreamConfig::default().overlap(match self.overlap {
            OverlapArg::First => OverlapPolicy::First,
            OverlapArg::Last => OverlapPolicy::Last,
            OverlapArg::Bsd => OverlapPolicy::Bsd,
            OverlapArg::Linux => OverlapPolicy::Linux,
        });
        DriverConfig::default().tracker(self.tracker()).streams(streams).checksums(
            match self.checksums {
                ChecksumsArg::Off => Checksums::Off,
                ChecksumsArg::Count => Checksums::Count,
                ChecksumsArg::Exclude => Checksums::Exclude,
            },
        )
    }

    /// Whether flows that go on are to have records.
    #[cfg(feature = "tui")]
    pub(crate) fn has_interim_records(&self) -> bool {
        self.active.is_some()
    }

    /// Configuration of the flow table.
    pub(crate) fn tracker(&self) -> TrackerConfig {
        TrackerConfig::default()
            .max_flows(self.max_flows)
            .memory_budget(usize::try_from(self.memory.0.get()).unwrap_or(usize::MAX))
            .tcp_idle(self.tcp_idle.0)
            .udp_idle(self.udp_idle.0)
            .other_idle(self.other_idle.0)
            .active(self.active.map(|time| time.0))
            .linger(self.linger.0)
            .macs(self.ethernet)
            .eviction(match self.eviction {
                EvictionArg::Oldest => Eviction::OldestLastSeen,
                EvictionArg::HalfOpenFirst => Eviction::HalfOpenFirst,
            })
            .resets(match self.resets {
                ResetsArg::InSequence => ResetRule::InSequence,
                ResetsArg::Any => ResetRule::Any,
            })
            .listening_ports(protocols::listening_ports())
    }
}
