//! What befalls interfaces, what they refuse, and sending through them.

use std::env;
use std::num::NonZeroU32;
use std::time::Duration;

use flowscope_core::{LinkType, PacketSource};
use netring_capture::{AfPacket, Capture, CaptureError, Interface};

use crate::world::{
    PATIENCE, Seen, again, config, in_namespace, ip, numbered, open, read, running, send, send_all,
    told, until, whole,
};

pub(crate) fn an_interface_that_goes_down_is_reported_once_and_comes_back() {
    in_namespace(name!(an_interface_that_goes_down_is_reported_once_and_comes_back), || {
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config()));
        send(&mut a, &numbered(1, 60));
        until("the frame is in the ring", || b.wait(Some(PATIENCE)).expect("the interface is up"));
        ip("link set v1 down");
        // What was captured comes first.
        let first = b.next_block().map(|block| block.packets().count());
        assert_eq!(first, Some(1));
        let error = b.wait(Some(PATIENCE)).expect_err("the interface is down");
        assert!(matches!(error, CaptureError::InterfaceDown { .. }), "{error}");
        assert!(!b.wait(Some(Duration::from_millis(1))).expect("it was told"));
        let error = b.send(&numbered(2, 60)).expect_err("the interface is down");
        assert!(matches!(error, CaptureError::InterfaceDown { .. }), "{error}");

        ip("link set v1 up");
        until("the cable is plugged in", || running("v0") && running("v1"));
        send(&mut a, &numbered(3, 60));
        assert_eq!(read(&mut b, 1), [whole(numbered(3, 60))]);

        ip("link del v1");
        let mut lend_nothing = |_: &[flowscope_core::PacketView<'_>]| {};
        let error = b.next_batch(&mut lend_nothing).expect_err("the interface is gone");
        assert!(matches!(error, CaptureError::InterfaceGone { .. }), "{error}");
        assert_eq!(b.next_batch(&mut lend_nothing).expect("it was told"), 0);
        let error = AfPacket::open("v1", &config()).expect_err("the interface is gone");
        assert!(matches!(error, CaptureError::NoSuchInterface { .. }), "{error}");
    });
}

pub(crate) fn each_refusal_of_the_kernel_has_its_own_error() {
    in_namespace(name!(each_refusal_of_the_kernel_has_its_own_error), || {
        let mut a = open("v0", &config());
        let error = a.send(&numbered(1, 2000)).expect_err("the MTU is 1500");
        assert!(matches!(error, CaptureError::FrameTooLong { len: 2000, mtu: 1500 }), "{error}");
        let huge = config().blocks(NonZeroU32::MAX);
        let error = AfPacket::open("v0", &huge).expect_err("half a petabyte");
        assert!(matches!(error, CaptureError::NoRing { .. }), "{error}");

        let all = Interface::all().expect("there are interfaces");
        let names: Vec<&str> = all.iter().map(|interface| interface.name.as_str()).collect();
        assert!(["lo", "v0", "v1"].iter().all(|name| names.contains(name)), "{names:?}");
        for interface in all.iter().filter(|interface| interface.name.starts_with('v')) {
            assert_eq!((interface.mtu, interface.link), (1500, Some(LinkType::ETHERNET)));
            assert!(interface.mac.is_some_and(|mac| mac != [0; 6]));
            assert!(interface.is_up && !interface.is_loopback);
            assert_eq!(interface.rx_queues, 1);
        }
        ip("link add w0 numrxqueues 4 numtxqueues 4 type veth peer name w1");
        let queues = Interface::find("w0").expect("it was made").rx_queues;
        assert_eq!(queues, 4);
    });
}

pub(crate) fn promiscuous_mode_ends_with_the_capture() {
    in_namespace(name!(promiscuous_mode_ends_with_the_capture), || {
        let promiscuous = || !told("v0").contains("promiscuity 0");
        assert!(!promiscuous());
        let a = open("v0", &config().promiscuous(true));
        assert!(promiscuous());
        drop(a);
        assert!(!promiscuous());
    });
}

pub(crate) fn a_refusal_says_what_is_missing_and_what_grants_it() {
    let name = name!(a_refusal_says_what_is_missing_and_what_grants_it);
    if let Some(case) = env::var_os(CASE) {
        let error = AfPacket::open("lo", &config()).expect_err("it may not be opened");
        let CaptureError::NoPermission(denial) = &error else { panic!("{error}") };
        let missing: Vec<String> = denial.missing().collect();
        let (lacks, says): (&[&str], _) = match case.to_str() {
            Some("root of a user namespace") => (&[], "\n    sudo podman run --network host "),
            Some("no root") => (
                &["CAP_NET_RAW", "CAP_NET_ADMIN"],
                "\n    sudo setcap cap_net_raw,cap_net_admin+ep /",
            ),
            Some("bounded") => (&["CAP_NET_RAW"], "\n    --cap-add NET_RAW --cap-add NET_ADMIN"),
            case => panic!("{case:?}"),
        };
        assert_eq!(missing, lacks, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        return;
    }
    for (case, command) in [
        // It has no say in the network namespace it comes from.
        ("root of a user namespace", &["unshare", "--user", "--map-root-user"][..]),
        ("no root", &["unshare", "--user"]),
        (
            "bounded",
            &["unshare", "--user", "--map-root-user", "setpriv", "--bounding-set=-net_raw"],
        ),
    ] {
        let case = format!("{CASE}={case}");
        again(&[&["env", &case], command].concat(), name);
    }
}

/// Of which refusal a process is that a test started.
const CASE: &str = "NETRING_CASE";
pub(crate) fn frames_are_sent_in_batches() {
    in_namespace(name!(frames_are_sent_in_batches), || {
        let (mut a, mut b) = (open("v0", &config()), open("v1", &config()));
        let frames: Vec<Vec<u8>> = (0..150).map(|number| numbered(number, 60)).collect();
        assert_eq!(a.send_batch(&[]).expect("nothing to fail"), 0);
        send_all(&mut a, &frames);
        let expected: Vec<Seen> = frames.iter().cloned().map(whole).collect();
        assert_eq!(read(&mut b, 150), expected);

        // What fails stops those behind it, and is told once it is the first.
        let (good, long) = (numbered(1, 60), numbered(2, 2000));
        assert_eq!(a.send_batch(&[&good, &long, &good]).expect("the first fits"), 1);
        let error = a.send_batch(&[&long, &good]).expect_err("the MTU is 1500");
        assert!(matches!(error, CaptureError::FrameTooLong { len: 2000, mtu: 1500 }), "{error}");
        assert_eq!(read(&mut b, 1), [whole(good)]);
    });
}
