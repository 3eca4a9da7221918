//! Options of `live`.

use std::str::FromStr;

use clap::Args;

use super::{Common, KeylogArgs, ZoneArgs};
use crate::error::Failure;

#[derive(Args, Debug)]
pub(crate) struct LiveArgs {
    /// Show only flows for which this holds, until another filter is typed
    ///
    /// An expression over the fields of flows, such as `app_proto == tls && bytes > 1M`.
    #[arg(long = "where", value_name = "EXPR")]
    pub(crate) condition: Option<String>,
    /// How fast a capture file is played: so many times as fast as its packets came, or `max`
    #[arg(long, value_name = "SPEED", default_value = "1x")]
    pub(crate) speed: Speed,
    #[command(flatten)]
    pub(crate) zone: ZoneArgs,
    #[command(flatten)]
    pub(super) keylog: KeylogArgs,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// How fast a capture is played.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Speed {
    /// So many times as fast as its packets came; above 0.
    Times(f64),
    /// As fast as it can be read.
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        match text.strip_suffix('x').unwrap_or(text).parse::<f64>() {
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Speed::Times(times)),
            _ => Err("expected 1x, 10x, 0.5x or max".into()),
        }
    }
}

/// Options that are for what is printed, and for captures that run for long. A view has none of it.
const OF_OUTPUT: [&str; 9] =
    ["output", "quiet", "no_pager", "active", "shunt", "rotate", "keep", "metrics", "user"];

/// Hides the options of output from the help.
pub(super) fn without_output(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| {
        let is_of_output = OF_OUTPUT.contains(&arg.get_id().as_str());
        if is_of_output { arg.hide(true) } else { arg }
    })
}

impl LiveArgs {
    /// Whether packets come from interfaces; an error for options that would have no effect.
    pub(crate) fn is_live(&self) -> Result<bool, Failure> {
        let refused = |what: &str| {
            Err(Failure::Usage(format!(
                "{what} is not for `flowscope live`, which draws on the terminal"
            )))
        };
        if self.common.running.output().is_some() {
            return refused("-o");
        }
        if self.common.running.tracking.has_interim_records() {
            return refused("--active");
        }
        #[cfg(all(feature = "live", target_os = "linux"))]
        {
            let is_live = self.common.live.is_wanted()?;
            match self.common.live.shunt.map(|_| "--shunt").or(self.common.live.sensor.given()) {
                Some(what) => refused(what),
                None => Ok(is_live),
            }
        }
        #[cfg(not(all(feature = "live", target_os = "linux")))]
        Ok(false)
    }

    /// What packets come from, for the first line.
    pub(crate) fn source(&self) -> String {
        #[cfg(all(feature = "live", target_os = "linux"))]
        if !self.common.live.interface.is_empty() {
            return self.common.live.interface.join(",");
        }
        let name = |path: &std::path::PathBuf| match path.file_name() {
            _ if path.as_os_str() == "-" => "standard input".to_owned(),
            Some(name) => name.to_string_lossy().into_owned(),
            None => "capture".to_owned(),
        };
        self.common.files().iter().map(name).collect::<Vec<_>>().join(",")
    }
}

pub(super) const LIVE_HELP: &str = "\
The first line has the source, packet time, what passed per second, and bits per second of the last
minute. The second has what was not seen: packets dropped by the kernel or in rings, flows evicted,
bytes of streams that are missing, and packets that belong to no flow. Below are the flows with the
most bytes per second, and the names in TLS, QUIC, HTTP and DNS as they appear, each once.

Keys:
  Up Down     another flow                  Enter   all of it, and its session records; Esc back
  s           sort by bytes/s, bytes, packets, rtt, retransmits, age
  /           filter: text, or an expression as for --where
  e           export the flows of the table as EVE to flowscope-live-TIME.json in this directory
  p           pause                         ?       these keys
  q, Ctrl-C   quit

Text is searched in endpoints, protocols and session records. What has an operator or a word of
expressions is an expression, over the fields of flows (FORMATS.md). A pause stops a capture file;
packets of interfaces are captured meanwhile.
A capture file is played at the pace of its packets; silences of more than 5 seconds are cut to that.
At its end the totals stay on view. The view has the 1000 flows with the latest packets. Packets, bytes
and states are current; other fields of a flow are up to a second older than its last packet.
NO_COLOR=1 is without colours.

Exit status: as for `flowscope flows`; 2 without a terminal.

Examples:
  flowscope live -i eth0
  flowscope live trace.pcap --speed 10x
  flowscope live -i eth0 -f \"port 53\" --where 'app_proto == dns'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds() {
        let check = |text: &str, expected: Option<Speed>| {
            assert_eq!(text.parse::<Speed>().ok(), expected, "{text}");
        };
        check("1x", Some(Speed::Times(1.0)));
        check("0.5x", Some(Speed::Times(0.5)));
        check("10", Some(Speed::Times(10.0)));
        check("max", Some(Speed::Max));
        check("0x", None);
        check("-1x", None);
        check("infx", None);
        check("fast", None);
        check("", None);
    }
}
