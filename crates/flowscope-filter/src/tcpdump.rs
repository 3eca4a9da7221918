use std::fmt;

use flowscope_core::LinkType;
use pcap::{BpfProgram, Capture, Linktype};

use crate::op;
use crate::program::{Instruction, Program, ProgramError};

/// Compilation of tcpdump expressions by libpcap (feature `libpcap`).
impl Program {
    /// Compiles an expression for capture files of a link type. The program keeps at most `snap_len` bytes of
    /// matching packets.
    ///
    /// The program looks for VLAN tags in the frame. It is therefore wrong for frames that a tag
    /// was taken out of, as AF_PACKET does: on such a socket `vlan 100` misses the frames with
    /// that one tag, and takes those of which it is the inner one. For a live interface there is
    /// [`compile_for_interface`](Program::compile_for_interface).
    ///
    /// # Errors
    ///
    /// [`TcpdumpError`], with libpcap's words. `protochain` is one: its program goes round in
    /// circles, which neither this crate nor Linux runs.
    pub fn compile_tcpdump(
        expr: &str,
        link: LinkType,
        snap_len: u32,
    ) -> Result<Program, TcpdumpError> {
        let capture = Capture::dead(linktype(link)).map_err(TcpdumpError::open)?;
        let compiled = capture.compile(expr, true).map_err(TcpdumpError::expression)?;
        program(&compiled, snap_len)
    }

    /// Compiles an expression for a socket on a live interface, with its link type and, in terms
    /// about VLANs, the ancillary loads that find a tag which the kernel took out. Packets that it
    /// means are kept whole. On frames with the tag in them, as AF_XDP and files have it, the
    /// program is right as well.
    ///
    /// libpcap has to open the interface for that, which takes the privilege to capture on it. An
    /// expression without `vlan` is compiled the same by
    /// [`compile_tcpdump`](Program::compile_tcpdump), which takes none.
    ///
    /// # Errors
    ///
    /// [`TcpdumpError`], with libpcap's words.
    pub fn compile_for_interface(expr: &str, interface: &str) -> Result<Program, TcpdumpError> {
        let capture = Capture::from_device(interface)
            .map_err(TcpdumpError::open)?
            .promisc(false)
            .open()
            .map_err(TcpdumpError::open)?;
        let compiled = capture.compile(expr, true).map_err(TcpdumpError::expression)?;
        program(&compiled, u32::MAX)
    }
}

/// Error of libpcap compiling an expression.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TcpdumpError {
    /// The interface cannot be opened.
    Open(String),
    /// libpcap rejects the expression, with this message.
    Expression(String),
    /// libpcap compiled a program that this crate cannot run.
    Program(ProgramError),
}

impl TcpdumpError {
    #[expect(clippy::needless_pass_by_value, reason = "the shape of `map_err`")]
    fn open(error: pcap::Error) -> Self {
        Self::Open(words(&error))
    }

    #[expect(clippy::needless_pass_by_value, reason = "the shape of `map_err`")]
    fn expression(error: pcap::Error) -> Self {
        Self::Expression(words(&error))
    }
}

impl fmt::Display for TcpdumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(words) => write!(f, "libpcap cannot open the interface: {words}"),
            Self::Expression(words) => write!(f, "libpcap does not take the filter: {words}"),
            Self::Program(error) => write!(f, "libpcap compiled a filter that cannot run: {error}"),
        }
    }
}

impl std::error::Error for TcpdumpError {}

/// Whether libpcap takes an expression for one of the link types that captures have most.
pub(crate) fn check(expr: &str) -> Result<(), TcpdumpError> {
    let ethernet = Program::compile_tcpdump(expr, LinkType::ETHERNET, u32::MAX);
    let others = [LinkType::IEEE802_11_RADIOTAP, LinkType::LINUX_SLL2, LinkType::RAW];
    match ethernet {
        Err(_)
            if others
                .iter()
                .any(|link| Program::compile_tcpdump(expr, *link, u32::MAX).is_ok()) =>
        {
            Ok(())
        }
        other => other.map(|_| ()),
    }
}

fn words(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(words) => words.clone(),
        other => other.to_string(),
    }
}

/// As libpcap numbers them on this platform: all link types below 50 and above 104 have the number
/// that files have; raw IP has not.
fn linktype(link: LinkType) -> Linktype {
    match link {
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => {
            Linktype(if cfg!(target_os = "openbsd") { 14 } else { 12 })
        }
        LinkType(other) => Linktype(other.into()),
    }
}

/// libpcap lends its instructions as opaque ones that print themselves.
fn program(compiled: &BpfProgram, snap_len: u32) -> Result<Program, TcpdumpError> {
    let instructions: Option<Vec<Instruction>> = compiled
        .get_instructions()
        .iter()
        .map(|instruction| {
            let line = instruction.to_string();
            let mut numbers = line.split(' ').map(str::parse::<u32>);
            let mut number = || numbers.next()?.ok();
            let (code, jt, jf, k) = (number()?, number()?, number()?, number()?);
            let code = u16::try_from(code).ok()?;
            let k = if code == op::RET_K && k != 0 { snap_len } else { k };
            Some(Instruction::new(code, jt.try_into().ok()?, jf.try_into().ok()?, k))
        })
        .collect();
    Program::new(instructions.unwrap_or_default()).map_err(TcpdumpError::Program)
}
