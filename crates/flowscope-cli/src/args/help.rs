//! What `--help` says behind the options.

pub(super) const EXAMPLES: &str = "\
Examples:
  flowscope flows trace.pcap                     who spoke to whom, as a table
  flowscope flows --format eve trace.pcap.gz     the same as JSON lines, for jq and pipelines
  flowscope sessions trace.pcap                  what they said: HTTP, TLS and DNS
  flowscope follow trace.pcap 4                  the bytes of the flow that packet 4 began
  flowscope flows --format zeek -o conn.log monday.pcap tuesday.pcap
  flowscope sessions -i eth0 -f \"port 53\"       what is said now, until Ctrl-C
  flowscope capture -i eth0 -w trace.pcapng      record packets to look at them later
  tcpdump -w - port 443 | flowscope events -     what happens, as it happens

`flowscope help COMMAND` explains the rest.";

pub(super) const FLOWS_HELP: &str = "\
The table:
  START is UTC. INITIATOR is who began it: by the handshake, else by well-known ports, else
  whoever sent the first packet. PACKETS and BYTES are what the initiator sent / what the
  responder sent; bytes are those on the wire, all headers counted. K is thousands, M millions.
  STATE says how the flow ended: `closed` and `reset` as TCP does, `idle` in silence, `open` not
  before the capture did, `evicted` for want of room (--max-flows, --memory), `reused` as a new
  connection took its ports. `active` is a report on a flow that goes on (--active).
  HISTORY has Zeek's letters: S SYN, H SYN+ACK, A ACK, D data, F FIN, R RST, T retransmission,
  G gap, W zero window; upper case for the initiator.

EVE:
  Suricata's fields, and an object `flowscope` with what Suricata has no name for: `syn_rtt` and
  `ack_rtt` are seconds, `gap_bytes_..` were never captured, `conn_state` is Zeek's. The last line
  has event_type `stats`: where every packet and every byte of payload went.

Live (-i):
  Records come as flows end, in silence too; that of a closed or reset connection once the time
  for its late packets is over (--linger). Ctrl-C, SIGTERM, --count and --duration stop taking
  packets in; what was captured before is worked off, and flows still open end as `open`. A second
  Ctrl-C ends the program at once, with status 130. What the kernel dropped for want of room is
  counted as kernel_drop, and makes the status 3.

Exit status:
  0 done   1 failed   2 wrong usage   3 done, but a capture was damaged or cut short, or packets
  were lost for want of room   4 no permission to read   5 output could not be written

Examples:
  flowscope flows trace.pcap
  flowscope flows -i eth0 --interim 60 -f \"not port 22\"
  flowscope flows --format eve trace.pcap | jq 'select(.tcp.state == \"closed\") | .src_ip'
  flowscope flows --active 60 --format csv -o flows.csv long.pcapng.zst";

pub(super) const SESSIONS_HELP: &str = "\
A flow's protocol is found by its first bytes, on any port; ports say what to try first.

Records:
  http  one per request, answered or not, and one per response whose request was not captured
  tls   one per handshake, also when it fails or only one side of it was captured
  dns   one per message

Zeek's logs are printed as one stream: a header comes whenever the next record belongs to another
log than the one before, which `zeek-cut` understands. `--protocol http` leaves one log.

Exit status: as for `flowscope flows`.

Examples:
  flowscope sessions trace.pcap
  flowscope sessions -i eth0 --protocol http,dns
  flowscope sessions --protocol tls --format eve trace.pcap | jq -r .tls.sni
  flowscope sessions --protocol dns --format zeek -o dns.log trace.pcap";

pub(super) const FOLLOW_HELP: &str = "\
What each side sent, in the order in which it was complete. Lines that begin with `>>>` (initiator)
and `<<<` (responder) say whose bytes follow; `[... 12 bytes not captured ...]` marks a gap.

Exit status: as for `flowscope flows`; 1 if there is no such conversation.

Examples:
  flowscope follow trace.pcap 4
  flowscope follow --side responder --format raw -o page.bin trace.pcap 10.0.0.1:40000-10.0.0.2:80
  flowscope follow --digest trace.pcap | jq .toclient.sha256";

pub(super) const EVENTS_HELP: &str = "\
Every line has `packet` (number of the packet that it follows from), `timestamp`, `flow_id` (number
of the flow's first packet), the flow's ends (`src_ip` is the initiator) and `event`:
  started, packet, established, state_change, anomaly, icmp_error, interim, ended, late
  parser_chosen, parser_stopped, gap, conflict, application
The last line has the statistics.

Exit status: as for `flowscope flows`.

Examples:
  flowscope events -i eth0 --duration 10
  flowscope events trace.pcap | jq 'select(.event == \"anomaly\")'";

#[cfg(all(feature = "live", target_os = "linux"))]
pub(super) const INTERFACES_HELP: &str = "\
LINK is what packets begin with. STATE is `running` if packets can pass, `up` without a carrier,
else `down`. QUEUES are those that packets arrive in. CAPTURE says whether this program may capture
there; where it lacks the permission, the line that grants it is printed on standard error.

Examples:
  flowscope interfaces
  flowscope interfaces --format json | jq -r 'select(.state == \"running\") | .name'";

#[cfg(all(feature = "live", target_os = "linux"))]
pub(super) const CAPTURE_HELP: &str = "\
Ctrl-C, SIGTERM, --count and --duration stop taking packets in; what was captured before is written,
and the file completed. The last line says where every packet went that the kernel counted. A second
Ctrl-C ends the program at once, with status 130, and leaves FILE.part behind.

With --rotate-size or --rotate-time, -w trace.pcapng writes trace-00001.pcapng, trace-00002.pcapng
and so on, each a whole capture that appears when it is complete. A new file begins with the next
packet, so that silence makes no files. Files of an earlier run are overwritten as their number
comes.

If a file cannot be written to its end, what could be written stays in FILE.part, a capture that
ends early.

Exit status:
  0 done   1 failed   2 wrong usage   3 done, but packets were lost for want of room
  4 no permission to capture   5 the file could not be written

Examples:
  flowscope capture -i eth0 -w trace.pcapng
  flowscope capture -i eth0 -w - -f \"port 53\" | flowscope sessions -
  flowscope capture -i eth0 -i eth1 -w ring.pcapng --rotate-size 100M --keep 10";

#[cfg(all(feature = "live", target_os = "linux"))]
pub(super) const REPLAY_HELP: &str = "\
Packets are sent as they were captured, link header included, with the time between them divided by
--speed. Those that cannot be sent as they were are left out and counted:
  cut         the snap length cut them off
  other_link  they begin with another link header than the interface's packets
  too_long    the interface's MTU is too small for them
  too_short   they are shorter than a link header
The last line says how far behind its schedule the sending was at most.

Exit status:
  0 all was sent, or it was interrupted   1 failed   2 wrong usage   3 packets were left out, or a
  capture was damaged   4 no permission

Examples:
  flowscope replay trace.pcap -i veth0
  flowscope replay trace.pcap -i veth0 --pps 1000 --loop 10";
