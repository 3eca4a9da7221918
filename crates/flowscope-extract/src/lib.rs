//! Flow keys from captured frames.
//!
//! An extractor reads a [`PacketView`] and returns the key of its flow. A combinator wraps an extractor and
//! first removes one layer of encapsulation:
//!
//! | extractor | flow key |
//! |---|---|
//! | [`FiveTuple`] | two IP addresses, two ports, protocol |
//! | [`IpPair`] | two IP addresses |
//! | [`MacPair`] | two Ethernet addresses |
//!
//! | combinator | what its inner extractor reads |
//! |---|---|
//! | [`StripVlan`], [`StripMpls`], [`StripPppoe`], [`StripVnTag`], [`StripTrustSec`] | the payload of the tags, labels or session |
//! | [`InnerVxlan`], [`InnerGeneve`], [`InnerGre`], [`InnerGtpU`], [`InnerIpIp`], [`InnerPbb`], [`InnerNsh`], [`InnerTeredo`], [`InnerAyiya`] | the packet inside the tunnel |
//! | [`AutoDetectEncap`] | the innermost packet, whatever encapsulation surrounds it |
//! | [`OrPlain`] | the packet inside the layer, or the unchanged packet where the layer is missing |
//!
//! | wrapper | adds to the key |
//! |---|---|
//! | [`Scoped`] | the VLANs and virtual networks around the packet |
//! | [`FlowLabel`] | the IPv6 flow label |
//!
//! A composition names the layers that it expects, in order. `FiveTuple` on a tagged frame gives `None`, and
//! so does `StripVlan(FiveTuple)` on an untagged frame. A tunnel that no combinator opens is a flow like any
//! other. Only [`AutoDetectEncap`] accepts any encapsulation.
//!
//! Nothing in this crate keeps state, allocates or panics, whatever the input. Lengths are those of the
//! headers (bytes on the wire). Payload bytes are those of the capture, which a snap length may have cut.
//!
//! ```
//! use flowscope_extract::{
//!     AutoDetectEncap, FiveTuple, FlowExtractor, LinkType, Orientation, PacketView, Timestamp,
//! };
//! use flowscope_testkit::frame;
//!
//! let frame = frame().ethernet().vlan(7).ipv4("10.0.0.2", "10.0.0.1").tcp(443, 40000).build();
//! let view = PacketView::new(&frame, LinkType::ETHERNET, Timestamp::ZERO);
//! let found = AutoDetectEncap(FiveTuple::bidirectional()).extract(view).expect("a TCP segment");
//!
//! assert_eq!(found.key.to_string(), "10.0.0.1:40000 <-> 10.0.0.2:443");
//! assert_eq!(found.orientation, Orientation::Reverse);
//! assert_eq!(found.path.get(0).map(|layer| layer.id), Some(7));
//! assert_eq!(found.key.community_id(0).to_string(), "1:UWHKJ/x6OQ1YiVv4rIl0t3yhjg8=");
//! ```

mod addr;
mod auto;
mod combinator;
mod community_id;
mod five_tuple;
mod flow_label;
mod icmp;
mod key;
mod layers;
mod or_plain;
mod pairs;
mod scoped;
mod walk;

pub use auto::AutoDetectEncap;
pub use combinator::Combinator;
pub use community_id::CommunityId;
pub use five_tuple::FiveTuple;
pub use flow_label::{FlowLabel, FlowLabelKey};
#[doc(no_inline)]
pub use flowscope_core::{
    Cursor, Extracted, FlowExtractor, Fragment, IcmpInfo, IpInfo, L4Proto, Layer, LinkType,
    MAX_DEPTH, NextHeader, Orientation, PacketView, Path, PathLayer, Payload, Refusal, TcpFlags,
    TcpInfo, TcpOptions, Timestamp, VlanTag,
};
pub use key::{Endpoint, FiveTupleKey};
pub use layers::{
    InnerAyiya, InnerGeneve, InnerGre, InnerGtpU, InnerIpIp, InnerNsh, InnerPbb, InnerTeredo,
    InnerVxlan, StripMpls, StripPppoe, StripTrustSec, StripVlan, StripVnTag,
};
pub use or_plain::OrPlain;
pub use pairs::{IpPair, IpPairKey, MacPair, MacPairKey};
pub use scoped::{Scope, Scoped, ScopedKey};
pub use walk::peel;
