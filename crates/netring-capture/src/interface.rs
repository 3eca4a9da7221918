use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::{fs, io};

use flowscope_core::LinkType;

use crate::CaptureError;
use crate::sys::{self, Ask};

/// Network interface of the calling thread's network namespace.
///
/// The values are those at the time of the look-up: an MTU can change, and an interface can be
/// deleted.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Interface {
    /// Index of the interface, unique in the namespace.
    pub index: u32,
    /// Name, at most 15 bytes.
    pub name: String,
    /// MTU: longest packet without link header, in bytes.
    pub mtu: u32,
    /// Hardware address, if it has six bytes; all zero for the loopback interface.
    pub mac: Option<[u8; 6]>,
    /// Link type of the frames; `None` if they cannot be decoded.
    pub link: Option<LinkType>,
    /// `ARPHRD_` number of the hardware (`linux/if_arp.h`).
    pub hardware: u16,
    /// Whether it is up (`IFF_UP`).
    pub is_up: bool,
    /// Whether it can pass frames: up and with a carrier (`IFF_RUNNING`).
    pub is_running: bool,
    /// Whether it is the loopback interface.
    pub is_loopback: bool,
    /// Number of receive queues, at least 1.
    pub rx_queues: u32,
}

/// What the driver of an interface says of itself, as `ethtool` prints it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct HardwareFeatures {
    /// Whether the kernel joins TCP segments before they are captured (generic receive offload).
    pub gro: Option<bool>,
    /// Whether the card does (large receive offload).
    pub lro: Option<bool>,
    /// Descriptors of the receive ring of the card: how many there are, and the most there can be.
    pub rx_descriptors: Option<(u32, u32)>,
    /// Whether the card can stamp packets as they arrive.
    pub timestamps: Option<bool>,
}

impl Interface {
    /// Looks up an interface by name. Needs no privilege.
    ///
    /// # Errors
    ///
    /// [`CaptureError::NoSuchInterface`]; [`CaptureError::System`] when no socket can be opened.
    pub fn find(name: &str) -> Result<Self, CaptureError> {
        let socket =
            sys::any_socket().map_err(|source| CaptureError::of("open a socket", source))?;
        look_up(socket.as_fd(), name).map_err(|source| match source.raw_os_error() {
            Some(libc::ENODEV | libc::ENXIO) => {
                CaptureError::NoSuchInterface { interface: name.to_owned() }
            }
            _ => CaptureError::of("look an interface up", source),
        })
    }

    /// All interfaces, by index. Needs no privilege.
    ///
    /// # Errors
    ///
    /// [`CaptureError::System`].
    pub fn all() -> Result<Vec<Self>, CaptureError> {
        let failed = |source| CaptureError::of("list the interfaces", source);
        let socket = sys::any_socket().map_err(failed)?;
        let names = sys::interface_names().map_err(failed)?;
        // An interface deleted during the listing is left out.
        let found = names.iter().filter_map(|name| look_up(socket.as_fd(), name).ok());
        let mut all: Vec<Interface> = found.collect();
        all.sort_by_key(|interface| interface.index);
        Ok(all)
    }

    /// Interfaces whose name matches `pattern`, by index: `*` stands for any characters, `?` for one.
    /// `any` stands for all interfaces whose frames can be decoded, except the loopback interface. Needs
    /// no privilege.
    ///
    /// # Errors
    ///
    /// [`CaptureError::NoSuchInterface`] if none matches; [`CaptureError::System`].
    pub fn matching(pattern: &str) -> Result<Vec<Self>, CaptureError> {
        let mut all = Interface::all()?;
        all.retain(|interface| match pattern {
            "any" => interface.link.is_some() && !interface.is_loopback,
            _ => matches(pattern.as_bytes(), interface.name.as_bytes()),
        });
        if all.is_empty() {
            return Err(CaptureError::NoSuchInterface { interface: pattern.to_owned() });
        }
        Ok(all)
    }

    /// What the driver says of itself. Needs no privilege; what it does not say is `None`.
    #[must_use]
    pub fn hardware_features(&self) -> HardwareFeatures {
        let Ok(socket) = sys::any_socket() else { return HardwareFeatures::default() };
        let (fd, name) = (socket.as_fd(), self.name.as_str());
        HardwareFeatures {
            gro: sys::joins_in_kernel(fd, name).ok(),
            lro: sys::joins_in_card(fd, name).ok(),
            rx_descriptors: sys::rx_descriptors(fd, name).ok(),
            timestamps: sys::stamps_in_card(fd, name).ok(),
        }
    }

    /// Error if the interface is down or gone, in the network namespace of `socket`.
    pub(crate) fn check(&self, socket: BorrowedFd<'_>) -> Option<CaptureError> {
        let interface = || self.name.clone();
        match look_up(socket, &self.name) {
            Ok(now) if now.index == self.index => {
                (!now.is_up).then(|| CaptureError::InterfaceDown { interface: interface() })
            }
            _ => Some(CaptureError::InterfaceGone { interface: interface() }),
        }
    }
}

