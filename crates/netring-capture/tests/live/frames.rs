//! What frames look like when they are lent.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use flowscope_core::{LinkType, PacketSource, PacketView};
use flowscope_filter::{Instruction, Program};
use netring_capture::{AfPacket, Capture};

use crate::world::{
    CUSTOMER, PATIENCE, SERVICE, Seen, config, in_namespace, ip, numbered, open, positive, read,
    rest, ring, running, send, tagged, until, while_sending, whole,
};

pub(crate) fn every_frame_is_seen_once_in_order_with_its_bytes_and_time() {
    in_namespace(name!(every_frame_is_seen_once_in_order_with_its_bytes_and_time), || {
        let now = || {
            let since = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
            u64::try_from(since.as_nanos()).expect("a clock before 2554")
        };
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config().interface_number(7)));
        assert_eq!(b.link(), LinkType::ETHERNET);
        let frames: Vec<Vec<u8>> = (0..500).map(|n| numbered(n, 60 + n as usize * 2)).collect();
        let before = now();
        for frame in &frames {
            send(&mut a, frame);
        }
        until("a block is ready", || b.wait(Some(PATIENCE)).expect("the interface is up"));
        let mut seen = Vec::new();
        let mut last = before;
        until("all were lent", || {
            b.next_batch(&mut |packets| {
                assert!(!packets.is_empty() && packets.len() <= 64);
                for packet in packets {
                    assert_eq!((packet.interface(), packet.rx_hash()), (Some(7), None));
                    assert!((last..=now()).contains(&packet.ts().as_nanos()));
                    last = packet.ts().as_nanos();
                    seen.push(packet.frame().to_vec());
                }
            })
            .expect("the interface is up");
            seen.len() >= frames.len()
        });
        assert_eq!(seen, frames);
        assert_eq!(read(&mut b, 0), []);
        let stats = b.stats().expect("the socket is open");
        assert_eq!((stats.packets, stats.delivered, stats.lost(), stats.freezes), (500, 500, 0, 0));
    });
}

pub(crate) fn a_tag_that_the_kernel_takes_out_is_put_back() {
    in_namespace(name!(a_tag_that_the_kernel_takes_out_is_put_back), || {
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config()));
        let snap_len = positive(64);
        let mut cut = open("v1", &config().snap_len(snap_len));
        let mut near = open("v0", &config());
        let all = [
            tagged(1, &[CUSTOMER]),
            tagged(2, &[SERVICE, CUSTOMER]),
            tagged(3, &[SERVICE, CUSTOMER, CUSTOMER]),
            tagged(4, &[]),
            // Not a byte more than fits.
            [&tagged(5, &[CUSTOMER])[..], &[7; 1434]].concat(),
        ];
        for frame in &all {
            send(&mut a, frame);
        }
        let expected = all.clone().map(whole);
        assert_eq!(read(&mut b, 5), expected);
        assert_eq!(read(&mut near, 5), expected, "outgoing frames, too");
        let expected = all.map(|bytes| Seen { bytes: bytes[..64].to_vec(), ..whole(bytes) });
        assert_eq!(read(&mut cut, 5), expected);

        // Some at a time, in both ways.
        for number in 0..300 {
            send(&mut a, &tagged(number, &[CUSTOMER]));
        }
        let mut next = 0;
        let mut check = |packet: &PacketView<'_>| {
            assert_eq!(packet.frame(), tagged(next, &[CUSTOMER]));
            next += 1;
        };
        until("all were read", || {
            let lent = b.next_batch(&mut |packets| packets.iter().for_each(&mut check));
            assert!(lent.expect("the interface is up") <= 64);
            if let Some(block) = b.next_block() {
                block.packets().for_each(|packet| check(&packet));
            }
            b.stats().expect("the socket is open").delivered == 305
        });
        assert_eq!(next, 300);
    });
}

