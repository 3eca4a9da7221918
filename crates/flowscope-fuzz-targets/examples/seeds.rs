//! Writes short seeds of every target to `fuzz/seeds`, where libFuzzer begins and the tests replay them. Files that
//! are there already, such as inputs that once failed, stay.

use std::fs;
use std::io;
use std::path::Path;

use flowscope_fuzz_targets::{ALL, inputs};

/// Longest seed that is committed, in bytes.
const LONGEST: usize = 2000;

/// Seeds of each target.
const COUNT: usize = 8;

fn main() -> io::Result<()> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    for target in ALL {
        let folder = seeds.join(target.name);
        fs::create_dir_all(&folder)?;
        let short = (target.seeds)().into_iter().chain(inputs(target, 200, 7));
        let short = short.filter(|bytes| (1..=LONGEST).contains(&bytes.len()));
        for (n, bytes) in short.take(COUNT).enumerate() {
            fs::write(folder.join(format!("seed-{n}")), bytes)?;
        }
    }
    Ok(())
}
