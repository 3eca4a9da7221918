//! Ways of a TCP connection: bulk, half-closed, reset, refused.

use super::capture::Stamps;
use super::lab::Lab;
use super::{Recipe, Then, http};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[
    Recipe {
        name: "bulk.pcap",
        holds: "One way only: 390 kB from client to server as fast as the link allows, in full segments.",
        stamps: Stamps::Micro,
        make: bulk,
        then: Then::Keep,
        expected: &[("tcp.len >= 1400", 200), ("tcp.flags.fin == 1", 2), ("tcp.flags.syn == 1", 2)],
    },
    Recipe {
        name: "half-close.pcap",
        holds: "The client ends its side after one line; the server then sends three, some time apart, \
                and ends its own.",
        stamps: Stamps::Micro,
        make: half_close,
        then: Then::Keep,
        expected: &[
            ("tcp.flags.fin == 1 && tcp.dstport == 7000", 1),
            ("tcp.len > 0 && tcp.srcport == 7000", 3),
            ("tcp.flags.fin == 1 && tcp.srcport == 7000", 1),
        ],
    },
    Recipe {
        name: "reset.pcap",
        holds: "Three connections that end by RST: the client gives up at once after sending, the \
                server does after answering, and a download is broken off with bytes under way.",
        stamps: Stamps::Micro,
        make: reset,
        then: Then::Keep,
        expected: &[
            ("tcp.flags.reset == 1 && tcp.dstport == 7001", 1),
            ("tcp.flags.reset == 1 && tcp.srcport == 7002", 1),
            ("tcp.flags.reset == 1 && tcp.dstport == 80", 1),
            ("tcp.len > 0", 4),
        ],
    },
    Recipe {
        name: "refused.pcap",
        holds: "Two attempts at ports on which nothing listens: SYN, answered by RST.",
        stamps: Stamps::Micro,
        make: refused,
        then: Then::Keep,
        expected: &[("tcp.flags.syn == 1", 2), ("tcp.flags.reset == 1 && tcp.flags.ack == 1", 2)],
    },
];

/// Answers on port 7000 only once the client has ended its side.
pub(super) fn serve_after_fin(lab: &mut Lab) -> Result<()> {
    lab.server(
        "tcp/7000",
        "socat -t 10 TCP-LISTEN:7000,reuseaddr,fork SYSTEM:'cat > /dev/null; for part in 1 2 3; do echo part $part; sleep 0.1; done'",
    )
}

/// Sends one line to port 7000, ends its side, and reads on.
pub(super) const HALF_CLOSE: &str = "echo 'all of it, please' | socat -t 10 - TCP:10.77.0.2:7000";

/// Reads whatever comes on port 7001.
pub(super) fn serve_reader(lab: &mut Lab) -> Result<()> {
    lab.server("tcp/7001", "socat -u TCP-LISTEN:7001,reuseaddr,fork OPEN:/dev/null")
}

/// Sends one line to port 7001 and breaks the connection.
pub(super) const GIVE_UP: &str =
    "echo 'never mind' | socat -u - TCP:10.77.0.2:7001,linger=0,shut-close";

/// Breaks off a download at its first 8 KiB, with the rest unread or still to come.
pub(super) const BREAK_OFF: &str =
    "! curl -sS --limit-rate 8k -o /dev/full http://10.77.0.2/long.txt";

fn bulk(lab: &mut Lab) -> Result<()> {
    lab.file("bulk.txt", &http::lines(12_000))?;
    lab.server("tcp/5001", "socat -u -b 65536 TCP-LISTEN:5001 OPEN:/dev/null")?;
    // iperf3 may reset its connection before all of it has arrived.
    lab.client("socat -u -b 65536 OPEN:bulk.txt TCP:10.77.0.2:5001")
}

fn half_close(lab: &mut Lab) -> Result<()> {
    serve_after_fin(lab)?;
    lab.client(HALF_CLOSE)
}

fn reset(lab: &mut Lab) -> Result<()> {
    http::serve(lab, false)?;
    serve_reader(lab)?;
    lab.server(
        "tcp/7002",
        "socat -u SYSTEM:'echo that is all' TCP-LISTEN:7002,reuseaddr,linger=0,shut-close",
    )?;
    lab.client(GIVE_UP)?;
    lab.client("socat -u TCP:10.77.0.2:7002 - || true")?;
    lab.client(BREAK_OFF)
}

fn refused(lab: &mut Lab) -> Result<()> {
    lab.client("! curl -sS http://10.77.0.2:81/")?;
    lab.client("! curl -sS https://10.77.0.2:444/")
}
