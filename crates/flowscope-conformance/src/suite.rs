use std::any::TypeId;
use std::fmt::Debug;
use std::fs;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, PoisonError, RwLock};

use flowscope_core::ParserStatus;
use flowscope_record::{NoParser, ParserOptions, Protocol};
use libtest_mimic::{Arguments, Trial};

use crate::{
    Sample, Transport, any_bytes, datagram, golden, memory, probe, schema, shapes, stream,
};

/// The laws for one protocol; [`run`](Suite::run) is the body of a test program.
#[derive(Debug)]
pub struct Suite<P> {
    folder: PathBuf,
    max_heap_bytes: usize,
    same_wire_format: &'static [&'static str],
    protocol: PhantomData<fn() -> P>,
}

/// Default limit of the memory that a parser may hold, in bytes.
const MAX_HEAP_BYTES: usize = 64 * 1024;

impl<P> Suite<P>
where
    P: Protocol + 'static,
    P::Record: Debug,
{
    /// The laws for the protocol of a crate, whose folder this is. Its samples are in
    /// `samples/NAME`, with the protocol's name; those of other protocols are in the folders beside it.
    #[must_use]
    pub fn new(manifest_dir: &str) -> Self {
        Suite {
            folder: PathBuf::from(manifest_dir),
            max_heap_bytes: MAX_HEAP_BYTES,
            same_wire_format: &[],
            protocol: PhantomData,
        }
    }

    /// Sets the most memory that one parser may hold, in bytes. Default: 65 536.
    #[must_use]
    pub fn max_heap_bytes(mut self, bytes: usize) -> Self {
        self.max_heap_bytes = bytes;
        self
    }

    /// Names protocols whose bytes are indistinguishable from this one's, and which only the port identifies. It changes
    /// nothing for a transport that is found by port alone.
    #[must_use]
    pub fn same_wire_format(mut self, names: &'static [&'static str]) -> Self {
        self.same_wire_format = names;
        self
    }

    /// Runs the laws that the arguments of the process select.
    #[must_use]
    pub fn run(self) -> ExitCode {
        libtest_mimic::run(&Arguments::from_args(), self.trials()).exit_code()
    }

    fn trials(&self) -> Vec<Trial> {
        let own = Sample::in_folder(&self.folder.join("samples").join(P::NAME));
        let of = |transport| -> Vec<Sample> {
            let of_it = |sample: &&Sample| sample.conversation.transport == transport;
            own.iter().filter(of_it).cloned().collect()
        };
        let (tcp, udp) = (of(Transport::Tcp), of(Transport::Udp));
        let mut trials = Trials::default();

        trials.add("schema", schema::sound::<P>);
        let samples = own.clone();
        trials.add("records", move || records::<P>(&samples));
        let samples = own.clone();
        trials.add("schema::kinds", move || samples.iter().for_each(schema::kinds::<P>));
        let samples = own.clone();
        trials.add("formats", move || samples.iter().for_each(schema::formats::<P>));
        let samples = own.clone();
        trials.add("golden", move || samples.iter().for_each(golden::golden::<P>));
        let samples = own.clone();
        trials.add("probe::own", move || probe::own::<P>(&samples));
        let foreign = self.foreign();
        trials.add("probe::foreign", move || probe::foreign::<P>(&foreign));

        let bound = self.max_heap_bytes;
        let none = TypeId::of::<NoParser<P::Record>>();
        if TypeId::of::<P::Stream>() != none {
            trials.stream_laws::<P>(&tcp, bound);
        }
        if TypeId::of::<P::Datagram>() != none {
            trials.datagram_laws::<P>(&udp, bound);
        }
        trials.list
    }

    /// The samples of other protocols, in the folders beside this one and in the workspace's `crates`.
    fn foreign(&self) -> Vec<Sample> {
        let beside = self.folder.parent().unwrap_or(Path::new("."));
        let mut crates = folders(beside);
        crates.extend(folders(&beside.join("../crates")));
        let mut foreign = Vec::new();
        for folder in crates.iter().flat_map(|folder| folders(&folder.join("samples"))) {
            let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name != P::NAME && !self.same_wire_format.contains(&name.as_str()) {
                foreign.extend(Sample::in_folder(&folder));
            }
        }
        foreign
    }
}

