//! Laws of datagram parsers, and a player that feeds them as an engine does.

use std::fmt::Debug;

use flowscope_core::{Datagram, DatagramParser, FlowSide, ParserStatus};

use crate::ops::{Played, TS};
use crate::stream::timeless;
use crate::{Sample, Turn};

/// Feeds a parser the datagrams of a flow.
pub(crate) fn play<P>(mut parser: P, turns: &[Turn]) -> Played
where
    P: DatagramParser,
    P::Message: Debug,
{
    let (mut out, mut stopped, mut last) = (Vec::new(), [false; 2], ParserStatus::Continue);
    for turn in turns {
        if stopped[turn.side.index()] {
            continue;
        }
        let status = parser.parse_into(Datagram::new(turn.side, TS, &turn.bytes), &mut out);
        if status != ParserStatus::Continue {
            last = status;
        }
        match status {
            ParserStatus::Continue => {}
            ParserStatus::StopSide(side) => stopped[side.index()] = true,
            _ => stopped = [true; 2],
        }
    }
    parser.end(&mut out);
    Played { records: out.iter().map(|record| format!("{record:?}")).collect(), last }
}

/// The required method emits what `parse_into` emits.
pub(crate) fn required_methods<P>(parser: &P, sample: &Sample)
where
    P: DatagramParser + Clone,
    P::Message: Debug,
{
    let (mut required, mut added) = (parser.clone(), parser.clone());
    for turn in &sample.conversation.turns {
        let mut out = Vec::new();
        let status = added.parse_into(Datagram::new(turn.side, TS, &turn.bytes), &mut out);
        let said: Vec<P::Message> = required.parse(&turn.bytes, turn.side);
        let without_times = |records: &[P::Message]| {
            records.iter().map(|record| timeless(&format!("{record:?}"))).collect::<Vec<_>>()
        };
        assert_eq!(without_times(&said), without_times(&out), "{}", sample.name);
        if status != ParserStatus::Continue {
            break;
        }
    }
}

/// A turn of one side.
pub(crate) fn turn(side: FlowSide, bytes: Vec<u8>) -> Turn {
    Turn { side, bytes }
}
