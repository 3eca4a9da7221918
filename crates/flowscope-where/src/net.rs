use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A network: an address and the number of its bits that count. Bits beyond are zero.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Net {
    addr: IpAddr,
    bits: u8,
}

impl Net {
    /// The network of this address; `None` if it has fewer bits.
    #[must_use]
    pub fn new(addr: IpAddr, bits: u8) -> Option<Self> {
        let addr = masked(addr, bits)?;
        Some(Net { addr, bits })
    }

    /// Whether an address is in it. An IPv4 address is in no IPv6 network.
    #[must_use]
    pub fn contains(&self, addr: IpAddr) -> bool {
        addr.is_ipv4() == self.addr.is_ipv4() && masked(addr, self.bits) == Some(self.addr)
    }
}

fn masked(addr: IpAddr, bits: u8) -> Option<IpAddr> {
    let bits = u32::from(bits);
    Some(match addr {
        IpAddr::V4(addr) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits)?).unwrap_or(0);
            IpAddr::V4((addr.to_bits() & mask).into())
        }
        IpAddr::V6(addr) => {
            let mask = u128::MAX.checked_shl(128_u32.checked_sub(bits)?).unwrap_or(0);
            IpAddr::V6((addr.to_bits() & mask).into())
        }
    })
}

impl FromStr for Net {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (addr, bits) = text.split_once('/').ok_or(())?;
        if !bits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(());
        }
        let (addr, bits) = (addr.parse().map_err(|_| ())?, bits.parse().map_err(|_| ())?);
        Net::new(addr, bits).ok_or(())
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_their_addresses() {
        let check = |net: &str, addr: &str, expected: bool| {
            let net: Net = net.parse().unwrap();
            assert_eq!(net.contains(addr.parse().unwrap()), expected, "{addr} in {net}");
        };
        check("10.0.0.0/8", "10.255.0.1", true);
        check("10.1.2.3/8", "10.255.0.1", true);
        check("10.0.0.0/8", "11.0.0.1", false);
        check("0.0.0.0/0", "255.0.0.1", true);
        check("0.0.0.0/0", "::1", false);
        check("10.0.0.1/32", "10.0.0.1", true);
        check("2001:db8::/33", "2001:db8:7fff::1", true);
        check("2001:db8::/33", "2001:db8:8000::1", false);
        check("::/0", "ffff::1", true);
        for wrong in ["10.0.0.0/33", "10.0.0.0", "10.0.0/8", "::/129", "::/", "::/+1"] {
            assert_eq!(wrong.parse::<Net>(), Err(()), "{wrong}");
        }
    }
}
