use std::num::NonZeroU32;

use flowscope_filter::{Filter, Program};
use netring::ring::{AfPacket, AfPacketConfig, CaptureError, Interface};
use netring::{AsyncCapture, Error, InOrder, Live, Merge};

use super::failure;
use crate::args::live::{Taking, TimestampSource};
use crate::error::Failure;

/// All interfaces of a run, as one.
pub(super) type Source = AsyncCapture<InOrder<Merge<Live<AfPacket>>>>;

/// Starts to capture. Inside of a runtime.
pub(super) fn open(
    names: &[String],
    taking: &Taking,
    filter: Option<&Filter>,
    shunt: Option<NonZeroU32>,
) -> Result<Source, Failure> {
    if let Some((_, name)) = (1..).zip(names).find(|(next, name)| names[*next..].contains(name)) {
        return Err(Failure::Usage(format!("-i {name} was given twice")));
    }
    let names = expand(names)?;
    if shunt.is_some() && names.len() > 1 {
        // A flow may have packets on several, whose counters know nothing of each other.
        return Err(Failure::Usage("--shunt is for one interface".to_owned()));
    }
    let captures = (0..).zip(names).map(|(number, name)| {
        let capture = open_one(&name, number, taking, filter, shunt)?;
        Live::new(capture).map_err(|error| failed(&error))
    });
    let captures = captures.collect::<Result<Vec<_>, _>>()?;
    Ok(AsyncCapture::new(Merge::new(captures).in_order()))
}

/// Replaces patterns by the names of the interfaces that they match, each once.
fn expand(names: &[String]) -> Result<Vec<String>, Failure> {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        let found = if is_pattern(name) {
            let found = Interface::matching(name).map_err(|error| denied(&error))?;
            found.into_iter().map(|interface| interface.name).collect()
        } else {
            vec![name.clone()]
        };
        for name in found {
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    Ok(all)
}

fn is_pattern(name: &str) -> bool {
    name == "any" || name.contains(['*', '?'])
}

/// Starts to capture on one interface, whose number packets have.
fn open_one(
    name: &str,
    number: u32,
    taking: &Taking,
    filter: Option<&Filter>,
    shunt: Option<NonZeroU32>,
) -> Result<AfPacket, Failure> {
    let mut config = AfPacketConfig::default()
        .blocks(blocks(taking))
        .interface_number(number)
        .promiscuous(taking.promiscuous)
        .hardware_timestamps(taking.timestamps == Some(TimestampSource::Card));
    if let Some(bytes) = taking.snap_len {
        config = config.snap_len(bytes);
    }
    if let Some(group) = taking.fanout {
        config = config.fanout_group(group);
    }
    if let Some(flows) = shunt {
        config = config.shunt(flows);
    }
    if let Some(filter) = filter {
        let interface = Interface::find(name).map_err(|error| denied(&error))?;
        if filter.is_of_libpcap() {
            // It has to open the interface itself, and has no name for not being permitted to.
            may_capture(name).map_err(|error| denied(&error))?;
        }
        // One that cannot be decoded is refused below.
        if let Some(link) = interface.link {
            let program = filter
                .compile_for_interface(name, link)
                .map_err(|error| Failure::Usage(format!("-f on {name}: {error}")))?;
            config = config.filter(program);
        }
    }
    AfPacket::open(name, &config).map_err(|error| denied(&error))
}

/// Opens an interface to send through it. Nothing is received.
pub(super) fn open_to_send(name: &str) -> Result<AfPacket, Failure> {
    let config = AfPacketConfig::default()
        .blocks(NonZeroU32::MIN)
        .block_size(SMALL)
        .filter(Program::nothing());
    AfPacket::open(name, &config).map_err(|error| denied(&error))
}

/// Whether packets of an interface may be captured.
pub(super) fn may_capture(name: &str) -> Result<(), CaptureError> {
    let config = AfPacketConfig::default().blocks(NonZeroU32::MIN).block_size(SMALL);
    AfPacket::open(name, &config).map(drop)
}

/// The smallest ring there is.
const SMALL: NonZeroU32 = NonZeroU32::new(1 << 16).expect("not zero");

/// Bytes of a block of the ring.
const BLOCK: u64 = 1 << 18;

fn blocks(taking: &Taking) -> NonZeroU32 {
    let blocks = taking.ring.map_or(128, |size| size.0.get().div_ceil(BLOCK));
    u32::try_from(blocks).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX)
}

/// As [`failure`]; and says which interfaces there are if this one is not among them.
pub(super) fn denied(error: &CaptureError) -> Failure {
    if let CaptureError::NoSuchInterface { interface } = error
        && let Ok(all) = Interface::all()
        && !all.is_empty()
    {
        let names: Vec<&str> = all.iter().map(|interface| interface.name.as_str()).collect();
        let names = names.join(", ");
        return Failure::Failed(format!("there is no interface `{interface}`; there are: {names}"));
    }
    failure(error)
}

/// What an error that came while packets were read makes of the run.
pub(super) fn failed(error: &Error) -> Failure {
    match error {
        Error::Capture(error) => failure(error),
        other => Failure::Failed(other.to_string()),
    }
}
