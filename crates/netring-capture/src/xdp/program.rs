use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::shunt::{Pass, redirect_all};
use crate::sys::bpf::{self, Kind, Map, xdp};
use crate::{AfXdpConfig, CaptureError, Interface, ShuntMap, XdpMode};

/// Map through which an XDP program finds the sockets, and the program if this capture attached it.
///
/// That program is detached with the last capture that shares it, or when the process ends.
#[derive(Debug)]
pub(super) struct Program {
    map: Map,
    shunt: Option<ShuntMap>,
    /// Mode in which the program runs, and the descriptor that keeps it attached.
    attached: Option<(XdpMode, OwnedFd)>,
}

impl Program {
    /// Attaches the program, which passes all frames on while there are no sockets; or uses the
    /// given map.
    pub(super) fn open(
        interface: &Interface,
        config: &AfXdpConfig,
        queues: &[u32],
    ) -> Result<Self, CaptureError> {
        let failed = |doing| move |source| CaptureError::of_xdp(doing, source);
        if let Some(map) = &config.map {
            if config.shunt.is_some() {
                return Err(CaptureError::NoShunt {
                    reason: "the program of a given socket map is not this capture's; leave socket_map out",
                });
            }
            let map =
                Map::from_sockets(map.as_fd()).map_err(failed("use the given map of sockets"))?;
            return Ok(Program { map, shunt: None, attached: None });
        }
        let last = queues.iter().max().map_or(0, |last| last.saturating_add(1));
        let entries = last.max(interface.rx_queues);
        let map = Map::sockets(entries).map_err(failed("create a map of sockets"))?;
        let kind = Kind::Xdp { multi_buffer: config.multi_buffer };
        let sockets = map.as_raw_fd();
        let mut shunt = None;
        let program = match config.shunt {
            Some(flows) => {
                let refused = |source| match failed("count flows")(source) {
                    CaptureError::System { source, .. } => CaptureError::ShuntRefused { source },
                    denied => denied,
                };
                let flows = ShuntMap::new(flows).map_err(refused)?;
                let code = flows.program(kind, Pass::Redirect { sockets });
                shunt = Some(flows);
                bpf::load(kind, &code, b"flowscope_shunt\0").map_err(refused)?
            }
            None => bpf::load(kind, &redirect_all(sockets), b"flowscope_xsk\0\0\0")
                .map_err(failed("load an XDP program"))?,
        };
        let attach = |native| xdp::attach(program.as_fd(), interface.index, native);
        let attached = match config.mode {
            XdpMode::Native => attach(true).map(|link| (XdpMode::Native, link)),
            XdpMode::Generic => attach(false).map(|link| (XdpMode::Generic, link)),
            XdpMode::Auto => match attach(true) {
                Err(error) if is_refusal(&error) => {
                    attach(false).map(|link| (XdpMode::Generic, link))
                }
                native => native.map(|link| (XdpMode::Native, link)),
            },
        };
        let attached = attached.map_err(|source| why_not(interface, config, source))?;
        Ok(Program { map, shunt, attached: Some(attached) })
    }

    /// Mode of the attached program; `None` with a given map.
    pub(super) fn mode(&self) -> Option<XdpMode> {
        self.attached.as_ref().map(|(mode, _)| *mode)
    }

    /// The map of flows that the program counts.
    pub(super) fn shunt(&self) -> Option<&ShuntMap> {
        self.shunt.as_ref()
    }

    /// The map.
    pub(super) fn map(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }

    /// Redirects the frames of a queue to a socket.
    pub(super) fn put(&self, queue: u32, socket: BorrowedFd<'_>) -> Result<(), CaptureError> {
        let socket = socket.as_raw_fd().to_ne_bytes();
        self.map
            .put(&queue.to_ne_bytes(), &socket, false)
            .map_err(|source| CaptureError::of_xdp("put a socket into the map", source))
    }

    /// Passes the frames of a queue to the network stack, if they are redirected.
    pub(super) fn remove(&self, queue: u32) -> Result<(), CaptureError> {
        self.map
            .remove(&queue.to_ne_bytes())
            .map(drop)
            .map_err(|source| CaptureError::of_xdp("remove a socket from the map", source))
    }
}

/// Whether the driver refuses a program, rather than attaching being impossible.
fn is_refusal(error: &io::Error) -> bool {
    !matches!(
        error.raw_os_error(),
        Some(libc::EBUSY | libc::EEXIST | libc::EPERM | libc::EACCES | libc::ENODEV)
    )
}

fn why_not(interface: &Interface, config: &AfXdpConfig, source: io::Error) -> CaptureError {
    let name = interface.name.clone();
    match source.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => CaptureError::ProgramAttached { interface: name },
        Some(libc::ENODEV) => CaptureError::NoSuchInterface { interface: name },
        Some(libc::EPERM | libc::EACCES) => CaptureError::of_xdp("attach an XDP program", source),
        _ => {
            let (what, advice) = match config.mode {
                XdpMode::Native => ("XDP in its driver", "ask for XdpMode::Auto"),
                _ => ("XDP", "use AF_PACKET"),
            };
            CaptureError::Unsupported { interface: name, what, advice, source }
        }
    }
}
