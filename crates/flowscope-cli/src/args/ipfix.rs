//! Options of IPFIX.

use clap::Args;
use flowscope_ipfix::{EXAMPLE_ENTERPRISE, ExporterConfig};

use super::Format;
use crate::error::Failure;
use crate::output::{Ipfix, Target, Transport};

/// Options of `--format ipfix`.
#[derive(Args, Debug)]
#[command(next_help_heading = "IPFIX")]
pub(crate) struct IpfixArgs {
    /// Id of the observation domain in each message
    #[arg(long, value_name = "N", default_value_t = 0)]
    observation_domain: u32,

    /// Private enterprise number of elements that IANA does not have; the default is the one for examples
    #[arg(long, value_name = "N", default_value_t = EXAMPLE_ENTERPRISE)]
    enterprise_number: u32,
}

impl IpfixArgs {
    /// The exporter of records to this target, if this is their format.
    pub(crate) fn exporter(
        &self,
        format: Format,
        target: Target<'_>,
    ) -> Result<Option<Ipfix>, Failure> {
        if format != Format::Ipfix {
            return Ok(None);
        }
        if target.is_tty() {
            let what = "ipfix is not for a terminal: it takes -o FILE, -o udp://HOST:PORT or \
                        -o tcp://HOST:PORT";
            return Err(Failure::Usage(what.into()));
        }
        let config = match target.transport() {
            Some(Transport::Udp) => ExporterConfig::datagrams(),
            Some(Transport::Tcp) | None => ExporterConfig::stream(),
        };
        let config = config.observation_domain(self.observation_domain);
        let config = config.enterprise(self.enterprise_number);
        Ok(Some(Ipfix::new(config, target.transport().is_some())))
    }
}
