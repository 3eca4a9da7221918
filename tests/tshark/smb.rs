//! SMB 2 and 3: logins, shares and files.

use std::collections::BTreeMap;

use flowscope::protocols::AppRecord;
use flowscope::smb::{SmbCommand, SmbDialect, SmbExchange, SmbNtlm};

use crate::capture::{Capture, recorded, records, rows, samples};

/// Code of a command, number of the message, status, and what the request names; of a negotiation what is chosen.
type Line = (u64, u64, u64, String);

pub(crate) fn logins_shares_and_files_are_those_of_tshark() {
    let mut compared = 0;
    for capture in [samples("smb"), vec![recorded("smb.pcap")]].concat() {
        let mut ours: Vec<Line> = records(&capture).iter().filter_map(line).collect();
        ours.sort();
        let theirs = theirs(&capture);
        assert_eq!(ours, theirs, "{}", capture.name());
        compared += theirs.len();
    }
    assert!(compared > 80, "{compared} messages");
}

fn line(record: &AppRecord) -> Option<Line> {
    let AppRecord::Smb(x) = record else { return None };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (code, named) = match x.command {
        // What is answered in SMB 1 is no message of SMB 2.
        SmbCommand::Negotiate => match x.dialect? {
            SmbDialect::Revision(revision) => (0, format!("{revision:#06x}")),
            _ => return None,
        },
        SmbCommand::SessionSetup => (1, x.login()?.ntlm.as_ref().map_or(String::new(), user)),
        SmbCommand::TreeConnect => (3, text(x.tree()?.path.as_ref()?)),
        SmbCommand::Create => (5, text(x.file()?.name.as_ref()?)),
        _ => return None,
    };
    let SmbExchange { message_id, status, .. } = **x;
    Some((code, message_id, status?.0.into(), named))
}

fn user(it: &SmbNtlm) -> String {
    [&it.domain, &it.user, &it.workstation].map(|name| String::from_utf8_lossy(name)).join(" ")
}

fn theirs(capture: &Capture) -> Vec<Line> {
    let fields = [
        "tcp.stream",
        "smb2.flags.response",
        "smb2.cmd",
        "smb2.msg_id",
        "smb2.nt_status",
        "smb2.dialect",
        "ntlmssp.auth.domain",
        "ntlmssp.auth.username",
        "ntlmssp.auth.hostname",
        "smb2.tree",
        "smb2.filename",
    ];
    let mut requests = BTreeMap::new();
    let mut lines = Vec::new();
    for cells in rows(capture, "smb2.cmd", &fields) {
        let numbers = |at: usize| cells[at].split(',').map(number).collect::<Vec<_>>();
        let is_response = cells[1].starts_with('1') || cells[1].starts_with("True");
        let first = |at: usize| cells[at].split(',').next().unwrap_or_default();
        // A value for each message of a chain.
        for (at, (code, id)) in numbers(2).into_iter().zip(numbers(3)).enumerate() {
            let key = (cells[0].clone(), id);
            if is_response {
                let named = match (code, requests.remove(&key)) {
                    (0, _) => cells[5].clone(),
                    (_, Some(named)) => named,
                    (_, None) => continue,
                };
                lines.push((code, id, numbers(4)[at], named));
                continue;
            }
            // tshark writes NULL for what is empty.
            let named = match code {
                1 if cells[7].is_empty() => String::new(),
                1 => cells[6..9].join(" ").replace("NULL", ""),
                3 => cells[9].clone(),
                5 => first(10).to_owned(),
                _ => continue,
            };
            requests.insert(key, named);
        }
    }
    lines.sort();
    lines
}

fn number(digits: &str) -> u64 {
    match digits.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => digits.parse(),
    }
    .unwrap()
}
