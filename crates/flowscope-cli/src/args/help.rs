//! Text after the options in `--help`.

use std::fmt::Write as _;

use flowscope::protocols::{self, ProtocolInfo};
use flowscope::record::AnySchema;

/// Below the commands in `-h`.
pub(super) const MORE: &str =
    "`flowscope --help` has examples, `flowscope help COMMAND` the options of a command.";

pub(super) const EXAMPLES: &str = "\
Examples:
  flowscope summary trace.pcap                   what is in it, on one screen
  flowscope top --by sni -n 10 trace.pcap        the names that were asked for most
  flowscope flows trace.pcap                     flows as a table
  flowscope flows --format eve trace.pcap.gz     the same as JSON lines, for jq and pipelines
  flowscope sessions trace.pcap                  transactions and handshakes: HTTP, TLS, DNS, …
  flowscope follow trace.pcap 4                  payload of the flow that packet 4 began
  flowscope extract trace.pcap --where 'sni == a.test' -o a.pcapng
                                                 the packets of flows, to look at elsewhere
  flowscope flows --format zeek -o conn.log monday.pcap tuesday.pcap
  flowscope sessions --format zeek --output-dir logs trace.pcap
                                                 Zeek's conn.log, http.log, dns.log, …
  flowscope merge monday.json tuesday.json       flow records of several captures as one table
  flowscope sessions -i eth0 -f \"port 53\"       live DNS records, until Ctrl-C
  flowscope capture -i eth0 -w trace.pcapng      record packets to a file
  tcpdump -w - port 443 | flowscope events -     events of packets from a pipe

`flowscope help COMMAND` explains the options of a command.";

/// What `flows --help` says behind the options.
pub(super) fn flows() -> String {
    let read = || protocols::all().iter();
    let own_ports = read().filter(|known| known.by_bytes == [false; 2]).map(|known| known.name);
    let own_ports = own_ports.chain(named().into_iter().filter(|name| !by_bytes(name)));
    let mut text = FLOWS_BEGIN.to_owned();
    for (title, names) in [
        ("Parsed", read().map(|known| known.name).collect()),
        ("Named only", named()),
        ("Of these, on their own ports only", own_ports.collect::<Vec<_>>()),
    ] {
        let _ = write!(text, "\n  {title}:");
        list(&mut text, "    ", names.into_iter());
    }
    text + "\n" + FLOWS_END
}

/// Whether the first bytes of a flow give it this name on any port.
fn by_bytes(name: &str) -> bool {
    protocols::named().iter().any(|known| known.name == name && known.by_bytes())
}

