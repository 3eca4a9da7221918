//! Packet filters that run in the kernel and in user space.
//!
//! An [`Expr`] is a filter expression, built from typed terms or parsed from text. For a link type it
//! compiles to a [`Program`] of classic BPF. `SO_ATTACH_FILTER` attaches the program to a socket, so that the
//! kernel drops frames before they occupy a ring. [`Program::run`] runs it on frames of capture files and of
//! AF_XDP. A [`Filter`] does so for captures of several link types.
//!
//! ```
//! use flowscope_filter::{Filter, LinkType, PacketView, Timestamp};
//!
//! let mut filter = Filter::parse("arp or (tcp and port 443)")?;
//! let mut arp = [0; 60];
//! arp[12..14].copy_from_slice(&[0x08, 0x06]);
//! assert!(filter.matches(PacketView::new(&arp, LinkType::ETHERNET, Timestamp::ZERO)));
//! # Ok::<(), flowscope_filter::FilterError>(())
//! ```
//!
//! # The text form
//!
//! A subset of the language of `tcpdump`, with the same meaning except for VLAN tags (see [`Expr`]):
//!
//! | words | packets |
//! |---|---|
//! | `ip`, `ip6`, `arp`, `tcp`, `udp`, `sctp`, `icmp`, `icmp6` | of that protocol |
//! | `proto 89`, `ip proto 89`, `ip6 proto 89` | of the IP protocol of that number |
//! | `host ADDRESS`, `net ADDRESS/BITS` | from or to an address |
//! | `port N`, `portrange N-M` | of TCP, UDP or SCTP from or to that port |
//! | `src host`, `dst net`, `src or dst port`, `src and dst port`, … | the same for one end, either, both; before an address, `host` may then be left out |
//! | `ip host`, `arp net`, `tcp port`, `udp src portrange`, … | the same for one protocol |
//! | `vlan`, `vlan 100` | with a tag; with a tag of that id |
//! | `ether host MAC`, `ether src MAC`, `ether dst MAC` | from or to an Ethernet address |
//! | `and` `&&`, `or` `||`, `not` `!`, `( )` | put together |
//!
//! As in `tcpdump`, `not` binds tightest; `and` and `or` have equal precedence, from left to right: `a or b
//! and c` is `(a or b) and c`. An address or number that follows `and` or `or` without words of its own takes
//! those of the term before: `tcp port 80 or 443`. Addresses, networks and ports are numbers, not names. At
//! most 4096 terms, and 64 parentheses open at a time.
//!
//! The feature `libpcap` adds the rest of the `tcpdump` language. It links with libpcap and uses its
//! compiler.

mod asm;
mod compile;
mod expr;
mod fanout;
mod filter;
mod net;
mod op;
mod program;
mod run;
#[cfg(feature = "libpcap")]
mod tcpdump;
mod text;

pub use compile::CompileError;
pub use expr::{Direction, Expr};
pub use filter::{Filter, FilterError};
#[doc(no_inline)]
pub use flowscope_core::{LinkType, PacketView, Timestamp, VlanTag};
pub use net::Net;
pub use program::{Instruction, Program, ProgramError};
#[cfg(feature = "libpcap")]
pub use tcpdump::TcpdumpError;
pub use text::ParseExprError;

/// The code of `docs/FILTERS.md`, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/FILTERS.md")]
struct Page;
