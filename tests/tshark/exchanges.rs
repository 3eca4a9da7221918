//! Kerberos, Modbus and DNP3: requests with their answers.

use std::iter::repeat_n;

use flowscope::protocols::AppRecord;

use crate::capture::{Capture, Row, recorded, records, rows, samples};

pub(crate) fn kerberos_is_that_of_tshark() {
    let captures = [samples("krb5"), vec![recorded("krb5.pcap")]].concat();
    let theirs = |cells: &[String]| {
        // The first type is the message's own, others are of what is in it; the last two encryption types of a reply are
        // those of its ticket and of itself.
        let kind = cells[0].split(',').next().unwrap_or_default();
        let of_reply = if ["11", "13"].contains(&kind) { &*cells[1] } else { "" };
        let mut types = of_reply.rsplit(',').map(str::to_owned);
        let (answer, ticket) = (types.next(), types.next());
        let error = Some(cells[2].clone());
        [Some(kind.to_owned()), ticket, answer, error].map(Option::unwrap_or_default).to_vec()
    };
    let ours = |record: &AppRecord| {
        let AppRecord::Krb5(record) = record else { return Vec::new() };
        let mut rows = Vec::new();
        for kind in [record.request, record.response].into_iter().flatten() {
            let of_answer = |number: Option<i32>| {
                let number = number.filter(|_| !kind.is_request());
                number.map_or(String::new(), |number| number.to_string())
            };
            rows.push(vec![
                kind.0.to_string(),
                of_answer(record.ticket_encryption.map(|it| it.0)),
                of_answer(record.encryption.map(|it| it.0)),
                of_answer(record.error_code),
            ]);
        }
        rows
    };
    let fields = ["kerberos.msg_type", "kerberos.etype", "kerberos.error_code"];
    check(captures, &fields, |cells| vec![theirs(cells)], ours);
}

pub(crate) fn modbus_is_that_of_tshark() {
    let captures = [samples("modbus"), vec![recorded("modbus.pcap")]].concat();
    let fields = ["mbtcp.trans_id", "mbtcp.unit_id", "modbus.func_code", "modbus.exception_code"];
    check(
        captures,
        &fields,
        |cells| vec![cells.to_vec()],
        |record| {
            let AppRecord::Modbus(record) = record else { return Vec::new() };
            let row = |exception: Option<u8>| {
                vec![
                    record.transaction_id.to_string(),
                    record.unit_id.to_string(),
                    record.function.0.to_string(),
                    exception.map_or(String::new(), |code| code.to_string()),
                ]
            };
            let request = record.is_requested.then(|| row(None));
            let response = record.is_answered.then(|| row(record.exception.map(|it| it.0)));
            request.into_iter().chain(response).collect()
        },
    );
}

pub(crate) fn dnp3_is_that_of_tshark() {
    let theirs = |cells: &[String]| {
        // Segments of a packet have the same addresses. Confirmations are no records, and segments no fragments.
        let first = |cell: &String| cell.split(',').next().unwrap_or_default().to_owned();
        let is_shown = !["", "0"].contains(&cells[2].as_str());
        let row = || vec![first(&cells[0]), first(&cells[1]), cells[2].clone(), cells[3].clone()];
        is_shown.then(row).into_iter().collect()
    };
    let ours = |record: &AppRecord| {
        let AppRecord::Dnp3(record) = record else { return Vec::new() };
        let (master, outstation) = (record.master.to_string(), record.outstation.to_string());
        let request = record
            .request
            .map(|it| vec![master.clone(), outstation.clone(), it.0.to_string(), String::new()]);
        let indications = record.indications.map_or(0, |it| it.0);
        let response = record
            .response
            .map(|it| vec![outstation, master, it.0.to_string(), format!("{indications:#06x}")]);
        // Fragments of a response in these captures have the same indications.
        let responses = response.into_iter().flat_map(|it| repeat_n(it, record.fragments as usize));
        request.into_iter().chain(responses).collect()
    };
    check(samples("dnp3"), &["dnp3.src", "dnp3.dst", "dnp3.al.func", "dnp3.al.iin"], theirs, ours);
}

/// Compares the messages in captures: rows of tshark's fields with those of records.
fn check(
    captures: Vec<Capture>,
    fields: &[&str],
    theirs: impl Fn(&[String]) -> Vec<Row>,
    ours: impl Fn(&AppRecord) -> Vec<Row>,
) {
    let mut compared = 0;
    for capture in captures {
        let rows = rows(&capture, fields[0], fields);
        let mut expected: Vec<Row> = rows.iter().flat_map(|cells| theirs(cells)).collect();
        let mut found: Vec<Row> = records(&capture).iter().flat_map(&ours).collect();
        // A record is made when its answer is there, so records are not in the order of packets.
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{}", capture.name());
        compared += found.len();
    }
    assert!(compared > 10, "{compared} messages");
}