/// The folders in a folder, by name.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Every sample makes a record and no parser fail; there is one for each transport that has a parser.
pub(crate) fn records<P>(samples: &[Sample])
where
    P: Protocol + 'static,
    P::Record: Debug,
{
    let none = TypeId::of::<NoParser<P::Record>>();
    let has = |transport| samples.iter().any(|sample| sample.conversation.transport == transport);
    let stream = TypeId::of::<P::Stream>() != none;
    let datagram = TypeId::of::<P::Datagram>() != none;
    assert_eq!(
        (has(Transport::Tcp), has(Transport::Udp)),
        (stream, datagram),
        "samples over (TCP, UDP)"
    );
    let options = ParserOptions::default();
    for Sample { name, conversation, .. } in samples {
        let played = match conversation.transport {
            Transport::Tcp => stream::played(P::stream(&options), conversation),
            Transport::Udp => datagram::play(P::datagram(&options), &conversation.turns),
        };
        assert!(!played.records.is_empty(), "{name} makes no record");
        assert!(!matches!(played.last, ParserStatus::Failed(_)), "{name}: {:?}", played.last);
    }
}

/// Laws as tests. The one on memory runs while no other does, since it counts what the process holds.
#[derive(Default)]
struct Trials {
    list: Vec<Trial>,
    alone: Arc<RwLock<()>>,
}

impl Trials {
    fn add(&mut self, name: &str, law: impl FnOnce() + Send + 'static) {
        let others = Arc::clone(&self.alone);
        self.list.push(Trial::test(name, move || {
            let _together = others.read().unwrap_or_else(PoisonError::into_inner);
            law();
            Ok(())
        }));
    }

    fn add_alone(&mut self, name: &str, law: impl FnOnce() + Send + 'static) {
        let others = Arc::clone(&self.alone);
        self.list.push(Trial::test(name, move || {
            let _alone = others.write().unwrap_or_else(PoisonError::into_inner);
            law();
            Ok(())
        }));
    }

    fn stream_laws<P>(&mut self, samples: &[Sample], bound: usize)
    where
        P: Protocol + 'static,
        P::Record: Debug,
    {
        let law = |law: fn(&P::Stream, &Sample)| {
            let samples = samples.to_vec();
            move || {
                for options in both_options() {
                    let parser = P::stream(&options);
                    samples.iter().for_each(|sample| law(&parser, sample));
                }
            }
        };
        self.add("stream::cuts", law(stream::cuts));
        self.add("stream::gaps", law(stream::gaps));
        self.add("stream::required_methods", law(stream::required_methods));
        self.add("stream::shapes", law(shapes::shapes));
        let all = samples.to_vec();
        self.add("stream::any_bytes", move || {
            both_options().iter().for_each(|options| any_bytes::stream(&P::stream(options), &all));
        });
        let all = samples.to_vec();
        self.add_alone("stream::memory", move || {
            both_options()
                .iter()
                .for_each(|options| memory::stream(&P::stream(options), &all, bound));
        });
    }

    fn datagram_laws<P>(&mut self, samples: &[Sample], bound: usize)
    where
        P: Protocol + 'static,
        P::Record: Debug,
    {
        let all = samples.to_vec();
        self.add("datagram::required_methods", move || {
            for options in both_options() {
                let parser = P::datagram(&options);
                all.iter().for_each(|sample| datagram::required_methods(&parser, sample));
            }
        });
        let all = samples.to_vec();
        self.add("datagram::any_bytes", move || {
            for options in both_options() {
                any_bytes::datagrams(&P::datagram(&options), &all);
            }
        });
        let all = samples.to_vec();
        self.add_alone("datagram::memory", move || {
            for options in both_options() {
                memory::datagrams(&P::datagram(&options), &all, bound);
            }
        });
    }
}

fn both_options() -> [ParserOptions; 2] {
    [ParserOptions::default(), ParserOptions::default().transactions(true).files(true)]
}
