//! The program that counts packets of shunted flows.
//!
//! It runs on every frame, in place of the program that redirects frames to sockets, or of the filter of a
//! packet socket. See `docs/ARCHITECTURE.md` for what it decides.

mod counting;
mod headers;

use super::asm::{Asm, Cond, Label, Op, Src, Width};
use super::layout::KEY;
use crate::sys::bpf::{Instruction, Kind};

use Src::Imm;

/// Descriptors of maps, and what becomes of frames that are not kept back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parts {
    pub(crate) flows: i32,
    pub(crate) total: i32,
    pub(crate) stopped: i32,
    pub(crate) pass: Pass,
}

/// What becomes of a frame that is not kept back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pass {
    /// It goes to the socket of its queue in this map, or to the network stack.
    #[cfg_attr(not(feature = "af-xdp"), expect(dead_code, reason = "made by AF_XDP only"))]
    Redirect { sockets: i32 },
    /// The socket receives at most so many bytes of it.
    Accept { snap_len: u32 },
}

/// The program, of a kind that fits `parts`.
pub(crate) fn assemble(kind: Kind, parts: Parts) -> Vec<Instruction> {
    let mut asm = Asm::default();
    let (pass, freeze) = (asm.label(), asm.label());
    let builder = &mut Builder { asm: &mut asm, kind, pass, freeze };
    builder.headers();
    builder.look_up(parts.flows);
    builder.limits(parts.stopped);
    builder.segment();
    builder.count(parts.total);
    builder.give_back();
    asm.place(pass);
    match parts.pass {
        Pass::Redirect { sockets } => redirect(&mut asm, sockets),
        Pass::Accept { snap_len } => {
            asm.op32(Op::Mov, 0, Imm(snap_len.cast_signed()));
            asm.exit();
        }
    }
    asm.finish()
}

/// Redirects each frame to the socket of its queue in `sockets`, and passes it to the network stack if there is
/// none.
#[cfg(feature = "af-xdp")]
pub(crate) fn redirect_all(sockets: i32) -> Vec<Instruction> {
    let mut asm = Asm::default();
    asm.op(Op::Mov, CTX, Src::Reg(1));
    redirect(&mut asm, sockets);
    asm.finish()
}

fn redirect(asm: &mut Asm, sockets: i32) {
    asm.load(Width::Word, 2, CTX, XDP_RX_QUEUE);
    asm.map(1, sockets);
    asm.op(Op::Mov, 3, Imm(XDP_PASS));
    asm.call(REDIRECT_MAP);
    asm.exit();
}

struct Builder<'a> {
    asm: &'a mut Asm,
    kind: Kind,
    /// Not a packet of a shunted flow, or of one that has come back.
    pass: Label,
    /// A packet with which its flow comes back.
    freeze: Label,
}

/// Registers that keep their value over calls. Until the flow is found, 7 is the offset of the transport header,
/// 8 the protocol and 9 whether the ends are swapped.
const CTX: u8 = 6;
const OWN: u8 = 7;
const VALUE: u8 = 8;
const PEER: u8 = 9;
const FRAME_POINTER: u8 = 10;

/// The stack. A frame header begins where the IP header is aligned.
const KEY_AT: i16 = -(KEY as i16);
const SRC: i16 = KEY_AT;
const DST: i16 = KEY_AT + 16;
const PORTS: i16 = KEY_AT + 32;
const PROTO: i16 = KEY_AT + 36;
const VERSION: i16 = KEY_AT + 37;
const TRANSPORT: i16 = -64;
const FRAME: i16 = -130;
const NET: i16 = FRAME + ETHERNET;
const IP_LEN: i16 = -136;
const FRAME_LEN: i16 = -144;
const PAYLOAD: i16 = -152;
const NOW: i16 = -160;
const HEADERS: i16 = -168;
const TTL: i16 = -176;
const SWAPPED: i16 = -184;
const WINDOW: i16 = -192;

const ETHERNET: i16 = 14;

impl Builder<'_> {
    fn load(&mut self, width: Width, to: u8, at: i16) {
        self.asm.load(width, to, FRAME_POINTER, at);
    }

    fn store(&mut self, width: Width, at: i16, from: u8) {
        self.asm.store(width, FRAME_POINTER, at, from);
    }

    fn back_if(&mut self, cond: Cond, left: u8, right: Src) {
        let freeze = self.freeze;
        self.asm.jump(cond, left, right, freeze);
    }

    fn back_if32(&mut self, cond: Cond, left: u8, right: Src) {
        let freeze = self.freeze;
        self.asm.jump32(cond, left, right, freeze);
    }

    fn pass_if(&mut self, cond: Cond, left: u8, right: Src) {
        let pass = self.pass;
        self.asm.jump(cond, left, right, pass);
    }
}

/// Protocol numbers.
const TCP: i32 = 6;
const UDP: i32 = 17;

/// Helper function of the kernel.
const REDIRECT_MAP: i32 = 51;

/// Offset in the context of an XDP program.
const XDP_RX_QUEUE: i16 = 16;

/// What becomes of a frame that is passed on.
const XDP_PASS: i32 = 2;
