use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;

use flowscope::extract::{FiveTupleKey, ScopedKey};
use flowscope::pcap::CaptureWriter;

use super::capture::unwritable;
use super::reread::{FlowOf, FlowPackets, Numbered, reread};
use crate::args::{Format, Running, SplitArgs};
use crate::choice::{can_be_reread, choose};
use crate::error::{Failure, Status};
use crate::output::{Condition, Flows, Store, count, flow_name, too_many};
use crate::recorder::FlowKey;
use crate::say;

/// Writes the packets of each flow to a capture of its own.
pub(crate) fn split(args: &SplitArgs) -> Result<Status, Failure> {
    let SplitArgs { files, running, max_files, .. } = args;
    let condition = args.condition.as_deref().map(Condition::of_flows).transpose()?;
    can_be_reread(files)?;
    let flows =
        Flows::new(Format::Json, false, false, running.community_id_seed).meeting(condition);
    let Some(dir) = running.output() else {
        return Err(Failure::Usage("split writes many files: name a directory with -o".into()));
    };
    let store = Store::create(dir, max_files.get())?;
    if running.tracking.vlan_key {
        split_by::<ScopedKey<FiveTupleKey>>(files, running, &flows, store, max_files.get())
    } else {
        split_by::<FiveTupleKey>(files, running, &flows, store, max_files.get())
    }
}

fn split_by<K: FlowKey>(
    files: &[PathBuf],
    args: &Running,
    flows: &Flows,
    store: Store,
    most: u64,
) -> Result<Status, Failure> {
    let (status, chosen) = choose(files, args, flows, false)?;
    if chosen.len() > most {
        return Err(too_many(most));
    }
    let mut captures = Captures { store, open: HashMap::new() };
    reread::<K, _>(files, args, flows, &chosen, &mut captures)?;
    captures.store.flush()?;
    if !args.quiet {
        say(&format!("written: {}", count(captures.store.created(), "capture")));
    }
    Ok(status)
}

/// A capture for each flow.
struct Captures {
    store: Store,
    /// Of the flows whose packets may still come.
    open: HashMap<u64, (CaptureWriter<Gathered>, Gathered)>,
}

impl FlowPackets for Captures {
    const FRAMES: bool = true;

    fn packet(&mut self, flow: FlowOf, packet: Numbered<'_>) -> Result<(), Failure> {
        let Captures { store, open } = self;
        let name = || format!("{}.pcapng", flow_name(flow.id, &flow.key, flow.orientation));
        let (writer, gathered) = match open.entry(flow.id) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(new) => {
                let gathered = Gathered::default();
                let writer = CaptureWriter::pcapng(gathered.clone())
                    .map_err(|error| unwritable(&name(), error))?;
                new.insert((writer, gathered))
            }
        };
        writer.write(packet.view).map_err(|error| unwritable(&name(), error))?;
        let mut bytes = gathered.0.borrow_mut();
        store.append((flow.id, 0), name, &bytes)?;
        bytes.clear();
        Ok(())
    }

    fn over(&mut self, flow: u64) -> Result<(), Failure> {
        self.open.remove(&flow);
        self.store.close((flow, 0))
    }
}

/// What a writer has written, until it goes to the store.
#[derive(Clone, Default)]
struct Gathered(Rc<RefCell<Vec<u8>>>);

impl Write for Gathered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
