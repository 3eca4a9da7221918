//! Tracker and model side by side.

use flowscope_core::Progress;
use flowscope_track::{EndReason, FlowTracker};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::{Input, Op, Prepared};
use crate::model::{Call, Calls, Model, Settings, Snapshot};

pub type Tracker = FlowTracker<Prepared>;

pub fn snapshots(tracker: &Tracker) -> Vec<Snapshot> {
    tracker
        .flows()
        .map(|flow| Snapshot {
            flow: flow.id.0,
            key: *flow.key,
            stats: flow.stats().into(),
            history: flow.history().as_str().to_owned(),
        })
        .collect()
}

/// Demands equal lists; a failure shows the first items that differ, line by line.
pub fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    tracker: &[T],
    model: &[T],
) -> Result<(), TestCaseError> {
    if tracker == model {
        return Ok(());
    }
    let at = tracker.iter().zip(model).take_while(|(a, b)| a == b).count();
    let text = |list: &[T]| list.get(at).map_or("nothing".to_owned(), |item| format!("{item:#?}"));
    let (tracker, model) = (text(tracker), text(model));
    let (left, right): (Vec<&str>, Vec<&str>) =
        (tracker.lines().collect(), model.lines().collect());
    let mut report = format!("{what} differ at item {at}\n");
    if left.len() == right.len() {
        for (n, (left, right)) in left.iter().zip(&right).enumerate() {
            if left != right {
                report += &format!("line {n}: tracker {left} model {right}\n");
            }
        }
    } else {
        let alike = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
        let tails = left[alike..].iter().rev().zip(right[alike..].iter().rev());
        let tail = tails.take_while(|(a, b)| a == b).count();
        let part = |lines: &[&str]| lines[alike..lines.len() - tail].join("\n");
        report += &format!("tracker:\n{}\nmodel:\n{}\n", part(&left), part(&right));
    }
    Err(TestCaseError::fail(report))
}

/// Does everything to both, comparing after each step.
pub fn compare(settings: &Settings, input: &Input) -> Result<Vec<Call>, TestCaseError> {
    let mut tracker = Tracker::with_config(input.extractor.clone(), settings.config());
    let mut model = Model::new(settings.clone());
    let mut number = 0;
    let mut all = Vec::new();
    for (at, op) in input.ops.iter().enumerate() {
        let mut calls = Calls::default();
        match op {
            Op::Packet(packet) => {
                number += 1;
                tracker.track(input.view(at).expect("a packet"), &mut calls);
                model.packet(packet);
            }
            Op::Expire(now) => {
                assert_eq!(tracker.expire(*now, usize::MAX, &mut calls), Progress::Done);
                model.expire(*now);
            }
            Op::End(key) => {
                prop_assert_eq!(tracker.end(key, &mut calls), model.end(*key));
            }
        }
        let mut where_ = format!("after operation {at} (packet {number}):\n");
        if calls.0 != *model.calls() || snapshots(&tracker) != model.snapshots() {
            for op in &input.ops[..=at] {
                where_ += &format!("{op:?}\n");
            }
        }
        prop_assert_eq!(tracker.clock().now().watermark, model.now(), "{}", where_);
        same(&format!("{where_}calls"), &calls.0, &model.take_calls())?;
        same(&format!("{where_}flows"), &snapshots(&tracker), &model.snapshots())?;
        prop_assert_eq!(tracker.len(), model.len(), "{}", where_);
        prop_assert!(tracker.len() <= settings.max_flows);
        all.append(&mut calls.0);
    }
    let mut calls = Calls::default();
    tracker.finish(EndReason::EndOfInput, &mut calls);
    model.finish(EndReason::EndOfInput);
    same("the last calls", &calls.0, &model.take_calls())?;
    all.append(&mut calls.0);
    Ok(all)
}
