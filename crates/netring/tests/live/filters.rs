//! Filters mean the same in the kernel and here, VLAN tags included.

use std::time::Duration;

use flowscope_testkit::frame;
use flowscope_testkit::namespace::in_namespace;
use netring::Filter;
use tokio::time::timeout;

use crate::world::{block_on, builder, send, sender};

/// Frames that differ in tags, addresses and ports.
fn frames() -> Vec<Vec<u8>> {
    let udp = |tags: &[(u16, u16)], dst: &str, port| {
        let tagged = tags.iter().fold(frame().ethernet(), |f, &(tpid, tci)| f.vlan_tag(tpid, tci));
        tagged.ipv4("10.0.0.1", dst).udp(4000, port).payload(b"x").build()
    };
    vec![
        udp(&[], "10.0.0.2", 9),
        udp(&[], "10.0.1.2", 53),
        udp(&[(0x8100, 100)], "10.0.0.2", 9),
        udp(&[(0x8100, 0x6000 | 100)], "10.0.1.2", 53),
        udp(&[(0x8100, 200)], "10.0.0.2", 53),
        udp(&[(0x88a8, 7), (0x8100, 100)], "10.0.0.2", 9),
        udp(&[(0x88a8, 100), (0x8100, 7)], "10.0.1.2", 9),
    ]
}

/// Which of the frames come through, by place.
async fn passed(filter: Option<&Filter>, in_kernel: bool) -> Vec<usize> {
    let mut open = builder();
    if let (Some(filter), true) = (filter, in_kernel) {
        open = open.filter(filter.clone());
    }
    let mut capture = open.open("v1").expect("the namespace is ours");
    if let (Some(filter), false) = (filter, in_kernel) {
        capture = capture.with_filter(filter.clone());
    }
    let all = frames();
    let mut from = sender("v0");
    all.iter().for_each(|frame| send(&mut from, frame));
    capture.stop();
    let mut packets = capture.packet_stream();
    let mut places = Vec::new();
    while let Some(packet) = timeout(Duration::from_secs(5), packets.next()).await.expect("it ends")
    {
        let packet = packet.expect("nothing befalls the cable");
        places.extend(all.iter().position(|frame| packet.frame == frame[..]));
    }
    places
}

fn check(text: &str, expected: &[usize]) {
    block_on(async {
        let filter = Filter::parse(text).expect("a filter");
        assert_eq!(passed(Some(&filter), true).await, expected, "{text}, in the kernel");
        assert_eq!(passed(Some(&filter), false).await, expected, "{text}, here");
    });
}

pub(crate) fn kernel_and_user_space_filters_accept_the_same_frames() {
    in_namespace(
        concat!(module_path!(), "::kernel_and_user_space_filters_accept_the_same_frames"),
        || {
            assert_eq!(block_on(passed(None, true)), [0, 1, 2, 3, 4, 5, 6]);
            check("udp port 9", &[0, 2, 5, 6]);
            check("vlan", &[2, 3, 4, 5, 6]);
            check("not vlan", &[0, 1]);
            check("vlan 100", &[2, 3, 5, 6]);
            check("vlan 7 and dst net 10.0.0.0/24", &[5]);
            check("vlan 100 and port 53 or vlan 200", &[3, 4]);
            check("src host 10.0.0.1 and not dst net 10.0.1.0/24", &[0, 2, 4, 5]);
            check("tcp or arp", &[]);
        },
    );
}

/// In tcpdump's language a VLAN term is about the outermost tag that is left, and moves what follows
/// behind it.
#[cfg(feature = "libpcap")]
pub(crate) fn filters_compiled_by_libpcap_run_in_the_kernel() {
    in_namespace(
        concat!(module_path!(), "::filters_compiled_by_libpcap_run_in_the_kernel"),
        || {
            let live = |text: &str| {
                let filter = Filter::parse(text).expect("a filter");
                assert!(filter.is_of_libpcap(), "{text}");
                block_on(passed(Some(&filter), true))
            };
            assert_eq!(live("vlan 100 and udp[2:2] = 53"), [3]);
            assert_eq!(live("vlan 7 and vlan 100 and udp[2:2] = 9"), [5]);
            assert_eq!(live("udp[2:2] = 53"), [1, 3, 4], "the kernel has taken the tag out");
        },
    );
}
