//! The command line of `flowscope collect`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use flowscope_cli::LoginArgs;

use crate::message::is_name;

/// Writes records to Parquet files that sensors publish to NATS JetStream.
#[derive(Debug, Parser)]
#[command(name = "flowscope-nats", bin_name = "flowscope collect", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Server, such as nats://HOST:4222, or tls:// for TLS; several servers of a cluster with commas
    pub(crate) url: String,

    /// Directory of the Parquet files, which is created if it does not exist
    #[arg(short, long = "output-dir", visible_alias = "output", value_name = "DIR")]
    pub(crate) output: PathBuf,

    /// Name of this collector: that of its consumer, and of its state in DIR/.collect. A collector that goes on has the
    /// same name; collectors of the same partitions and different names each get all records
    #[arg(long, value_name = "NAME", default_value = "collector", value_parser = name)]
    pub(crate) name: String,

    /// Collect these partitions alone, such as 0-7; others are for other collectors
    #[arg(long, value_name = "A-B", value_parser = partitions)]
    pub(crate) partitions: Option<RangeInclusive<u16>>,

    /// Stream of the server. It is created if there is none of this name
    #[arg(long, value_name = "NAME", default_value = "FLOWSCOPE", value_parser = name)]
    pub(crate) nats_stream: String,

    /// Servers of a cluster that have a copy of a stream that is created, at most 5
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub(crate) nats_replicas: u8,

    /// Complete files each time this many seconds have passed; sooner if there is much
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub(crate) commit: Duration,

    /// End when no message came for this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) until_idle: Option<Duration>,

    /// Print only errors on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,

    #[command(flatten)]
    pub(crate) login: LoginArgs,
}

fn name(text: &str) -> Result<String, String> {
    match is_name(text) {
        true => Ok(text.to_owned()),
        false => Err("expected at most 64 letters, digits, `-` and `_`".into()),
    }
}

fn partitions(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) if first <= last && last < 1024 => Ok(first..=last),
        _ => Err("expected a partition below 1024, or two like 0-7".into()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u32>().ok().filter(|seconds| (1..=86_400).contains(seconds));
    let seconds = seconds.ok_or("expected a number of seconds from 1 to 86400")?;
    Ok(Duration::from_secs(seconds.into()))
}

const EXAMPLES: &str = "\
Examples:
  flowscope collect nats://broker:4222 -o traffic
  flowscope collect nats://a:4222,nats://b:4222 -o traffic --name east --partitions 0-7

Ctrl-C and SIGTERM complete what was received.

Exit status: 0; 1 if the server refuses, a file of its options cannot be used, or the state in DIR is damaged, 2 wrong usage, 3 done, but messages were no batches,
5 if files could not be written.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_one_or_a_range() {
        assert_eq!(partitions("3"), Ok(3..=3));
        assert_eq!(partitions("0-1023"), Ok(0..=1023));
        for text in ["", "-", "3-", "-3", "7-0", "0-1024", "a", "0-1-2"] {
            assert!(partitions(text).is_err(), "{text}");
        }
    }
}
