//! Options of records that are published to NATS.

use std::num::NonZeroU16;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{BrokerLogin, LoginArgs, Running, Size};
use crate::error::Failure;
use crate::output::{Broker, Dropped, broker_ports};

/// Options of `--format arrow`.
#[derive(Args, Debug)]
#[command(next_help_heading = "NATS")]
pub(crate) struct NatsArgs {
    /// Name of this sensor: letters, digits, `-` and `_`. It is in the subject of each message
    #[arg(long, value_name = "NAME", value_parser = token)]
    site: Option<String>,

    /// Directory for batches until the server has them. Those of an earlier run are sent first
    #[arg(long, value_name = "DIR")]
    spool: Option<PathBuf>,

    /// Most bytes in the spool
    #[arg(long, value_name = "SIZE", default_value = "1GiB", requires = "spool")]
    spool_size: Size,

    /// Which batches to drop when the spool is full. Capture files are not read on before that, as long as the
    /// server takes a batch within 30 seconds
    #[arg(long, value_enum, default_value_t = DroppedArg::Oldest, requires = "spool")]
    spool_full: DroppedArg,

    /// Name of this run over capture files. When the same command runs again under the same name, batches that the server
    /// or a collector has are not taken again
    #[arg(long, value_name = "NAME", value_parser = token, requires = "spool")]
    run: Option<String>,

    /// Number of partitions, by Community ID, at most 1024
    #[arg(long, value_name = "N", default_value = "16", value_parser = partitions, requires = "spool")]
    partitions: NonZeroU16,

    /// Stream of the server. It is created if there is none of this name
    #[arg(long, value_name = "NAME", default_value = "FLOWSCOPE", value_parser = token, requires = "spool")]
    nats_stream: String,

    /// Servers of a cluster that have a copy of a stream that is created, at most 5
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u8).range(1..=5), requires = "spool")]
    nats_replicas: u8,

    #[command(flatten)]
    login: LoginArgs,
}

/// Which batches to drop.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DroppedArg {
    /// The oldest in the spool
    Oldest,
    /// Those that come
    Newest,
}

impl NatsArgs {
    /// An error if an option was given that another format would ignore.
    pub(super) fn unused(&self, running: &Running) -> Result<(), Failure> {
        let usage = |what: &str| Err(Failure::Usage(what.to_owned()));
        if url(running).is_some() {
            return usage("-o nats:// and tls:// are for --format arrow");
        }
        if self.site.is_some() || self.spool.is_some() {
            return usage("--site and --spool are for --format arrow");
        }
        if self.login.is_given() {
            return usage("options that begin with --nats are for --format arrow");
        }
        Ok(())
    }

    /// The server that `-o` names, with these options. Files of its login are read if `has_login`.
    pub(super) fn broker(
        &self,
        running: &Running,
        is_live: bool,
        has_login: bool,
    ) -> Result<Broker, Failure> {
        let usage = |what: &str| Err(Failure::Usage(what.to_owned()));
        let Some(url) = url(running) else {
            return usage("--format arrow needs -o nats://HOST:PORT");
        };
        let Some(ports) = broker_ports(url) else {
            return usage("-o: expected nats://HOST:PORT, or several of them with commas");
        };
        let (Some(site), Some(spool)) = (&self.site, &self.spool) else {
            return usage("--format arrow needs --site NAME and --spool DIR");
        };
        if self.run.is_some() && is_live {
            return usage("--run is for capture files: no capture of interfaces is like another");
        }
        let login = if has_login { self.login.read() } else { Ok(BrokerLogin::default()) };
        Ok(Broker {
            login: login.map_err(|error| Failure::Failed(error.to_string()))?,
            url: url.to_owned(),
            ports,
            site: site.clone(),
            run: self.run.clone(),
            stream: self.nats_stream.clone(),
            replicas: self.nats_replicas.into(),
            partitions: self.partitions,
            spool: spool.clone(),
            spool_bytes: self.spool_size.0.get(),
            dropped: match self.spool_full {
                DroppedArg::Oldest => Dropped::Oldest,
                DroppedArg::Newest => Dropped::Newest,
            },
            is_live,
            is_quiet: running.quiet,
        })
    }
}

/// The servers, if the output is any.
fn url(running: &Running) -> Option<&str> {
    let url = running.output.as_deref().and_then(|path| path.to_str());
    url.filter(|url| url.starts_with("nats://") || url.starts_with("tls://"))
}

/// A part of a subject, without what has a meaning there.
fn token(text: &str) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if text.is_empty() || text.len() > 64 || !text.bytes().all(is_plain) {
        return Err("expected at most 64 letters, digits, `-` and `_`".into());
    }
    Ok(text.to_owned())
}

fn partitions(text: &str) -> Result<NonZeroU16, String> {
    let number = text.parse().ok().filter(|number: &NonZeroU16| number.get() <= 1024);
    number.ok_or_else(|| "expected a number from 1 to 1024".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parts_of_a_subject() {
        for name in ["berlin-1", "A_b", "7"] {
            assert_eq!(token(name).as_deref(), Ok(name));
        }
        for name in ["", "a.b", "*", ">", "a b", "ä", &"x".repeat(65)] {
            assert!(token(name).is_err(), "{name}");
        }
    }

    #[test]
    fn there_is_a_partition_and_not_too_many() {
        let number = |text| partitions(text).ok().map(NonZeroU16::get);
        assert_eq!((number("1"), number("1024")), (Some(1), Some(1024)));
        assert_eq!((number("0"), number("1025"), number("-1")), (None, None, None));
    }
}
