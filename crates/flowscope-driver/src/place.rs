//! Where a flow is expected, by what another flow says.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use flowscope_core::Endpoints;

/// A flow is expected this long.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(300);

/// Where a flow is expected to be opened to, and from which host: another may connect there for another reason.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Place {
    pub(crate) listener: SocketAddr,
    pub(crate) connector: IpAddr,
}

impl Place {
    /// Where a flow between `own` and `connector` says that another is to be opened: at the port of `own`, or of the host
    /// that is `named`. Behind the translation of addresses that is not the one that is seen, and clients connect to either.
    pub(crate) fn said(
        own: IpAddr,
        named: Option<IpAddr>,
        port: u16,
        connector: IpAddr,
    ) -> impl Iterator<Item = Place> {
        let named = named.filter(|&host| host != own);
        let hosts = [Some(own), named].into_iter().flatten();
        hosts.map(move |host| Place { listener: SocketAddr::new(host, port), connector })
    }

    /// Where a flow of these ends may have been opened: to either.
    pub(crate) fn of(Endpoints { a, b }: Endpoints) -> [Place; 2] {
        [(b, a.ip()), (a, b.ip())].map(|(listener, connector)| Place { listener, connector })
    }
}