/// The names of protocols that no parser reads, in order.
pub(super) fn named() -> Vec<&'static str> {
    let mut names: Vec<_> = protocols::named().iter().map(|known| known.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Longest line of a list, in characters.
const LINE: usize = 98;

const FLOWS_BEGIN: &str = "\
The table:
  START is UTC. INITIATOR is the endpoint that began the flow: by the handshake, else by
  well-known ports, else by the first packet. PACKETS and BYTES are initiator/responder; bytes are
  wire bytes including all headers. K is thousands, M millions. STATE says how the flow ended:
  `closed` and `reset` by TCP, `idle` by timeout, `open` with the capture, `evicted` for lack of
  room (--max-flows, --memory), `reused` by a new connection on the same ports. `active` is an
  interim record of an open flow (--active).
  HISTORY has Zeek's letters: S SYN, H SYN+ACK, A ACK, D data, F FIN, R RST, T retransmission,
  G gap, W zero window; upper case for the initiator.

Protocols (`app_proto`, `service`, --protocol):
  Most are detected by their first bytes on any port. A port alone names nothing that bytes
  contradict.";

const FLOWS_END: &str = "
EVE:
  Suricata's fields, and an object `flowscope` for fields that Suricata does not have: `syn_rtt` and
  `ack_rtt` in seconds, `gap_bytes_..` for bytes never captured, Zeek's `conn_state`. The last line
  has event_type `stats`: packets and payload bytes, delivered and lost by cause.

Conditions (--where):
  Fields are the columns of FORMATS.md: `bytes`, `duration`, `app_proto`, `src_ip`; `ip` and `port` are
  those of either side. Also those of its session records: `sni`, `query`, `http.status`.
  == != < <= > >= compare, `contains`, `starts` and `ends` search text, `in {a, b}` and
  `in 10.0.0.0/8` look a value up, `exists FIELD` asks whether there is one; && || ! ( ), or `and`,
  `or`, `not`, put together. Values: 443, 1.5M (K, M, G: powers of 1000), 10ms, 2s,
  2026-01-02T03:04:05Z, text. A comparison with a field that is not there is false, != too.

Zeek, CSV, JSON, Parquet:
  `ipfix` sends flows to a collector, or writes them to a file: docs/IPFIX.md has the elements.
  `zeek` is conn.log, `zeek-json` the same as JSON lines. `json` has the columns of `csv`, one flat
  object per record. With --output-dir the log is DIR/conn.log, DIR/eve.json, DIR/flow.csv or
  DIR/flow.json; `flowscope sessions` writes it too, beside those of protocols.
  `parquet` is for --output-dir: DIR/record=flow/hour=2026-01-02T03/part-00000.parquet, by the time
  at which a flow began. The program `flowscope-parquet` writes it, which `flowscope` starts.
  `arrow` is for -o nats://HOST:PORT: batches to a NATS JetStream, by the program `flowscope-nats`.

Live (-i):
  Records are printed as flows end, also by timeout; that of a closed or reset connection when the
  time for its late packets is over (--linger). Ctrl-C, SIGTERM, --count and --duration stop the
  capture; packets received before are still processed, and open flows end as `open`. A second
  Ctrl-C ends the program at once, with status 130. Packets dropped by the kernel are counted as
  kernel_drop, and make the status 3.
  --shunt lets the kernel count what changes nothing but counters, which is most of a long download;
  these packets are not read. A connection comes back with the first packet that is another, such as
  a FIN. Records are the same but for flow_id; `flowscope.shunted_..` of EVE says what was counted.
  It takes root or CAP_BPF, Linux 5.14, one Ethernet interface, and none of -f, --vlan-key,
  --ethernet, --count, --checksums and --timestamps card. A flow that finds no room is read.

Exit status:
  0 done   1 failed   2 wrong usage   3 done, but a capture was damaged or cut short, or packets
  were lost for lack of room   4 no permission to read   5 output could not be written

Examples:
  flowscope flows trace.pcap
  flowscope flows --fields initiator,responder,bytes --sort=-bytes -n 10 trace.pcap
  flowscope flows --where 'sni ends .example.com && bytes > 1M' trace.pcap
  flowscope flows -i eth0 --interim 60 -f \"not port 22\"
  flowscope flows -i eth0 --shunt 100000 --format eve -o flows.json
  flowscope flows --format eve trace.pcap | jq 'select(.tcp.state == \"closed\") | .src_ip'
  flowscope flows --active 60 --format csv -o flows.csv long.pcapng.zst
  flowscope flows -i eth0 --format ipfix -o udp://192.0.2.7:4739";

/// What `sessions --help` says behind the options.
pub(super) fn sessions() -> String {
    let protocols = protocols::all();
    let width = protocols.iter().map(|protocol| protocol.name.len()).max().unwrap_or_default();
    let mut text = SESSIONS_BEGIN.to_owned();
    let own_ports = protocols.iter().filter(|known| known.by_bytes == [false; 2]);
    list(&mut text, "  ", own_ports.map(|known| known.name));
    text.push_str("\n\nRecords:\n");
    for protocol in protocols {
        let _ = writeln!(text, "  {:width$}  {}", protocol.name, protocol.records);
    }
    text.push_str("\nZeek's logs:");
    list(&mut text, "  ", zeek_logs().iter().map(|log| format!("{log}.log")));
    text + "\n" + SESSIONS_END
}

/// The logs of all protocols, each once.
fn zeek_logs() -> Vec<&'static str> {
    let logs_of = |protocol: &ProtocolInfo| {
        let also = protocol.schema.zeek_also().into_iter().map(AnySchema::zeek_log);
        std::iter::once(protocol.schema.zeek_log()).chain(also).collect::<Vec<_>>()
    };
    let mut logs = Vec::new();
    for log in protocols::all().iter().flat_map(logs_of) {
        if !logs.contains(&log) {
            logs.push(log);
        }
    }
    logs
}

