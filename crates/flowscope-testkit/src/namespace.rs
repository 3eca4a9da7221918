//! Network namespaces for tests of live capture: such a test cannot reach the machine's interfaces,
//! and nothing of it remains.

use std::process::{self, Command};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::needs::{ROOT, USER, unshare};

pub use crate::needs::INSIDE;

/// Longest time for a condition to come true.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `body` in network, mount and process namespaces of its own, with the interfaces `v0` and `v1`,
/// which are the two ends of one veth pair.
///
/// It starts the test again in those namespaces, with a limit of one minute. `test` is the path of the
/// test, as `concat!(module_path!(), "::name")` gives it. The test belongs in a
/// [`group`](crate::runner::group) that needs [`namespaces`](crate::needs::namespaces).
///
/// # Panics
///
/// When the test fails in the namespace, or there is no namespace.
pub fn in_namespace(test: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        if process::id() == 1 {
            disable_ipv6();
            ip("link set lo up");
            cable("v0", "v1", "");
        }
        return body();
    }
    let namespaces = if unshare(ROOT).is_ok() { ROOT } else { USER };
    again(&[&["unshare"], namespaces].concat(), test);
}

/// Starts the test again with the command prefix `words`; it must pass within a minute.
///
/// # Panics
///
/// When the test fails, or takes longer.
pub fn again(words: &[&str], test: &str) {
    let output = Command::new("timeout")
        .args(["-k", "1", "60"])
        .args(words)
        .arg(env::current_exe().expect("a test knows itself"))
        .args(["--exact", known_as(test), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("timeout is part of every system");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    assert!(output.status.success(), "{}\n{}", said[0], said[1]);
    assert!(said[0].contains("1 passed"), "the test ran in there: {}", said[0]);
}

/// Path of a test without the name of its program, as `--exact` takes it.
pub fn known_as(test: &str) -> &str {
    test.split_once("::").map_or(test, |(_, name)| name)
}

/// Without IPv6, an interface sends no frames that no test asked for.
fn disable_ipv6() {
    for file in ["all", "default"] {
        let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{file}/disable_ipv6"), "1");
    }
}

/// Makes a veth pair that sends no frames of its own. `with` is passed to `ip link add` for both ends.
///
/// # Panics
///
/// When `ip` fails.
pub fn cable(one: &str, other: &str, with: &str) {
    let with = if with.is_empty() { String::new() } else { format!(" {with}") };
    ip(&format!("link add {one}{with} type veth peer name {other}{with}"));
    ip(&format!("link set {one} up arp off"));
    ip(&format!("link set {other} up arp off"));
    // Frames that are sent before can be lost although sending them succeeds.
    until("the cable is plugged in", || running(one) && running(other));
}

/// Whether the interface can pass frames.
pub fn running(interface: &str) -> bool {
    let told = told(interface);
    // The loopback interface has no other state.
    told.contains("state UP") || (told.contains("state UNKNOWN") && told.contains("LOWER_UP"))
}

/// Runs `ip` with these words.
///
/// # Panics
///
/// When it fails.
pub fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().expect("ip was found before");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Output of `ip -d link show` for an interface.
///
/// # Panics
///
/// Without `ip`.
pub fn told(interface: &str) -> String {
    let output = Command::new("ip").args(["-d", "link", "show", interface]).output();
    String::from_utf8_lossy(&output.expect("ip was found before").stdout).into_owned()
}

/// Waits until `condition` is true.
///
/// # Panics
///
/// When that takes more than ten seconds.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
