//! Options of a capture that runs for long.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use super::{Size, Time, positive};
use crate::error::Failure;
use crate::output::{Rotation, Target};

/// Options of captures that run for long.
#[derive(Args, Debug)]
#[command(next_help_heading = "Sensor")]
pub(crate) struct Sensor {
    /// Complete the logs of --output-dir each time this long has passed, in UTC, such as 1h, or when one has this size,
    /// such as 100MiB. May be given twice
    ///
    /// A complete log is renamed: conn.log to conn.20261130T010000Z.log, with the time at which it was begun. Logs that
    /// exist at the start are complete.
    #[arg(long, value_name = "TIME|SIZE")]
    rotate: Vec<Rotate>,

    /// Keep only this many of the complete logs of each name, and delete older ones
    #[arg(long, value_name = "N")]
    keep: Option<NonZeroU32>,

    /// Answer Prometheus at this address, under /metrics
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) metrics: Option<SocketAddr>,

    /// Go on as this user when the capture is open. The directory of --output-dir is created as theirs; what is written is
    /// opened by them
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,

    /// Take options from this TOML file, under their long names. Those of the command line win
    #[arg(id = "config", long = "config", value_name = "FILE")]
    _config: Option<PathBuf>,
}

/// When logs are complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Rotate {
    Every(Time),
    Size(Size),
}

impl FromStr for Rotate {
    type Err = String;

    /// Sizes end in a capital letter, times in a small one.
    fn from_str(text: &str) -> Result<Self, String> {
        let is_size = text.ends_with(|last: char| last.is_ascii_uppercase());
        let is_time = text.ends_with(|last: char| last.is_ascii_lowercase());
        match (is_size, is_time) {
            (true, _) => text.parse().map(Rotate::Size),
            (_, true) => positive(text).map(Rotate::Every),
            _ => Err("expected a time like 1h or a size like 100MiB".into()),
        }
    }
}

impl Sensor {
    /// The first option that was given, if any.
    pub(super) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--rotate", !self.rotate.is_empty()),
            ("--keep", self.keep.is_some()),
            ("--metrics", self.metrics.is_some()),
            ("--user", self.user.is_some()),
        ];
        given.iter().find(|(_, given)| *given).map(|(option, _)| *option)
    }

    /// How logs of this target are rotated, if they are.
    pub(crate) fn rotation(&self, target: Target<'_>) -> Result<Option<Rotation>, Failure> {
        let usage = |what: &str| Err(Failure::Usage(what.to_owned()));
        if self.rotate.is_empty() {
            return match self.keep {
                Some(_) => usage("--keep is for rotated logs: give --rotate too"),
                None => Ok(None),
            };
        }
        if !target.is_directory() {
            return usage("--rotate is for the logs of --output-dir");
        }
        let mut rotation = Rotation { keep: self.keep, ..Rotation::default() };
        for rotate in &self.rotate {
            let is_again = match rotate {
                Rotate::Every(time) => rotation.every.replace(time.0).is_some(),
                Rotate::Size(size) => rotation.size.replace(size.0.get()).is_some(),
            };
            if is_again {
                return usage("--rotate takes one time and one size");
            }
        }
        Ok(Some(rotation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_end_in_small_letters_and_sizes_in_capitals() {
        let check = |text: &str, expected: Option<&str>| {
            let parsed = text.parse::<Rotate>().ok().map(|parsed| match parsed {
                Rotate::Every(time) => format!("{} s", time.0.as_secs()),
                Rotate::Size(size) => format!("{} bytes", size.0),
            });
            assert_eq!(parsed.as_deref(), expected, "{text}");
        };
        check("1h", Some("3600 s"));
        check("5m", Some("300 s"));
        check("5M", Some("5242880 bytes"));
        check("100MiB", Some("104857600 bytes"));
        check("1G", Some("1073741824 bytes"));
        check("60", None);
        check("0s", None);
        check("0K", None);
        check("h", None);
        check("", None);
    }
}
