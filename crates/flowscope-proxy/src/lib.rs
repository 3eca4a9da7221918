//! How connections through proxies begin: SOCKS 4, 4a and 5, and the PROXY protocol of HAProxy.
//!
//! Both say where a connection really comes from or goes to, and then hand it on: what follows is left to the
//! parser of whatever it is ([`ParserStatus::Upgrade`](flowscope_core::ParserStatus::Upgrade)).
//! [`SocksParser`] emits a [`SocksRequest`], [`ProxyParser`] a [`ProxyHeader`]; one per connection.
//!
//! ```
//! use flowscope_core::SessionParser;
//! use flowscope_proxy::ProxyParser;
//!
//! let mut parser = ProxyParser::default();
//! let headers = parser.feed_initiator(b"PROXY TCP4 192.0.2.1 198.51.100.2 5000 443\r\n");
//! assert_eq!(headers[0].source, Some("192.0.2.1:5000".parse().unwrap()));
//! ```

mod handoff;
mod header;
mod socks;

pub use header::{PROXY, Proxy, ProxyCommand, ProxyHeader, ProxyParser};
pub use socks::{SOCKS, Socks, SocksHost, SocksParser, SocksRequest};
