//! `ladder`: one conversation, packet by packet.

use super::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

fn ladder(args: &[&str], name: &str, flow: &[&str]) -> Ran {
    run(program().arg("ladder").args(args).arg(data(name)).args(flow), b"")
}

fn drawn(args: &[&str], name: &str, flow: &[&str]) -> String {
    let ran = ladder(args, name, flow);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

#[test]
fn a_connection_has_a_row_for_each_packet() {
    let out = drawn(&[], "http-head.pcap", &["1"]);
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
    insta::assert_snapshot!(out);
}

#[test]
fn a_reset_is_noted() {
    insta::assert_snapshot!(drawn(&["-n", "60"], "reset.pcap", &["13"]));
}

#[test]
fn a_refused_connection_is_short() {
    insta::assert_snapshot!(drawn(&[], "refused.pcap", &["1"]));
}

#[test]
fn datagrams_have_no_numbers() {
    insta::assert_snapshot!(drawn(&["-n", "2"], "dns-udp.pcap", &["1"]));
}

#[test]
fn the_middle_of_a_long_connection_is_left_out() {
    let out = drawn(&["-n", "8"], "bulk.pcap", &[]);
    insta::assert_snapshot!(out);
    let svg = drawn(&["-n", "8", "--svg"], "bulk.pcap", &[]);
    assert!(svg.contains("rows left out"), "{svg}");
    assert_eq!(svg.matches("<path class=\"h\"").count(), 8);
}

#[test]
fn a_drawing_is_whole_and_has_all_rows() {
    let svg = drawn(&["--svg"], "refused.pcap", &["1"]);
    insta::assert_snapshot!(svg);
}

#[test]
fn what_was_wrong_is_noted_where_it_happened() {
    let packets = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:80")
        .at(1_767_323_045)
        .handshake()
        .data(Initiator, b"GET /<b> HTTP/1.1\r\nHost: a\r\n\r\n")
        .build();
    let again = packets.last().cloned().unwrap();
    let mut packets = packets;
    packets.push((again.0 + std::time::Duration::from_millis(200), again.1));
    let ran = run(program().args(["ladder", "-"]), &pcap(&packets));
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows: Vec<&str> = ran.out.lines().collect();
    let at = rows.iter().position(|row| row.contains("sent again")).expect(&ran.out);
    assert!(rows[at - 1].trim_start().starts_with("5 "), "{}", ran.out);
    let svg = run(program().args(["ladder", "--svg", "-"]), &pcap(&packets)).out;
    assert!(!svg.contains("<b>") && svg.contains("&lt;b&gt;"), "{svg}");
}

#[test]
fn disorder_gaps_and_windows_are_noted() {
    let packets = Dialogue::tcp("10.0.0.1:40000", "10.0.0.2:9")
        .at(1_767_323_045)
        .handshake()
        .data(Initiator, [b'a'; 100])
        .data(Initiator, [b'b'; 100])
        .data(Initiator, [b'c'; 100])
        .data(Initiator, [b'd'; 100])
        .window(0)
        .ack_from(Responder)
        .window(500)
        .ack_from(Responder)
        .close(Initiator)
        .build();
    // The second comes behind the third, and the fourth was not captured.
    let (times, mut frames): (Vec<_>, Vec<_>) = packets.into_iter().unzip();
    frames.swap(4, 5);
    frames.remove(6);
    let packets = times.into_iter().zip(frames).collect();
    let ran = run(program().args(["ladder", "-"]), &pcap(&packets));
    assert_eq!(ran.code, 0, "{ran:?}");
    insta::assert_snapshot!(ran.out);
}

#[test]
fn conversations_are_named_as_in_follow() {
    let by_id = drawn(&[], "mixed.pcapng", &["25"]);
    let title = by_id.lines().next().unwrap();
    let ends = title.split_once("tcp ").expect(title).1.replace(" to ", "-");
    assert_eq!(drawn(&[], "mixed.pcapng", &[&ends]), by_id);
    let some = ladder(&[], "mixed.pcapng", &["10.77.0.1-10.77.0.2"]);
    assert!(some.err.contains(" more match: name one by its flow id"), "{some:?}");
    let none = ladder(&[], "mixed.pcapng", &["1.2.3.4-5.6.7.8"]);
    assert_eq!(none.code, 1);
    assert!(none.err.contains("no such conversation"), "{none:?}");
    assert_eq!(ladder(&["-n", "0"], "mixed.pcapng", &["25"]).code, 2);
}

#[test]
fn a_filter_keeps_the_numbers_of_packets() {
    let filtered = drawn(&["-f", "tcp"], "mixed.pcapng", &["25"]);
    assert_eq!(filtered, drawn(&[], "mixed.pcapng", &["25"]));
}
