//! Runner for test programs whose tests need more than a Rust toolchain.
//!
//! The tests of the standard harness cannot be ignored at run time, and what a passing test prints is
//! shown only on request. A test program that uses this runner (`harness = false` in its manifest)
//! reports a test that cannot run here as `ignored`, names what is missing in the line of the test, and
//! prints a summary with the reason at its end. It takes the arguments of the standard harness.
//!
//! ```no_run
//! use flowscope_testkit::{needs, runner};
//!
//! fn reads_what_tshark_wrote() {}
//!
//! fn main() -> std::process::ExitCode {
//!     runner::run([runner::group(
//!         || needs::programs(&["tshark"]),
//!         flowscope_testkit::tests![reads_what_tshark_wrote],
//!     )])
//! }
//! ```

use std::collections::BTreeMap;
use std::env;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::needs::{INSIDE, Missing};

/// A test: the path of its function, and the function.
pub type Test = (&'static str, fn());

/// Tests that need the same things.
#[derive(Debug)]
pub struct Group {
    needs: fn() -> Result<(), Missing>,
    tests: Vec<Test>,
}

/// Lists test functions for [`group`] by their paths.
#[macro_export]
macro_rules! tests {
    ($($test:path),* $(,)?) => {
        vec![$((stringify!($test), $test as fn())),*]
    };
}

/// Tests that run only where `needs` finds everything.
///
/// A process that a test started, in a namespace or with other rights, does not ask `needs` again.
pub fn group(needs: fn() -> Result<(), Missing>, tests: Vec<Test>) -> Group {
    Group { needs, tests }
}

/// Runs the tests that the arguments of the process select; use it as the body of `main`.
///
/// With `REQUIRE_NETNS=1` in the environment, a test that cannot run for want of a namespace or of a
/// program fails.
#[expect(clippy::print_stdout, reason = "the summary of a test program")]
pub fn run(groups: impl IntoIterator<Item = Group>) -> ExitCode {
    let arguments = Arguments::from_args();
    let inside = arguments.list || env::var_os(INSIDE).is_some();
    let required = env::var_os("REQUIRE_NETNS").is_some_and(|value| value == "1");
    let mut trials = Vec::new();
    let mut skipped = BTreeMap::<String, usize>::new();
    for Group { needs, tests } in groups {
        let missing = if inside { None } else { needs().err() };
        for (name, test) in tests {
            trials.push(match &missing {
                None => Trial::test(name, move || {
                    test();
                    Ok(())
                }),
                Some(missing) if required && missing.can_be_required => {
                    let why = missing.to_string();
                    Trial::test(name, move || Err(why.into()))
                }
                Some(missing) => {
                    *skipped.entry(missing.to_string()).or_default() += 1;
                    Trial::test(name, test_that_needs(missing.clone()))
                        .with_kind(format!("needs {}", missing.what))
                        .with_ignored_flag(true)
                }
            });
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if conclusion.num_ignored > 0 {
        for (why, tests) in skipped {
            println!(
                "SKIPPED: {tests} {} {why}\n",
                if tests == 1 { "test needs" } else { "tests need" }
            );
        }
    }
    conclusion.exit_code()
}

/// What `--ignored` runs in place of a test that cannot run.
fn test_that_needs(
    missing: Missing,
) -> impl FnOnce() -> Result<(), libtest_mimic::Failed> + Send + 'static {
    move || Err(format!("needs {missing}").into())
}
