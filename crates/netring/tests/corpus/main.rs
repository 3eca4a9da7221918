//! Streams and conversations over the corpus of real captures equal what synchronous drivers give.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

#[allow(dead_code, reason = "the bundled captures are another program's")]
#[path = "../conversations/replay.rs"]
mod conversations;
#[allow(dead_code, reason = "the bundled captures are another program's")]
#[path = "../it/replay.rs"]
mod streams;
#[allow(dead_code, reason = "no test program uses all of it")]
#[path = "../conversations/world.rs"]
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use flowscope_testkit::{needs, runner, tests};
use tokio::runtime::Builder;

fn main() -> ExitCode {
    runner::run([runner::group(
        needs::corpus,
        tests![flows, sessions, protocols, conversations_of_flows, async_reassemblers],
    )])
}

fn captures() -> Vec<PathBuf> {
    let found = conversations::captures_below("../../../shared/corpus");
    assert!(found.len() > 200, "{} captures", found.len());
    found
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn flows() {
    assert!(block_on(streams::compare_flows(captures())) > 10_000);
}

fn sessions() {
    block_on(streams::compare_sessions(captures()));
}

fn protocols() {
    block_on(streams::compare_protocols(captures()));
}

fn conversations_of_flows() {
    let (conversations, gaps) = block_on(conversations::compare_conversations(captures()));
    assert!(conversations > 500 && gaps > 0, "{conversations} conversations, {gaps} gaps");
}

fn async_reassemblers() {
    let sides = block_on(conversations::compare_async_reassemblers(captures()));
    assert!(sides > 500, "{sides} sides");
}
