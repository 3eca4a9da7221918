//! Captures as long as a test needs them.

use std::net::Ipv4Addr;

/// A capture of DNS: so many flows, of a query and its answer each. Three begin each 300 ms, in the networks 10.0.0.0/24,
/// 10.0.1.0/24 and 10.0.2.0/24, so that time is the same for a sensor that sees one of them alone.
pub(crate) fn dns(flows: u32) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65535, 1_u32] {
        file.extend(word.to_le_bytes());
    }
    let client = |flow: u32| {
        let address = Ipv4Addr::new(10, 0, (flow % 3) as u8, (flow / 3 % 200) as u8 + 1);
        (address, 1024 + (flow / 600 % 60_000) as u16)
    };
    for first in (0..flows).step_by(3) {
        let millis = u64::from(first) * 100;
        for flow in first..first + 3 {
            packet(&mut file, millis, client(flow), (SERVER, 53), &message(flow, false));
        }
        for flow in first..first + 3 {
            packet(&mut file, millis + 20, (SERVER, 53), client(flow), &message(flow, true));
        }
    }
    file
}

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);

fn packet(
    file: &mut Vec<u8>,
    millis: u64,
    from: (Ipv4Addr, u16),
    to: (Ipv4Addr, u16),
    payload: &[u8],
) {
    let udp = 8 + payload.len() as u16;
    let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
    frame.extend((20 + udp).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
    frame.extend(from.0.octets().into_iter().chain(to.0.octets()));
    for field in [from.1, to.1, udp, 0] {
        frame.extend(field.to_be_bytes());
    }
    frame.extend(payload);
    // From 2026-01-02 03:04:05 on.
    let secs = 1_767_323_045 + millis / 1000;
    for word in [secs as u32, (millis % 1000) as u32 * 1000, frame.len() as u32, frame.len() as u32]
    {
        file.extend(word.to_le_bytes());
    }
    file.extend(frame);
}

/// A query for a name of its own, or the answer to it.
fn message(flow: u32, is_answer: bool) -> Vec<u8> {
    let flags = if is_answer { [0x81, 0x80] } else { [0x01, 0x00] };
    let mut message = (flow as u16).to_be_bytes().to_vec();
    message.extend(flags);
    message.extend([0, 1, 0, u8::from(is_answer), 0, 0, 0, 0]);
    let label = format!("host-{flow}");
    for label in [label.as_str(), "example", "com"] {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    if is_answer {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        message.extend(flow.to_be_bytes());
    }
    message
}
