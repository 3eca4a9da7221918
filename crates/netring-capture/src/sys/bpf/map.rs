//! Maps that programs and user space share.

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::{Attributes, call, make};

/// A map. It knows how many bytes its keys and values have, as the kernel reads and writes that many, however
/// long the slices are.
#[derive(Debug)]
pub(crate) struct Map {
    fd: OwnedFd,
    key_size: u32,
    value_size: u32,
}

impl Map {
    /// Creates a map whose entries are allocated when they are needed, and freed when no program uses them any
    /// more.
    pub(crate) fn hash(key_size: u32, value_size: u32, entries: u32) -> io::Result<Self> {
        Map::create(MAP_TYPE_HASH, key_size, value_size, entries, NO_PREALLOC)
    }

    /// Creates a map of one number, 0 at first.
    pub(crate) fn counter() -> io::Result<Self> {
        Map::create(MAP_TYPE_ARRAY, 4, 8, 1, 0)
    }

    /// Creates a map from receive queue numbers to AF_XDP sockets.
    #[cfg(feature = "af-xdp")]
    pub(crate) fn sockets(entries: u32) -> io::Result<Self> {
        Map::create(MAP_TYPE_XSKMAP, 4, 4, entries, 0)
    }

    fn create(
        kind: u32,
        key_size: u32,
        value_size: u32,
        entries: u32,
        flags: u32,
    ) -> io::Result<Self> {
        let fd = make(MAP_CREATE, &MapCreate { kind, key_size, value_size, entries, flags })?;
        Ok(Map { fd, key_size, value_size })
    }

    /// Another handle of a map from receive queue numbers to AF_XDP sockets.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the descriptor is something else.
    #[cfg(feature = "af-xdp")]
    pub(crate) fn from_sockets(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let mut info = MapInfo::default();
        let into: *mut MapInfo = &raw mut info;
        let attributes = GetInfo {
            fd: fd.as_raw_fd(),
            len: size_of::<MapInfo>() as u32,
            info: into.expose_provenance() as u64,
        };
        call(OBJ_GET_INFO_BY_FD, &attributes)?;
        let MapInfo { kind, key_size, value_size, .. } = info;
        if (kind, key_size, value_size) != (MAP_TYPE_XSKMAP, 4, 4) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no map of sockets"));
        }
        Ok(Map { fd: fd.try_clone_to_owned()?, key_size, value_size })
    }

    /// Sets the value of an entry; if `new`, there must be none with this key.
    ///
    /// # Panics
    ///
    /// If a slice has another length than the map was created for, as in all methods.
    pub(crate) fn put(&self, key: &[u8], value: &[u8], new: bool) -> io::Result<()> {
        let value = self.value(value.len(), value.as_ptr().expose_provenance());
        let flags = if new { NO_EXIST } else { 0 };
        self.call(MAP_UPDATE_ELEM, key, value, flags)
    }

    /// Copies the value of an entry, and removes the entry if `remove`; `false` if there is none. Hash maps can
    /// do both at once since Linux 5.14; the error is `ENOTSUPP` before.
    pub(crate) fn read(&self, key: &[u8], value: &mut [u8], remove: bool) -> io::Result<bool> {
        let command = if remove { MAP_LOOKUP_AND_DELETE_ELEM } else { MAP_LOOKUP_ELEM };
        let value = self.value(value.len(), value.as_mut_ptr().expose_provenance());
        is_there(self.call(command, key, value, 0))
    }

    /// Removes an entry; `false` if there is none.
    #[cfg(feature = "af-xdp")]
    pub(crate) fn remove(&self, key: &[u8]) -> io::Result<bool> {
        is_there(self.call(MAP_DELETE_ELEM, key, 0, 0))
    }

    /// Address of a value of this length.
    fn value(&self, len: usize, address: usize) -> u64 {
        assert_eq!(len, self.value_size as usize, "length of a value");
        address as u64
    }

    /// Runs a command on one entry. `value` is an address that [`value`](Self::value) has checked, or 0 for a
    /// command without a value.
    fn call(&self, command: c_long, key: &[u8], value: u64, flags: u64) -> io::Result<()> {
        assert_eq!(key.len(), self.key_size as usize, "length of a key");
        let key = key.as_ptr().expose_provenance() as u64;
        let element = MapElement { map: self.as_raw_fd(), _pad: 0, key, value, flags };
        call(command, &element).map(drop)
    }
}

fn is_there(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        done => done.map(|()| true),
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Map {
    fn as_raw_fd(&self) -> c_int {
        self.fd.as_raw_fd()
    }
}

#[repr(C)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    entries: u32,
    flags: u32,
}

#[repr(C)]
struct MapElement {
    map: c_int,
    _pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

impl Attributes for MapCreate {}
impl Attributes for MapElement {}

#[cfg(feature = "af-xdp")]
#[repr(C)]
struct GetInfo {
    fd: c_int,
    len: u32,
    info: u64,
}

/// Begin of `struct bpf_map_info`.
#[cfg(feature = "af-xdp")]
#[repr(C)]
#[derive(Default)]
struct MapInfo {
    kind: u32,
    id: u32,
    key_size: u32,
    value_size: u32,
}

#[cfg(feature = "af-xdp")]
impl Attributes for GetInfo {}

const MAP_CREATE: c_long = 0;
const MAP_LOOKUP_ELEM: c_long = 1;
const MAP_UPDATE_ELEM: c_long = 2;
#[cfg(feature = "af-xdp")]
const MAP_DELETE_ELEM: c_long = 3;
#[cfg(feature = "af-xdp")]
const OBJ_GET_INFO_BY_FD: c_long = 15;
const MAP_LOOKUP_AND_DELETE_ELEM: c_long = 21;

const MAP_TYPE_HASH: u32 = 1;
const MAP_TYPE_ARRAY: u32 = 2;
#[cfg(feature = "af-xdp")]
const MAP_TYPE_XSKMAP: u32 = 17;
const NO_PREALLOC: u32 = 1;
const NO_EXIST: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// A map of keys of four bytes and values of eight, which the kernel does not know.
    fn map() -> Map {
        Map { fd: io::pipe().unwrap().0.into(), key_size: 4, value_size: 8 }
    }

    #[test]
    #[should_panic(expected = "length of a value")]
    fn a_short_value_does_not_reach_the_kernel() {
        let _ = map().read(&[0; 4], &mut [0; 7], false);
    }

    #[test]
    #[should_panic(expected = "length of a key")]
    fn a_short_key_does_not_reach_the_kernel() {
        let _ = map().put(&[0; 3], &[0; 8], false);
    }

    #[test]
    #[cfg_attr(miri, ignore = "calls the kernel")]
    fn errors_are_not_taken_for_missing_entries() {
        map().read(&[0; 4], &mut [0; 8], true).unwrap_err();
        map().put(&[0; 4], &[0; 8], true).unwrap_err();
    }

    #[test]
    #[cfg(feature = "af-xdp")]
    #[cfg_attr(miri, ignore = "calls the kernel")]
    fn another_descriptor_is_no_map_of_sockets() {
        Map::from_sockets(map().as_fd()).unwrap_err();
    }
}
