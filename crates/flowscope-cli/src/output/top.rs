//! What there is most of.

use std::collections::HashMap;
use std::net::IpAddr;

use clap::ValueEnum;
use flowscope::extract::Endpoint;
use flowscope::output::{
    FlowRecord, FlowRecordKind, Grid, GridColumn, RecordHeader, json, terminal,
};
use flowscope::record::{Record, amount, span};
use flowscope_report::{Handshakes, Heavy, MAX_KEYS, SessionFacts, SessionReader};

/// By what hosts, servers or names are ranked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum By {
    /// Addresses by the bytes of their flows
    Bytes,
    /// Addresses by the packets of their flows
    Packets,
    /// Addresses by the number of their flows
    Flows,
    /// Servers by the mean time from SYN to SYN+ACK
    Rtt,
    /// Addresses by the segments that they sent again
    Retransmits,
    /// Names in TLS and QUIC handshakes
    Sni,
    /// Names in requests of HTTP/1.x and HTTP/2
    Host,
    /// Names in queries of DNS, mDNS and LLMNR
    Query,
}

/// The largest sums of a capture.
#[derive(Clone, Debug)]
pub(crate) struct Top {
    by: By,
    most: usize,
    json: bool,
    hosts: Heavy<IpAddr, Host>,
    servers: HashMap<Endpoint, Handshakes>,
    /// Handshakes of servers that found no room.
    left_out: u64,
    names: Heavy<String, ()>,
    reader: SessionReader,
}

/// Sums of an address.
#[derive(Clone, Copy, Debug, Default)]
struct Host {
    bytes: u64,
    packets: u64,
    flows: u64,
    retransmits: u64,
}

impl By {
    /// Whether it is names that are ranked.
    fn is_name(self) -> bool {
        matches!(self, By::Sni | By::Host | By::Query)
    }

    /// The name that a session record has.
    fn name(self, facts: SessionFacts) -> Option<String> {
        let [sni, host, query] = facts.names;
        match self {
            By::Sni => sni,
            By::Host => host,
            By::Query => query,
            _ => None,
        }
    }
}

impl Top {
    pub(crate) fn new(by: By, most: usize, json: bool) -> Self {
        Top {
            by,
            most,
            json,
            hosts: Heavy::new(MAX_KEYS),
            servers: HashMap::new(),
            left_out: 0,
            names: Heavy::new(MAX_KEYS),
            reader: SessionReader::new(),
        }
    }

    /// Whether session records are needed.
    pub(super) fn reads(&self) -> bool {
        self.by.is_name()
    }

    pub(super) fn flow(&mut self, record: &FlowRecord) {
        let flows = u64::from(matches!(record.kind, FlowRecordKind::Ended(_)));
        match self.by {
            By::Sni | By::Host | By::Query => {}
            By::Rtt if flows == 0 => {}
            By::Rtt => self.handshake(record),
            By::Bytes | By::Packets | By::Flows | By::Retransmits => self.hosts(record, flows),
        }
    }

    fn hosts(&mut self, record: &FlowRecord, flows: u64) {
        let (from, to) = record.header.endpoints();
        let [sent, back] = &record.sides;
        let bytes = sent.counters.wire_bytes + back.counters.wire_bytes;
        let packets = sent.counters.packets + back.counters.packets;
        let same = from.addr == to.addr;
        let ends = [(from.addr, sent.retransmits), (to.addr, back.retransmits)];
        for (at, (addr, retransmits)) in ends.into_iter().enumerate() {
            let retransmits = u64::from(retransmits);
            let of_flow = if at == 1 && same { [0; 3] } else { [bytes, packets, flows] };
            let [bytes, packets, flows] = of_flow;
            let sum = match self.by {
                By::Packets => packets,
                By::Flows => flows,
                By::Retransmits => retransmits,
                _ => bytes,
            };
            // All bytes of a host that sent anything again are shown, so that they compare.
            if sum > 0 || self.by == By::Retransmits {
                let host = self.hosts.add(addr, sum);
                host.bytes += bytes;
                host.packets += packets;
                host.flows += flows;
                host.retransmits += retransmits;
            }
        }
    }

