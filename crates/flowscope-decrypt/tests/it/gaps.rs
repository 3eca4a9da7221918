//! Bytes that were never captured.

use flowscope_core::FlowSide;

use crate::connection::{Beginning, CLIENT, Ends, Reading, SERVER, TLS12, TLS13};

/// A connection whose handshake was read.
fn begun(cipher: u16) -> (Ends, Reading) {
    let (ends, turns) = Ends::new(cipher, Beginning::default());
    let mut reading = Reading::new(ends.log(""));
    turns.iter().for_each(|(side, bytes)| reading.feed(*side, bytes));
    (ends, reading)
}

/// Feeds the bytes of a side but for those of a range.
fn feed_without(reading: &mut Reading, side: FlowSide, bytes: &[u8], from: usize, len: usize) {
    reading.feed(side, &bytes[..from]);
    reading.gap(side, len as u64);
    reading.feed(side, &bytes[from + len..]);
}

#[test]
fn a_gap_within_a_record_costs_that_record() {
    for cipher in TLS12.into_iter().chain(TLS13) {
        let (mut ends, mut reading) = begun(cipher);
        let len = ends.record_len(10);
        let bytes = ends.server.data(b"0123456789abcdefghijABCDEFGHIJ", 10);
        assert_eq!(bytes.len(), 3 * len);
        feed_without(&mut reading, SERVER, &bytes, len + 8, 12);
        // In TLS 1.3 padding counts as if it were data.
        let lost = if TLS13.contains(&cipher) { 13 } else { 10 };
        let expected = vec![(0, b"0123456789".to_vec()), (10 + lost, b"ABCDEFGHIJ".to_vec())];
        assert_eq!(reading.end().carried, [vec![], expected], "{cipher:#06x}");
    }
}

#[test]
fn records_that_were_lost_are_passed_over() {
    for cipher in TLS12.into_iter().chain(TLS13) {
        // The gap begins where a record does, in its header, or behind it.
        for (before, lost, cut) in
            [(0, 1, 0), (3, 2, 0), (1, 64, 0), (0, 2, 3), (3, 3, 7), (1, 64, 3), (2, 64, 7)]
        {
            let case = format!("{cipher:#06x} {before} {lost} {cut}");
            let (mut ends, mut reading) = begun(cipher);
            let len = ends.record_len(10);
            let bytes = ends.client.data(&[b'x'; 680], 10);
            feed_without(&mut reading, CLIENT, &bytes, before * len + cut, lost * len - cut);
            assert_eq!(reading.stopped, [false; 2], "{case}");
            let [client, _] = reading.end().carried;
            let read: usize = client.iter().map(|(_, bytes)| bytes.len()).sum();
            assert_eq!(read, 680 - 10 * lost, "{case}");
            // In TLS 1.3 padding counts as if it were data.
            let padding = if TLS13.contains(&cipher) { 3 * lost } else { 0 };
            let Some((at, last)) = client.last() else { panic!("{case}") };
            assert_eq!(*at as usize + last.len(), 680 + padding, "{case}");
        }
    }
}

#[test]
fn more_records_than_the_bound_end_the_side() {
    for cipher in [TLS12[0], TLS13[0]] {
        let (mut ends, mut reading) = begun(cipher);
        let len = ends.record_len(10);
        let bytes = ends.client.data(&[b'x'; 1000], 10);
        feed_without(&mut reading, CLIENT, &bytes, len, 65 * len);
        assert_eq!(reading.stopped, [true, false], "{cipher:#06x}");
        assert_eq!(reading.end().carried, [vec![(0, vec![b'x'; 10])], vec![]]);
    }
}

#[test]
fn a_gap_that_ends_within_a_record_ends_the_side() {
    for cipher in [TLS12[0], TLS13[0]] {
        let (mut ends, mut reading) = begun(cipher);
        let len = ends.record_len(100);
        let bytes = ends.client.data(&[b'x'; 1000], 100);
        feed_without(&mut reading, CLIENT, &bytes, len, len + 20);
        assert_eq!(reading.stopped, [true, false], "{cipher:#06x}");
        reading.feed(SERVER, &ends.server.data(b"goes on", 100));
        assert_eq!(reading.end().carried[1], [(0, b"goes on".to_vec())]);
    }
}

/// The end of the handshake was lost: the keys of what follows are tried.
#[test]
fn a_lost_end_of_the_handshake_is_passed_over() {
    let (mut ends, turns) = Ends::new(TLS13[0], Beginning::default());
    let mut reading = Reading::new(ends.log(""));
    let [(_, hello), (_, flight), (_, finished)] = &turns[..] else { panic!("three turns") };
    reading.feed(CLIENT, hello);
    feed_without(&mut reading, SERVER, flight, flight.len() - 10, 10);
    reading.feed(CLIENT, finished);
    reading.feed(SERVER, &ends.server.data(b"answer", 100));
    reading.feed(CLIENT, &ends.client.data(b"request", 100));
    let seen = reading.end();
    assert_eq!(seen.carried, [vec![(0, b"request".to_vec())], vec![(0, b"answer".to_vec())]]);
}

/// The record before the end of the handshake was lost. It held no data.
#[test]
fn what_was_lost_before_the_end_of_the_handshake_is_no_data() {
    for cipher in TLS13 {
        let (mut ends, turns) = Ends::new(cipher, Beginning::default());
        let mut reading = Reading::new(ends.log(""));
        let [(_, hello), (_, flight), (_, finished)] = &turns[..] else { panic!("three turns") };
        reading.feed(CLIENT, hello);
        reading.feed(SERVER, flight);
        let change_cipher_spec = 6;
        feed_without(&mut reading, CLIENT, finished, 0, change_cipher_spec);
        reading.feed(CLIENT, &ends.client.data(b"request", 100));
        let expected = [vec![(0, b"request".to_vec())], vec![]];
        assert_eq!(reading.end().carried, expected, "{cipher:#06x}");
    }
}

/// Of a side that is picked up in the middle, nobody knows the numbers of the records.
#[test]
fn a_start_in_the_middle_is_not_opened() {
    let (mut ends, _) = Ends::new(TLS13[0], Beginning::default());
    let mut reading = Reading::new(ends.log(""));
    reading.gap(CLIENT, 0);
    reading.feed(CLIENT, &ends.client.data(b"request", 100));
    reading.gap(SERVER, 0);
    reading.feed(SERVER, &ends.server.data(b"answer", 100));
    let seen = reading.end();
    assert_eq!((seen.records, seen.carried), (vec![], [vec![], vec![]]));
}
