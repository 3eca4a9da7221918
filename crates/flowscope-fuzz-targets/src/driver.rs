//! The whole driver: conversations that are cut, lost, doubled and damaged; one batch, and one by one.

use std::time::Duration;

use flowscope::core::FlowSide::{Initiator, Responder};
use flowscope::core::Timestamp;
use flowscope::driver::Transport;
use flowscope_testkit::{Dialogue, Packet};

use crate::attack::Conversation;
use crate::{Input, attack};

/// Servers' ports, and those that are nobody's.
const PORTS: [u16; 16] =
    [80, 443, 53, 22, 25, 21, 110, 5432, 3306, 123, 67, 5353, 137, 8080, 7, 40_001];

/// Memory that the driver may take, in bytes.
const BUDGET: usize = 8 << 20;

pub(crate) fn run(bytes: &[u8]) {
    let packets = packets(bytes);
    let mut all = [Vec::new(), Vec::new()];
    for (size, events) in [1, 64].into_iter().zip(&mut all) {
        let driver = attack::driver(BUDGET);
        let packets = packets.iter().cloned();
        attack::run(driver, packets, size, |event| events.push(format!("{event:?}")));
    }
    assert_eq!(all[0], all[1], "batches of 1 and of 64");
}

/// A conversation for each port byte: what the sides say, and what the capture does to the packets.
pub(crate) fn packets(bytes: &[u8]) -> Vec<Packet> {
    let mut input = Input::new(bytes);
    let mut all = Vec::new();
    for n in 0..4 {
        if input.is_empty() {
            break;
        }
        let (port, turns) = (input.byte(), input.byte() % 12);
        let ends = (format!("10.0.0.{n}:{}", 40_100 + n), PORTS[usize::from(port & 15)]);
        let server = format!("192.0.2.1:{}", ends.1);
        let udp = port & 0x10 != 0;
        let mut script = match udp {
            true => Dialogue::udp(&ends.0, &server),
            false => Dialogue::tcp(&ends.0, &server),
        };
        if !udp && port & 0x20 == 0 {
            script = script.handshake();
        }
        for _ in 0..turns {
            let word = input.half();
            let side = if word & 1 == 0 { Initiator } else { Responder };
            let said = input.take(usize::from(word >> 2).min(8000));
            for piece in said.chunks(if word & 2 == 0 { 1400 } else { 9 }).take(200) {
                script = if udp { script.datagram(side, piece) } else { script.data(side, piece) };
            }
        }
        if !udp {
            script = match port >> 6 {
                0 => script,
                1 => script.rst(Responder),
                _ => script.close(Initiator),
            };
        }
        all.extend(script.packets());
    }
    while !input.is_empty() && !all.is_empty() {
        let (what, at) = (input.byte(), usize::from(input.half()) % all.len());
        let other = usize::from(input.byte()) % all.len();
        match what & 7 {
            0 => drop(all.remove(at)),
            1 => all.insert(other, all[at].clone()),
            2 => all.swap(at, other),
            3 => all[at] = all[at].cut(usize::from(what)),
            4 => {
                let len = all[at].bytes.len();
                all[at].bytes[usize::from(what) % len] ^= 1 << (other % 8);
            }
            5 => all[at].ts = all[at].ts + Duration::from_secs(u64::from(what) * 3),
            6 => all[at].ts = Timestamp::from_secs(u64::from(what)),
            _ => all[at].wire_len = all[at].wire_len.saturating_add(u32::from(what) << 8),
        }
        if all.len() > 2000 {
            break;
        }
    }
    all
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let seed = |(port, transport, turns): Conversation| {
        let at = PORTS.iter().position(|known| *known == port)? as u8;
        let udp = if transport == Transport::Datagram { 0x10 } else { 0x80 };
        let mut seed = vec![at | udp, turns.len().min(8) as u8];
        for (side, bytes) in turns.into_iter().take(8) {
            let said: &[u8] = &bytes[..bytes.len().min(3000)];
            let word = (said.len() as u16) << 2 | u16::from(side != Initiator);
            seed.extend(word.to_be_bytes());
            seed.extend_from_slice(said);
        }
        Some(seed)
    };
    attack::conversations(2).into_iter().filter_map(seed).collect()
}