pub(crate) fn the_snap_length_cuts_frames_and_not_their_length_on_the_wire() {
    in_namespace(name!(the_snap_length_cuts_frames_and_not_their_length_on_the_wire), || {
        let snap_len = positive(64);
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config().snap_len(snap_len)));
        // Not by the kernel: it returns what the accumulator holds.
        let all = [Instruction::new(0x00, 0, 0, 1000), Instruction::new(0x16, 0, 0, 0)];
        let all = Program::new(all).expect("two instructions that run");
        let mut by_reader = open("v1", &config().snap_len(snap_len).filter(all));
        let lengths = [60, 64, 65, 1514];
        for len in lengths {
            send(&mut a, &numbered(9, len));
        }
        let expected =
            lengths.map(|len| Seen { bytes: numbered(9, len.min(64)), ..whole(numbered(9, len)) });
        assert_eq!(read(&mut b, 4), expected);
        assert_eq!(read(&mut by_reader, 4), expected);
    });
}

pub(crate) fn a_filter_holds_from_the_first_frame_on() {
    in_namespace(name!(a_filter_holds_from_the_first_frame_on), || {
        let mut a = open("v0", &config());
        let even = [
            Instruction::new(0x20, 0, 0, 14), // load the number
            Instruction::new(0x45, 0, 1, 1),  // odd: go on, else skip one
            Instruction::new(0x06, 0, 0, 0),
            Instruction::new(0x06, 0, 0, 0x4_0000),
        ];
        let even = Program::new(even).expect("four instructions that run");
        let mut captures: Vec<AfPacket> = while_sending(
            &mut a,
            |number| numbered(number, 60),
            || (0..8).map(|_| open("v1", &ring(512, 1 << 12, 10).filter(even.clone()))).collect(),
        );
        for capture in &mut captures {
            let numbers = rest(capture, 14);
            assert!(numbers.len() >= 50, "it was open when the last hundred were sent");
            assert!(numbers.iter().all(|number| number % 2 == 0), "{numbers:?}");
            assert!(numbers.is_sorted_by(|one, next| one < next), "none twice");
        }
    });
}

pub(crate) fn outgoing_frames_are_seen_unless_they_are_ignored() {
    in_namespace(name!(outgoing_frames_are_seen_unless_they_are_ignored), || {
        let mut a = open("v0", &config());
        let mut beside = open("v0", &config());
        let mut deaf = open("v0", &config().ignore_outgoing(true));
        let mut b = open("v1", &config());
        send(&mut a, &numbered(1, 60));
        send(&mut b, &numbered(2, 60));
        assert_eq!(read(&mut beside, 2), [whole(numbered(1, 60)), whole(numbered(2, 60))]);
        assert_eq!(read(&mut deaf, 1), [whole(numbered(2, 60))]);

        // On the loopback interface what is sent comes back.
        ip("link set lo up");
        until("the loopback is up", || running("lo"));
        let (mut sender, mut lo) = (open("lo", &config()), open("lo", &config()));
        assert!(lo.interface().is_loopback);
        send(&mut sender, &numbered(3, 60));
        assert_eq!(read(&mut lo, 1), [whole(numbered(3, 60))]);

        // A group has a switch of its own.
        let mut member = open("lo", &config().fanout_group(3));
        send(&mut sender, &numbered(4, 60));
        assert_eq!(read(&mut member, 1), [whole(numbered(4, 60))]);
    });
}

pub(crate) fn a_checksum_left_to_the_card_is_reported() {
    in_namespace(name!(a_checksum_left_to_the_card_is_reported), || {
        ip("link set lo up");
        until("the loopback is up", || running("lo"));
        let mut lo = open("lo", &config());
        let server = TcpListener::bind("127.0.0.1:0").expect("the loopback is up");
        let address = server.local_addr().expect("it is bound");
        let mut client = TcpStream::connect(address).expect("there is a server");
        client.write_all(b"not for a cable").expect("it is connected");
        let mut found = 0;
        until("the segment was read", || {
            while let Some(block) = lo.next_block() {
                for frame in block.frames().filter(|f| f.bytes.ends_with(b"not for a cable")) {
                    assert!(frame.checksum_pending && !frame.outgoing);
                    found += 1;
                }
            }
            found == 1
        });
        // A crafted frame comes with a checksum of its own.
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config()));
        send(&mut a, &numbered(1, 60));
        until("a block is ready", || b.wait(Some(PATIENCE)).expect("the interface is up"));
        let block = b.next_block().expect("it is ready");
        assert_eq!(block.frames().map(|frame| frame.checksum_pending).collect::<Vec<_>>(), [false]);
    });
}
