//! `cargo xtask attack`: hostile packets and files, as the tests generate them.

use std::fs::{self, File};
use std::io::{BufWriter, Write};

use flowscope_testkit::attacks::{Attack, capture, files, slug, timed};

use crate::Result;

/// Packets of a flood, unless the caller says how many.
const PACKETS: usize = 10_000;

/// Writes the attack that is named, or lists the names.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let usage = "cargo xtask attack NAME -o FILE [--packets N], or cargo xtask attack --list";
    let (mut name, mut out, mut volume) = (None, None, PACKETS);
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        match arg {
            "--list" => return list(),
            "-o" => out = args.next(),
            "--packets" => volume = args.next().and_then(|n| n.parse().ok()).ok_or(usage)?,
            other if name.is_none() && !other.starts_with('-') => name = Some(other),
            _ => return Err(usage.into()),
        }
    }
    let (Some(name), Some(out)) = (name, out) else { return Err(usage.into()) };
    if let Some(file) = files::list(volume).into_iter().find(|file| slug(file.name) == name) {
        fs::write(out, &file.bytes)?;
        println!("{out}: {}, {} bytes", file.name, file.bytes.len());
        return Ok(());
    }
    let find = || timed(volume).into_iter().find(|attack| attack.slug() == name);
    let found =
        find().ok_or_else(|| format!("no attack `{name}`; see cargo xtask attack --list"))?;
    let mut file = BufWriter::new(File::create(out)?);
    let packets = || find().into_iter().flat_map(|attack| attack.packets);
    let written = capture::write(packets, &mut file)?;
    file.flush()?;
    println!("{out}: {}, {written} packets", found.name);
    Ok(())
}

fn list() -> Result<()> {
    let packets = timed(1).iter().map(Attack::slug).collect::<Vec<_>>();
    let files = files::list(1).iter().map(|file| slug(file.name)).collect::<Vec<_>>();
    for name in packets.iter().chain(&files) {
        println!("{name}");
    }
    Ok(())
}