/// Whether `name` matches `pattern`. Goes back only to the last `*`, so the time is bounded by the
/// product of the lengths.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, n) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

fn look_up(socket: BorrowedFd<'_>, name: &str) -> io::Result<Interface> {
    let ask = |ask| sys::ask_interface(socket, name, ask);
    let [index, mtu, flags] = [ask(Ask::Index)?, ask(Ask::Mtu)?, ask(Ask::Flags)?].map(|answer| {
        let [a, b, c, d, ..] = answer;
        u32::from_ne_bytes([a, b, c, d])
    });
    // A `sockaddr`: the family is the kind of hardware, the address follows.
    let [kind_0, kind_1, mac @ .., _, _, _, _, _, _, _, _] = ask(Ask::Hardware)?;
    let hardware = u16::from_ne_bytes([kind_0, kind_1]);
    // `ifr_flags` is a `short`.
    let has = |flag: i32| flags & 0xffff & flag.cast_unsigned() != 0;
    Ok(Interface {
        index,
        name: name.to_owned(),
        mtu,
        mac: matches!(hardware, libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK).then_some(mac),
        link: link_type(hardware),
        hardware,
        is_up: has(libc::IFF_UP),
        is_running: has(libc::IFF_RUNNING),
        is_loopback: has(libc::IFF_LOOPBACK),
        rx_queues: rx_queues(socket, name, index),
    })
}

/// As the driver reports; else the queues listed in sysfs, unless that is of another namespace;
/// else 1.
fn rx_queues(socket: BorrowedFd<'_>, name: &str, index: u32) -> u32 {
    let listed = || {
        let of = Path::new("/sys/class/net").join(name);
        let listed_index = fs::read_to_string(of.join("ifindex")).ok()?;
        let ours = listed_index.trim().parse() == Ok(index);
        let queues = ours.then(|| fs::read_dir(of.join("queues")).ok()).flatten()?;
        let is_rx = |name: OsString| name.as_encoded_bytes().starts_with(b"rx-");
        u32::try_from(queues.flatten().filter(|queue| is_rx(queue.file_name())).count()).ok()
    };
    sys::rx_channels(socket, name).ok().or_else(listed).unwrap_or_default().max(1)
}

/// Link type of a raw packet socket. IP tunnels have no link header; the loopback interface has an
/// Ethernet header of zeros.
fn link_type(hardware: u16) -> Option<LinkType> {
    Some(match hardware {
        libc::ARPHRD_ETHER | libc::ARPHRD_LOOPBACK => LinkType::ETHERNET,
        libc::ARPHRD_NONE | ARPHRD_RAWIP => LinkType::RAW,
        libc::ARPHRD_TUNNEL | libc::ARPHRD_TUNNEL6 | libc::ARPHRD_SIT => LinkType::RAW,
        libc::ARPHRD_IEEE80211 => LinkType::IEEE802_11,
        libc::ARPHRD_IEEE80211_RADIOTAP => LinkType::IEEE802_11_RADIOTAP,
        _ => return None,
    })
}

/// Mobile broadband; not in `libc`.
const ARPHRD_RAWIP: u16 = 519;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, expected) in [
            ("eth0", "eth0", true),
            ("eth0", "eth01", false),
            ("eth", "eth0", false),
            ("eth*", "eth0", true),
            ("eth*", "eth", true),
            ("eth?", "eth", false),
            ("eth?", "eth5", true),
            ("*", "lo", true),
            ("*.10*", "bond0.1.100", true),
            ("e*h*1", "eth0h1", true),
            ("e*h*1", "eth0h12", false),
            ("", "lo", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn interfaces_are_found_by_a_pattern() {
        let error = Interface::matching("no-such-*").unwrap_err();
        assert!(error.to_string().contains("no-such-*"), "{error}");
        assert!(Interface::matching("l?").unwrap().iter().any(|found| found.is_loopback));
    }

    #[test]
    fn only_hardware_that_is_decoded_has_a_link_type() {
        for (hardware, expected) in [
            (1, Some(LinkType::ETHERNET)),
            (772, Some(LinkType::ETHERNET)),
            (0xfffe, Some(LinkType::RAW)),
            (519, Some(LinkType::RAW)),
            (776, Some(LinkType::RAW)),
            (803, Some(LinkType::IEEE802_11_RADIOTAP)),
            // For PPP the kernel delivers some frames with a header and some without.
            (512, None),
            (32, None),
        ] {
            assert_eq!(link_type(hardware), expected, "{hardware}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "asks the kernel")]
    fn names_that_no_interface_can_have_are_not_found() {
        for name in ["", "no/such", "much_too_long_a_name", "lo\0x", "none-such"] {
            let error = Interface::find(name).unwrap_err();
            assert!(matches!(error, CaptureError::NoSuchInterface { .. }), "{name:?}: {error}");
        }
    }
}
