//! Real captures, compared with what tshark read in them.

use std::fs;
use std::path::PathBuf;

use flowscope_testkit::needs;
use serde_json::Value;

use crate::read::read;

/// Every capture gives as many packets as tshark found, and each of them (of the first 3000) has
/// tshark's time, lengths and interface.
pub(crate) fn the_corpus_reads_as_in_tshark() {
    let corpus = needs::corpus_folder();
    let captures = fs::read_dir(corpus.join("captures")).unwrap();
    let mut captures: Vec<PathBuf> = captures.map(|entry| entry.unwrap().path()).collect();
    captures.sort();
    let (mut compared, mut different) = (0, Vec::new());
    for capture in captures {
        let name = capture.file_name().unwrap().to_string_lossy().into_owned();
        let Ok(truth) = fs::read(corpus.join(format!("truth/{name}.json"))) else { continue };
        let truth: Value = serde_json::from_slice(&truth).unwrap();
        let outcome = read(fs::File::open(&capture).unwrap());
        let total = truth["packets"]["total"].as_u64().unwrap();
        if outcome.error.is_some() || outcome.packets.len() as u64 != total {
            let found = outcome.packets.len();
            different.push(format!("{name}: {found} of {total}, {:?}", outcome.error));
            continue;
        }
        compared += 1;
        // tshark numbers the interfaces of pcapng only, and from 0 in every section.
        let numbered = truth["container"]["sections"] == 1;
        // It prints a fraction of a second that is more than one as it stands, where we carry.
        let timed = name != "time-invalid-nano.pcap";
        let rows = corpus.join(format!("truth/packets/{name}.tsv"));
        let rows = fs::read_to_string(rows).unwrap_or_default();
        let mut before = 0;
        for (row, packet) in rows.lines().skip(1).zip(&outcome.packets) {
            let fields: Vec<_> = row.split('\t').collect();
            let number = |at: usize| fields[at].parse::<i128>().unwrap_or_default();
            // Our times end in the year 2554.
            let same_time = number(1).clamp(0, u64::MAX.into()) == packet.ts.into();
            // tshark prints 0 where the file has no time; ours is that of the packet before.
            let untimed = number(1) == 0 && packet.ts == before;
            before = packet.ts;
            let same = (same_time || untimed || !timed)
                && number(2) == packet.frame.len() as i128
                && number(3) == packet.wire.into()
                && (number(4) == packet.interface.unwrap_or_default().into() || !numbered);
            if !same {
                let ours = (packet.ts, packet.frame.len(), packet.wire, packet.interface);
                different.push(format!(
                    "{name}, frame {}: {:?} {ours:?}",
                    fields[0],
                    &fields[1..5]
                ));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(compared > 0, "the corpus is empty");
}