/// Appends words in lines that begin with `indent`.
fn list(text: &mut String, indent: &str, words: impl Iterator<Item = impl AsRef<str>>) {
    let mut column = LINE;
    for word in words {
        let word = word.as_ref();
        if column + 1 + word.len() > LINE {
            text.push('\n');
            text.push_str(indent);
            column = indent.len();
        } else {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
}

const SESSIONS_BEGIN: &str = "\
The protocol of a flow is detected by its first bytes on any port, and by its port where the bytes
leave more than one. Detected on their own ports only:";

const SESSIONS_END: &str = "
One stream:
  `zeek` prints a header whenever the log changes, which `zeek-cut` understands. `zeek-json` has the
  log of each record as `_path`. `csv` has the columns of all protocols, with the protocol's name
  before them. With a single --protocol the stream is one log: one header, no `_path`, and only
  the columns of that protocol.

Logs in a directory (--output-dir DIR):
  Records of flows are written too, as by `flowscope flows`. `zeek` and `zeek-json` write conn.log
  and Zeek's logs above, `csv` writes flow.csv and a file for each protocol, `json` likewise
  flow.json, `eve` writes eve.json.
  The log of flows always exists; a protocol's is created for its first record. The names are
  final while the program runs, as in Zeek. If one of the logs exists already, nothing is read and
  the status is 5. If writing fails, what was written stays.

Conditions (--where): as for `flowscope flows`, over the fields of the records alone. `app_proto` is the
protocol of the record, `tls.version` the version of TLS records.

Exit status: as for `flowscope flows`.

Examples:
  flowscope sessions trace.pcap
  flowscope sessions --where 'status >= 400 or rcode == nxdomain' trace.pcap
  flowscope sessions -i eth0 --protocol http,dns
  flowscope sessions --protocol tls --format eve trace.pcap | jq -r .tls.sni
  flowscope sessions --protocol dns --format zeek -o dns.log trace.pcap
  flowscope sessions --format zeek --output-dir logs trace.pcap
  flowscope sessions -i eth0 --format zeek-json --output-dir /var/log/flowscope";

pub(super) const SUMMARY_HELP: &str = "\
What was lost, or not exact for lack of room, comes first. BYTES are wire bytes of flows, those of both
sides; PROTOCOL is the transport where nothing more is known. FAILED: `refused` is a reset in answer to
a SYN, `reset` any other reset that ended a connection, `unanswered` a flow to a single host that sent
nothing back, then response codes of DNS, status codes of HTTP from 400 on, alerts of TLS.
At most 10000 protocols, addresses, ports and names are counted separately; with more, sums may be
too high, and the largest possible error is printed, in JSON as `too_high_by_at_most`.

Exit status: as for `flowscope flows`.

Examples:
  flowscope summary trace.pcap
  flowscope summary --format json monday.pcap tuesday.pcap | jq .failures";

pub(super) const TOP_HELP: &str = "\
An address has the bytes and packets of all its flows, of both sides; RETRANS are the segments that
it sent again itself. `rtt` is from SYN to SYN+ACK, as seen where the packets were captured. Names
are counted once per handshake, request or query.
At most 10000 are counted separately; with more, sums may be too high, and the largest possible
error is printed.

Exit status: as for `flowscope flows`.

Examples:
  flowscope top trace.pcap
  flowscope top --by query -n 10 trace.pcap
  flowscope top --by rtt --format json trace.pcap | jq .rtt_mean";

pub(super) const FOLLOW_HELP: &str = "\
The payload of both sides, in the order in which it became complete. A line with `>>>` (initiator)
or `<<<` (responder) says which side sent the bytes below it; `[... 12 bytes not captured ...]` marks
a gap.
With --output-dir the bytes of each side go to a file of its own, named by the id of the flow, its ends
and the direction, gaps cut out. DIR/index.json has a line for each flow with the names of its files and
`gaps`, each with its offset in the stream and its length; `beginning_missing` if the stream began before
the capture.

Exit status: as for `flowscope flows`; 1 if there is no such conversation.

Examples:
  flowscope follow trace.pcap 4
  flowscope follow --side responder --format raw -o page.bin trace.pcap 10.0.0.1:40000-10.0.0.2:80
  flowscope follow --output-dir streams trace.pcap
  flowscope follow --digest trace.pcap | jq .toclient.sha256";

pub(super) const EXTRACT_HELP: &str = "\
All packets of a chosen flow are written, its handshake, late packets and fragments included, as they
were captured, with the headers around them. They keep their order. Whether a flow is chosen is known at
its end, so captures are read three times; standard input is not possible. With -f, flows consist of the
packets that it lets pass.
The name of OUT says the format: pcap for `.pcap`, which has one link type, else pcapng; with gzip for
names that end in `.gz`. Without -o, pcapng is written to standard output, unless that is a terminal.

Exit status: as for `flowscope flows`.

Examples:
  flowscope extract trace.pcap --where 'app_proto == tls && end_reason == rst' -o resets.pcapng
  flowscope extract trace.pcap --where 'sni ends .example.com' | tshark -r -
  flowscope extract monday.pcap tuesday.pcap --where 'ip in 10.1.0.0/16' -o net.pcap.gz";

pub(super) const SPLIT_HELP: &str = "\
Each flow becomes a pcapng file in DIR, which must be empty or not exist. Its name has the id of the
flow (the number of its first packet), the protocol, and the ends, initiator first:
  00000004_tcp_10.0.0.1-40000_10.0.0.2-80.pcapng
In a file the fragments of a datagram stand before the packet that completes it. Captures are read
twice; standard input is not possible. If writing fails, the files written so far stay.

Exit status: as for `flowscope flows`.

Examples:
  flowscope split trace.pcap -o flows
  flowscope split trace.pcap --where 'app_proto == sip or app_proto == rtp' -o calls";

pub(super) const EVENTS_HELP: &str = "\
Every line has `packet` (number of the packet that caused it), `timestamp`, `flow_id` (number of the
flow's first packet), the endpoints (`src_ip` is the initiator) and `event`:
  started, packet, established, state_change, anomaly, icmp_error, interim, ended, late
  parser_chosen, protocol_contradicted, protocol_withdrawn, parser_stopped, gap, conflict, application
The last line has the statistics.

Exit status: as for `flowscope flows`.

Examples:
  flowscope events -i eth0 --duration 10
  flowscope events trace.pcap | jq 'select(.event == \"anomaly\")'";

#[cfg(all(feature = "live", target_os = "linux"))]
pub(super) const INTERFACES_HELP: &str = "\
LINK is the link type. STATE is `running` if packets can pass, `up` without a carrier, else `down`.
QUEUES is the number of receive queues. CAPTURE says whether this program may capture there; if not,
the command that grants the permission is printed on standard error.

Examples:
  flowscope interfaces
  flowscope interfaces --format json | jq -r 'select(.state == \"running\") | .name'";

#[cfg(all(feature = "live", target_os = "linux"))]
pub(super) const DOCTOR_HELP: &str = "\
Each line begins with `ok`, with `note` where capturing works but something should be known, or with
`FAIL`. Below it stands a command that changes it, where there is one. Nothing is changed.

Exit status:
  0 packets can be captured   1 they cannot, or an interface is down   2 wrong usage

Examples:
  flowscope doctor
  flowscope doctor eth0 --format json | jq -r 'select(.state != \"ok\") | .what'";

#[cfg(all(feature = "live", target_os = "linux"))]
pub(super) const CAPTURE_HELP: &str = "\
Ctrl-C, SIGTERM, --count and --duration stop the capture; packets received before are still written,
and the file is completed. The last line accounts for every packet that the kernel counted. A second
Ctrl-C ends the program at once, with status 130, and leaves FILE.part behind.

With --rotate-size or --rotate-time, -w trace.pcapng writes trace-00001.pcapng, trace-00002.pcapng
and so on, each a complete capture that gets its name when it is finished. A new file begins with
the next packet, so no file is empty. Files of an earlier run are overwritten.

If writing fails, the packets written so far stay in FILE.part, a valid capture.

Exit status:
  0 done   1 failed   2 wrong usage   3 done, but packets were lost for lack of room
  4 no permission to capture   5 the file could not be written

Examples:
  flowscope capture -i eth0 -w trace.pcapng
  flowscope capture -i eth0 -w - -f \"port 53\" | flowscope sessions -
  flowscope capture -i eth0 -i eth1 -w ring.pcapng --rotate-size 100M --keep 10";

#[cfg(all(feature = "live", target_os = "linux"))]
pub(super) const REPLAY_HELP: &str = "\
Packets are sent as captured, link header included, with the time between them divided by --speed.
Packets that cannot be sent unchanged are skipped and counted:
  cut         cut by the snap length
  other_link  the interface has another link type
  too_long    longer than the MTU of the interface allows
  too_short   shorter than a link header
The last line has the largest delay behind the schedule.

Exit status:
  0 all was sent, or it was interrupted   1 failed   2 wrong usage   3 packets were skipped, or a
  capture was damaged   4 no permission

Examples:
  flowscope replay trace.pcap -i veth0
  flowscope replay trace.pcap -i veth0 --pps 1000 --loop 10";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_log_is_listed_once() {
        let logs = zeek_logs();
        let once: BTreeSet<_> = logs.iter().collect();
        assert_eq!(once.len(), logs.len(), "{logs:?}");
        assert!(logs.contains(&"x509") && logs.contains(&"dns"), "{logs:?}");
    }

    #[test]
    fn lists_are_broken_between_words() {
        let mut text = String::from("Names:");
        list(&mut text, "  ", std::iter::repeat_n("twelve-bytes", 9));
        let line = ["twelve-bytes"; 7].join(" ");
        assert_eq!(text, format!("Names:\n  {line}\n  twelve-bytes twelve-bytes"));
        assert!(text.lines().all(|line| line.len() <= LINE));
    }
}
