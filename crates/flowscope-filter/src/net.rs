use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IP network: address and prefix length, as in `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Net {
    addr: IpAddr,
    len: u8,
}

impl Net {
    /// The network with the first `len` bits of `addr`; the other bits are set to 0. `None` if an address has
    /// fewer than `len` bits.
    ///
    /// ```
    /// use flowscope_filter::Net;
    ///
    /// let net = Net::new([10, 1, 2, 3], 8).unwrap();
    /// assert_eq!(net.to_string(), "10.0.0.0/8");
    /// assert_eq!(Net::new([10, 1, 2, 3], 33), None);
    /// ```
    #[must_use]
    pub fn new(addr: impl Into<IpAddr>, len: u8) -> Option<Self> {
        let addr = match addr.into() {
            IpAddr::V4(addr) => {
                let kept = Ipv4Addr::BITS.checked_sub(len.into())?;
                let mask = u32::MAX.checked_shl(kept).unwrap_or(0);
                Ipv4Addr::from_bits(addr.to_bits() & mask).into()
            }
            IpAddr::V6(addr) => {
                let kept = Ipv6Addr::BITS.checked_sub(len.into())?;
                let mask = u128::MAX.checked_shl(kept).unwrap_or(0);
                Ipv6Addr::from_bits(addr.to_bits() & mask).into()
            }
        };
        Some(Net { addr, len })
    }

    /// The network that contains one address only.
    #[must_use]
    pub fn host(addr: IpAddr) -> Self {
        Net { addr, len: if addr.is_ipv4() { 32 } else { 128 } }
    }

    /// Its first address.
    #[must_use]
    pub fn addr(self) -> IpAddr {
        self.addr
    }

    /// Prefix length in bits.
    #[must_use]
    pub fn prefix_len(self) -> u8 {
        self.len
    }

    /// Whether the network contains an address.
    #[must_use]
    pub fn contains(self, addr: IpAddr) -> bool {
        addr.is_ipv4() == self.addr.is_ipv4()
            && Net::new(addr, self.len).is_some_and(|net| net == self)
    }

    pub(crate) fn is_host(self) -> bool {
        self == Net::host(self.addr)
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}
