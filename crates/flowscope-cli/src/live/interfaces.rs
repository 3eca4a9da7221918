use std::io::{self, ErrorKind, Write};

use netring::ring::{CaptureError, Interface};
use serde::Serialize;

use super::{failure, open::may_capture};
use crate::args::live::{InterfacesArgs, ListFormat};
use crate::error::{Failure, Status};
use crate::{say, show};

/// What is said of an interface.
#[derive(Serialize)]
struct Line {
    name: String,
    index: u32,
    mtu: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    link: String,
    state: &'static str,
    queues: u32,
    capture: bool,
}

const HEAD: [&str; 8] = ["NAME", "INDEX", "MTU", "ADDRESS", "LINK", "STATE", "QUEUES", "CAPTURE"];

/// Prints what can be captured from.
pub(crate) fn interfaces(args: &InterfacesArgs) -> Result<Status, Failure> {
    let all = Interface::all().map_err(|error| failure(&error))?;
    let mut denied = None;
    let lines: Vec<Line> = all.iter().map(|interface| line(interface, &mut denied)).collect();
    let text = match args.format {
        ListFormat::Table => table(&lines),
        ListFormat::Json => json(&lines),
    };
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(Failure::Closed),
        Err(source) => return Err(Failure::Output { name: "standard output".into(), source }),
        Ok(()) => {}
    }
    if let Some(error) = denied {
        let failure = failure(&error);
        failure.message().iter().for_each(|what| say(what));
        failure.details().iter().for_each(|line| show(line));
    }
    Ok(Status::Done)
}

fn line(interface: &Interface, denied: &mut Option<CaptureError>) -> Line {
    let may = may_capture(&interface.name);
    let capture = may.is_ok();
    if let Err(error @ CaptureError::NoPermission { .. }) = may {
        *denied = Some(error);
    }
    Line {
        name: interface.name.clone(),
        index: interface.index,
        mtu: interface.mtu,
        address: interface.mac.map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":")),
        link: match interface.link {
            Some(link) => link.to_string(),
            None => format!("hardware {}", interface.hardware),
        },
        state: match (interface.is_up, interface.is_running) {
            (_, true) => "running",
            (true, false) => "up",
            (false, false) => "down",
        },
        queues: interface.rx_queues,
        capture,
    }
}

fn json(lines: &[Line]) -> String {
    let line = |line| serde_json::to_string(line).unwrap_or_default() + "\n";
    lines.iter().map(line).collect()
}

fn table(lines: &[Line]) -> String {
    let rows = lines.iter().map(|line| {
        [
            flowscope::output::terminal(&line.name).into_owned(),
            line.index.to_string(),
            line.mtu.to_string(),
            line.address.clone().unwrap_or_else(|| "-".into()),
            line.link.clone(),
            line.state.to_owned(),
            line.queues.to_string(),
            if line.capture { "yes" } else { "no" }.to_owned(),
        ]
    });
    let rows: Vec<[String; 8]> = [HEAD.map(str::to_owned)].into_iter().chain(rows).collect();
    let widths: [usize; 8] =
        std::array::from_fn(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}
