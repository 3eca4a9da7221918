//! `flowscope merge`: flow records of several captures or sensors as one table.

mod connections;
mod input;
mod order;
mod sink;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use flowscope::core::L4Proto;
use flowscope::output::{FlowLayout, FlowReader};
use flowscope::protocols;

use crate::args::{Format, MergeArgs};
use crate::companion;
use crate::error::{Failure, Status};
use crate::files::refuse_overwriting;
use crate::output::{Sinks, count};
use crate::reading::zeek_service;
use crate::say;
use connections::{Connections, Rules};
use input::{Input, has_columns};
use order::Ordered;
use sink::Sink;

/// Merges the records of files. Another program does it if Parquet is read or written, unless `sinks` do.
pub(crate) fn run(args: &MergeArgs, sinks: Sinks<'_>) -> Result<Status, Failure> {
    let columns = match sinks {
        Sinks::Directory(write, read) => Some((write, read)),
        Sinks::None | Sinks::Broker(_) => None,
    };
    let of_columns = args.files.iter().filter(|file| has_columns(file)).count();
    let has_wish = args.format() == Some(Format::Parquet);
    if columns.is_none() && (of_columns > 0 || has_wish) {
        return Err(companion::PARQUET.run());
    }
    let all_columns = of_columns == args.files.len();
    if has_wish || (args.format().is_none() && all_columns) {
        check_directory(args)?;
    }
    let zone = args.zone.zone(args.format() == Some(Format::Table))?;
    if let Some(output) = &args.output {
        refuse_overwriting(&args.files, output)?;
    }
    let standard = args.files.iter().filter(|file| file.as_os_str() == "-").count();
    if standard > 1 {
        return Err(Failure::Usage("standard input is read once: give `-` once".into()));
    }
    let reader = FlowReader::new(name, args.community_id_seed);
    let inputs =
        args.files.iter().map(|file| Input::open(file, &reader, columns.map(|(_, read)| read)));
    let inputs: Vec<_> = inputs.collect();
    let rules = Rules {
        gap: args.gap(),
        linger: LINGER,
        any_vlan: args.any_vlan,
        several: inputs.len() > 1,
    };
    let most = usize::try_from(args.memory.0.get()).unwrap_or(usize::MAX);
    let mut records = Ordered::new(inputs, args.sorted, most)?;
    let format = format(args.format(), all_columns, &records)?;
    let mut connections = Connections::new(rules);
    let mut sink = Sink::open(args, format, zone, columns.map(|(write, _)| write))?;
    while let Some(record) = records.next()? {
        if is_whole(format) && records.layouts().any(|layout| layout == FlowLayout::Json) {
            return Err(lacks_fields());
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
            count(files, if of_columns > 0 { "input" } else { "file" }),
            count(written, "flow"),
            count(others, if of_columns > 0 { "other record" } else { "other line" }),
        ));
    }
    Ok(status)
}

/// How long the entry of a connection that ended stays in the flow table, by default.
const LINGER: Duration = Duration::from_secs(5);

/// The format of the output: one whose fields the inputs have.
fn format(
    wanted: Option<Format>,
    all_columns: bool,
    records: &Ordered<'_>,
) -> Result<Format, Failure> {
    let has_flat = records.layouts().any(|layout| layout == FlowLayout::Json);
    match wanted {
        Some(format) if has_flat && is_whole(format) => Err(lacks_fields()),
        Some(format) => Ok(format),
        None if all_columns => Ok(Format::Parquet),
        None if has_flat => Ok(Format::Json),
        None => Ok(Format::Eve),
    }
}

/// Whether it has all fields of EVE.
fn is_whole(format: Format) -> bool {
    matches!(format, Format::Eve | Format::Parquet)
}

fn lacks_fields() -> Failure {
    let what = "flat JSON has neither TCP flags nor state, which EVE and Parquet show: use --format json, or inputs that are \
                EVE or Parquet";
    Failure::Failed(what.into())
}

/// Checks the directory that Parquet is written to: one of an input would have its records twice.
fn check_directory(args: &MergeArgs) -> Result<(), Failure> {
    let Some(output) = args.output.as_deref().filter(|output| output.as_os_str() != "-") else {
        let what = "Parquet is written to a directory: give -o DIR, or another --format";
        return Err(Failure::Usage(what.into()));
    };
    let Ok(output) = fs::canonicalize(output) else { return Ok(()) };
    let is_in = |file: &&PathBuf| {
        let file = fs::canonicalize(file);
        file.is_ok_and(|file| file.starts_with(&output) || output.starts_with(&file))
    };
    match args.files.iter().find(is_in) {
        Some(file) => {
            let what = format!("{}: is to be read, cannot be written too", file.display());
            Err(Failure::Usage(what))
        }
        None => Ok(()),
    }
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