    fn handshake(&mut self, record: &FlowRecord) {
        let Some(rtt) = record.syn_rtt else { return };
        let server = record.header.endpoints().1;
        if self.servers.len() < MAX_KEYS || self.servers.contains_key(&server) {
            self.servers.entry(server).or_default().add(rtt);
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn said(&mut self, header: &RecordHeader, record: &impl Record) {
        if let Some(name) = self.by.name(self.reader.read(header, record)) {
            self.names.add(name, 1);
        }
    }

    /// What is not exact, if anything.
    pub(super) fn note(&self) -> Option<String> {
        let error = self.hosts.error().max(self.names.error());
        if self.left_out > 0 {
            return Some(format!(
                "more than {MAX_KEYS} servers: {} handshakes of others are left out",
                self.left_out
            ));
        }
        (error > 0)
            .then(|| format!("more than {MAX_KEYS} keys: sums are too high by {error} at most"))
    }

    /// The servers with the longest mean times.
    fn slowest(&self) -> Vec<(&Endpoint, &Handshakes)> {
        let mut servers: Vec<_> = self.servers.iter().collect();
        servers
            .sort_by(|(a, of_a), (b, of_b)| of_b.mean().cmp(&of_a.mean()).then_with(|| a.cmp(b)));
        servers.truncate(self.most);
        servers
    }

    /// The hosts with the largest sums.
    fn hosts_in_order(&self) -> impl Iterator<Item = (&IpAddr, u64, &Host)> {
        self.hosts.top(self.most).into_iter().filter(|(_, sum, _)| *sum > 0)
    }

    /// Appends all of it.
    pub(super) fn end(&self, out: &mut Vec<u8>) {
        match (self.json, self.by) {
            (true, By::Rtt) => self.slowest().iter().for_each(|(server, of)| {
                json::line(out, |line| {
                    line.put("ip", server.addr);
                    line.put_some("port", server.port);
                    line.put("handshakes", of.count());
                    line.put("rtt_mean", of.mean());
                    line.put("rtt_min", of.shortest());
                    line.put("rtt_max", of.longest());
                });
            }),
            (true, _) if self.reads() => {
                for (name, seen, ()) in self.names.top(self.most) {
                    json::line(out, |line| {
                        line.put(self.by.member(), name.as_str());
                        line.put("seen", seen);
                    });
                }
            }
            (true, _) => self.hosts_in_order().for_each(|(addr, sum, host)| {
                json::line(out, |line| {
                    line.put("ip", *addr);
                    for (name, n) in host.columns(self.by, sum) {
                        line.put(name, n);
                    }
                });
            }),
            (false, By::Rtt) => {
                let rows = self.slowest().into_iter().map(|(server, of)| {
                    let spans = [of.mean(), of.shortest(), of.longest()].map(span);
                    let [mean, least, most] = spans;
                    vec![server.to_string(), of.count().to_string(), mean, least, most]
                });
                table(&["SERVER", "HANDSHAKES", "MEAN", "LEAST", "MOST"], rows, out);
            }
            (false, _) if self.reads() => {
                let rows = self.names.top(self.most).into_iter();
                let rows = rows.map(|(name, seen, ())| {
                    vec![terminal(name).into_owned(), amount(seen).to_string()]
                });
                table(&["NAME", "SEEN"], rows, out);
            }
            (false, _) => {
                let rows = self.hosts_in_order().map(|(addr, sum, host)| {
                    let numbers = host.columns(self.by, sum).map(|(_, n)| amount(n).to_string());
                    std::iter::once(addr.to_string()).chain(numbers).collect()
                });
                table(&["ADDRESS", "BYTES", "PACKETS", "FLOWS", "RETRANS"], rows, out);
            }
        }
    }
}

impl By {
    /// The member that has the name.
    fn member(self) -> &'static str {
        match self {
            By::Sni => "sni",
            By::Host => "host",
            _ => "query",
        }
    }
}

impl Host {
    /// The sums; the one by which hosts are ranked may be too high.
    fn columns(&self, by: By, sum: u64) -> [(&'static str, u64); 4] {
        let ranked = |is_it: By, own: u64| if by == is_it { sum } else { own };
        [
            ("bytes", ranked(By::Bytes, self.bytes)),
            ("packets", ranked(By::Packets, self.packets)),
            ("flows", ranked(By::Flows, self.flows)),
            ("retransmits", ranked(By::Retransmits, self.retransmits)),
        ]
    }
}

fn table(headings: &[&str], rows: impl Iterator<Item = Vec<String>>, out: &mut Vec<u8>) {
    let columns = headings.iter().enumerate().map(|(at, heading)| match at {
        0 => GridColumn::new(heading),
        _ => GridColumn::new(heading).right(),
    });
    let mut grid = Grid::new(columns.collect());
    rows.for_each(|row| grid.row(row, out));
    grid.end(out);
}
