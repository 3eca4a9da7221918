//! `report`: a page of a whole capture.

use super::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name)
}

fn page(args: &[&str], files: &[&str]) -> String {
    let files = files.iter().map(|name| data(name));
    let ran = run(program().arg("report").args(args).args(files), b"");
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
}

/// The text of a page from this to that.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(start).unwrap_or_else(|| panic!("no {start}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end}")).0
}

#[test]
fn a_page_has_the_numbers_of_the_records() {
    let page = page(&[], &["mixed.pcapng"]);
    assert!(page.contains("<title>mixed.pcapng</title>"), "no folder is in the title");
    assert!(!page.contains("tests/data"));
    let lead = between(&page, "<p class=lead>", "</p>");
    assert!(lead.starts_with("329 packets, 23 flows, 148\u{a0}kB in"), "{lead}");
    let flows = between(&page, "<table id=flow-table", "</table>");
    assert_eq!(flows.matches("<tr ").count(), 23);
    assert!(flows.contains("tcp/ssh") && flows.contains(">refused<"));
    let sessions = between(&page, "<table id=session-table", "</table>");
    assert!(sessions.contains("unknown_ca") && sessions.contains("NXDOMAIN"));
    let failed = between(&page, "<dt>Failed flows</dt><dd>", "</dd>");
    for part in ["1 refused", "3 reset", "2 unanswered"] {
        assert!(failed.contains(part), "{failed}");
    }
    let waterfall = between(&page, "<section id=waterfall ", "</section>");
    for kind in ["<b>DNS</b>", "<b>TCP connect</b>", "<b>TLS</b>", "<b>HTTP</b>"] {
        assert!(waterfall.contains(kind), "{kind}");
    }
    let rates = between(&page, "id=rate-data>", "</script>");
    let rates: Value = serde_json::from_str(rates).expect("JSON");
    let packets = rates["packets"].as_array().unwrap().iter();
    let sum: u64 = packets
        .flat_map(|series| series.as_array().unwrap().iter().map(|n| n.as_u64().unwrap()))
        .sum();
    assert_eq!(sum, 329);
}

#[test]
fn a_page_does_not_depend_on_workers() {
    let files = ["mixed.pcapng", "reset.pcap", "bulk.pcap"];
    let one = page(&["--workers", "1"], &files);
    assert!(one.contains("<title>mixed.pcapng and 2 more</title>"));
    assert!(one == page(&["--workers", "4"], &files));
}

#[test]
fn losses_are_on_the_page_and_on_standard_error() {
    let lost = run(program().args(["report", "-"]), &pcap(&small_dialogue()));
    assert_eq!(lost.code, 0);
    assert!(lost.err.contains("not seen: 1 packet not_a_flow"), "{}", lost.err);
    let losses = between(&lost.out, "<section id=losses ", "</section>");
    assert!(losses.contains("<code>not_a_flow</code>"), "{losses}");
    let evicted = page(&["--max-flows", "4"], &["mixed.pcapng"]);
    assert!(evicted.contains("19 flows were evicted"));
}

#[test]
fn an_input_that_is_no_capture_gives_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("page.html");
    let ran = run(program().args(["report", "-o"]).arg(&out).arg("-"), b"no capture");
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(!out.exists());
}

#[test]
fn interim_records_do_not_change_the_health_of_tcp() {
    let health = |args: &[&str]| {
        let page = page(args, &["mixed.pcapng", "bulk.pcap", "reset.pcap"]);
        between(&page, "<section id=tcp ", "</section>").to_owned()
    };
    assert_eq!(health(&["--active=1ms"]), health(&[]));
}

#[test]
fn a_corrupt_time_does_not_make_intervals_longer() {
    let mut packets = Dialogue::udp("10.0.0.1:40000", "10.0.0.2:53").at(1_767_323_045);
    for _ in 0..50 {
        packets = packets.datagram(Initiator, b"x").after(100);
    }
    let mut packets = packets.build();
    packets[20].0 = Timestamp::from_secs(2_400_000_000);
    let ran = run(program().args(["report", "-"]), &pcap(&packets));
    assert_eq!(ran.code, 0, "{ran:?}");
    let rates = between(&ran.out, "id=rate-data>", "</script>");
    let rates: Value = serde_json::from_str(rates).expect("JSON");
    // 400 intervals of 16 ms are the first that have room for 5 s.
    assert_eq!(rates["step"].as_f64(), Some(0.016));
    let udp = rates["packets"][1].as_array().unwrap().iter();
    assert_eq!(udp.map(|n| n.as_u64().unwrap()).sum::<u64>(), 50);
}
