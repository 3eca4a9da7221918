//! Capture files made in memory, read, damaged, cut, compressed and written.

mod compressed;
mod corpus;
mod damage;
mod files;
mod formats;
mod make;
mod read;
mod written;

/// Says that a test did not run, and why.
#[expect(clippy::print_stdout, reason = "a skipped test is named where the tests are listed")]
fn skipped(why: &str) {
    println!("SKIPPED: {why}");
}
