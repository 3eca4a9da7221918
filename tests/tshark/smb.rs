//! SMB 2 and 3.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowscope::core::PacketSource;
use flowscope::driver::{Driver, SessionEvent};
use flowscope::extract::FiveTuple;
use flowscope::pcap::CaptureReader;
use flowscope::protocols::{self, AppRecord};
use flowscope::smb::{SmbCommand, SmbExchange};

/// Code of a command, number of the message, status, and what the request names.
type Line = (u16, u64, u32, String);

pub(crate) fn logins_shares_and_files_are_those_of_tshark() {
    let capture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/smb.pcap");
    let (ours, theirs) = (ours(&capture), theirs(&capture));
    assert_eq!(ours, theirs);
    assert!(theirs.len() > 20, "{theirs:?}");
}

fn ours(capture: &Path) -> Vec<Line> {
    let mut reader = CaptureReader::open(capture).unwrap();
    let mut driver = Driver::new(FiveTuple::bidirectional(), protocols::registered::<AppRecord>());
    while reader.next_batch(&mut |packets| driver.handle_batch(packets)).unwrap() > 0 {}
    driver.finish(flowscope::track::EndReason::EndOfInput);
    let mut lines = Vec::new();
    while let Some(event) = driver.poll_event() {
        if let SessionEvent::Application { message: AppRecord::Smb(record), .. } = event {
            lines.extend(line(&record));
        }
    }
    lines.sort();
    lines
}

fn line(x: &SmbExchange) -> Option<Line> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (code, named) = match x.command {
        SmbCommand::Negotiate => (0, x.dialect.unwrap().to_string()),
        SmbCommand::SessionSetup => {
            let ntlm = x.login().unwrap().ntlm.as_ref();
            let names = |it: &flowscope::smb::SmbNtlm| {
                format!("{} {} {}", text(&it.domain), text(&it.user), text(&it.workstation))
            };
            (1, ntlm.map(names).unwrap_or_default())
        }
        SmbCommand::TreeConnect => (3, text(x.tree().unwrap().path.as_ref().unwrap())),
        SmbCommand::Create => (5, text(x.file().unwrap().name.as_ref().unwrap())),
        _ => return None,
    };
    Some((code, x.message_id, x.status.unwrap().0, named))
}

fn theirs(capture: &Path) -> Vec<Line> {
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
    let output = Command::new("tshark")
        .args(["-n", "-T", "fields", "-E", "separator=;", "-Y", "smb2.cmd", "-r"])
        .arg(capture)
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .output()
        .unwrap();
    let mut requests = BTreeMap::new();
    let mut lines = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let cells: Vec<&str> = line.split(';').collect();
        let number = |at: usize| {
            let digits = cells[at].strip_prefix("0x");
            digits.map_or_else(|| cells[at].parse(), |hex| u64::from_str_radix(hex, 16)).unwrap()
        };
        let (code, id) = (number(2) as u16, number(3));
        let is_response = matches!(cells[1], "1" | "True");
        // tshark writes NULL for what is empty.
        let login = cells[6..9].join(" ").replace("NULL", "");
        let named = match code {
            0 => match number(5) {
                0x0311 => "3.11".into(),
                0x0202 => "2.02".into(),
                other => format!("{other:#x}"),
            },
            1 if login.trim().is_empty() => String::new(),
            1 => login,
            3 => cells[9].to_owned(),
            5 => cells[10].to_owned(),
            _ => continue,
        };
        if is_response {
            let asked = requests.remove(&(cells[0].to_owned(), id)).unwrap();
            let named = if code == 0 { named } else { asked };
            lines.push((code, id, number(4) as u32, named));
        } else {
            requests.insert((cells[0].to_owned(), id), named);
        }
    }
    lines.sort();
    lines
}
