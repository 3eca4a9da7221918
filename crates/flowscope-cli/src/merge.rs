//! `flowscope merge`: flow records of several captures or sensors as one table.

mod connections;
mod input;
mod order;
mod sink;

use std::time::Duration;

use flowscope::core::L4Proto;
use flowscope::output::{FlowLayout, FlowReader};
use flowscope::protocols;

use crate::args::{Format, MergeArgs};
use crate::error::{Failure, Status};
use crate::files::refuse_overwriting;
use crate::output::count;
use crate::reading::zeek_service;
use crate::say;
use connections::{Connections, Rules};
use input::Input;
use order::Ordered;
use sink::Sink;

/// Merges the records of files.
pub(crate) fn run(args: &MergeArgs) -> Result<Status, Failure> {
    let zone = args.zone.zone(args.format() == Some(Format::Table))?;
    if let Some(output) = &args.output {
        refuse_overwriting(&args.files, output)?;
    }
    let standard = args.files.iter().filter(|file| file.as_os_str() == "-").count();
    if standard > 1 {
        return Err(Failure::Usage("standard input is read once: give `-` once".into()));
    }
    let reader = FlowReader::new(name, args.community_id_seed);
    let inputs: Vec<_> = args.files.iter().map(|file| Input::open(file, &reader)).collect();
    let rules = Rules {
        gap: args.gap(),
        linger: LINGER,
        any_vlan: args.any_vlan,
        several: inputs.len() > 1,
    };
    let most = usize::try_from(args.memory.0.get()).unwrap_or(usize::MAX);
    let mut records = Ordered::new(inputs, args.sorted, most)?;
    let format = format(args.format(), &records)?;
    let mut connections = Connections::new(rules);
    let mut sink = Sink::open(args, format, zone)?;
    while let Some(record) = records.next()? {
        if format == Format::Eve && records.layouts().any(|layout| layout == FlowLayout::Json) {
            return Err(lacks_eve());
        }
        connections.take(record, &mut |record| sink.write(&record))?;
        check_memory(records.kept() + connections.kept(), most)?;
    }
    let written = connections.finish(&mut |record| sink.write(&record))?;
    let status = records.inputs().map(Input::status).max().unwrap_or_default();
    if written == 0 && status > Status::Incomplete {
        // None of the inputs had records.
        return Ok(status);
    }
    sink.complete()?;
    if !args.quiet {
        let read = records.inputs().map(Input::flows).sum();
        let others = records.inputs().map(Input::others).sum();
        let files = args.files.len() as u64;
        say(&format!(
            "merged: {} of {} to {}, passed over: {}",
            count(read, "record"),
            count(files, "file"),
            count(written, "flow"),
            count(others, "other line"),
        ));
    }
    Ok(status)
}

/// How long the entry of a connection that ended stays in the flow table, by default.
const LINGER: Duration = Duration::from_secs(5);

/// The format of the output: one whose fields the inputs have.
fn format(wanted: Option<Format>, records: &Ordered<'_>) -> Result<Format, Failure> {
    let has_flat = records.layouts().any(|layout| layout == FlowLayout::Json);
    match wanted {
        Some(Format::Eve) if has_flat => Err(lacks_eve()),
        Some(format) => Ok(format),
        None if has_flat => Ok(Format::Json),
        None => Ok(Format::Eve),
    }
}

fn lacks_eve() -> Failure {
    let what = "flat JSON has neither TCP flags nor state, which EVE shows: use --format json, or inputs that are EVE";
    Failure::Failed(what.into())
}

fn check_memory(kept: usize, most: usize) -> Result<(), Failure> {
    if kept <= most {
        return Ok(());
    }
    let what = "the records do not fit into --memory: raise it, merge files of one stretch of time at a time, or give \
                --sorted with inputs that are sorted by start";
    Err(Failure::Failed(what.into()))
}

/// The name of a protocol of the registry, and Zeek's.
fn name(name: &str, transport: L4Proto) -> Option<(&'static str, &'static str)> {
    let read = protocols::all().iter().map(|known| known.name);
    let named = protocols::named().iter().map(|known| known.name);
    let known = read.chain(named).find(|known| *known == name)?;
    Some((known, zeek_service(known, transport)))
}
