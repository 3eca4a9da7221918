//! Which conversation of which capture.

use std::path::PathBuf;

use clap::Args;

use crate::error::Failure;
use crate::output::Wanted;

/// Arguments of the commands that print one conversation.
#[derive(Args, Debug)]
pub(crate) struct Conversation {
    /// Capture file; `-` is standard input
    ///
    /// pcap or pcapng, also compressed with gzip or zstd.
    #[arg(value_name = "FILE", required_unless_present = "read")]
    file: Option<PathBuf>,
    /// Conversation to print: a flow id, a Community ID, or both endpoints, as in
    /// `10.0.0.1:40000-10.0.0.2:80`. May be omitted if there is only one
    #[arg(value_name = "FLOW")]
    flow: Option<String>,
    /// Capture file, as in tcpdump; the same as FILE without `-r`
    #[arg(short, long, value_name = "FILE")]
    read: Option<PathBuf>,
}

impl Conversation {
    /// The capture file and the wanted conversation, its Community ID of this seed. With `-r`, the first argument is
    /// the flow.
    pub(crate) fn what(&self, seed: u16) -> Result<(PathBuf, Option<Wanted>), Failure> {
        let usage = |what: &str| Err(Failure::Usage(what.to_owned()));
        let (file, flow) = match (&self.read, &self.file, &self.flow) {
            (None, Some(file), flow) => (file, flow.clone()),
            (Some(read), file, None) => {
                (read, file.as_ref().map(|word| word.to_string_lossy().into_owned()))
            }
            (Some(_), _, Some(_)) => return usage("one capture is read: leave out -r or FILE"),
            (None, None, _) => return usage("no capture was named"),
        };
        match flow.as_deref().map(str::parse).transpose() {
            Ok(wanted) => Ok((file.clone(), wanted.map(|wanted: Wanted| wanted.seed(seed)))),
            Err(why) => Err(Failure::Usage(why)),
        }
    }
}
