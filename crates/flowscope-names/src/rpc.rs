//! Calls of ONC RPC (RFC 5531 §9).

use crate::answer::Answer;

use crate::shape::Byte::{self, Any, From, Is};
use crate::shape::{be, header, sure_if};

/// Of the network file system.
const NFS: usize = 100_003;

/// A call of version 2 of the protocol, to a program of the range that is assigned.
const CALL: [Byte; 16] = [
    Any,
    Any,
    Any,
    Any,
    Is(0),
    Is(0),
    Is(0),
    Is(0),
    Is(0),
    Is(0),
    Is(0),
    Is(2),
    Is(0),
    From(1, 9),
    Any,
    Any,
];

fn is_nfs(call: &[u8]) -> bool {
    be(call, 12, 4) == NFS
}

/// Calls of the network file system over UDP.
pub(crate) fn nfs(bytes: &[u8], _: usize) -> Answer {
    header(bytes, &CALL, |call| sure_if(is_nfs(call)))
}

/// Calls of other programs over UDP: the portmapper, mount and the like.
pub(crate) fn sunrpc(bytes: &[u8], _: usize) -> Answer {
    header(bytes, &CALL, |call| sure_if(!is_nfs(call)))
}

/// The same over TCP, behind the mark of the last fragment of a record and its length.
fn behind_mark(start: &[u8], program: impl FnOnce(&[u8]) -> bool) -> Answer {
    let mut shape = [Any; 20];
    shape[..2].copy_from_slice(&[Is(0x80), From(0, 16)]);
    shape[4..].copy_from_slice(&CALL);
    header(start, &shape, |start| sure_if(be(start, 2, 2) >= 40 && program(&start[4..])))
}

/// Calls of the network file system over TCP.
pub(crate) fn nfs_stream(start: &[u8]) -> Answer {
    behind_mark(start, is_nfs)
}

/// Calls of other programs over TCP.
pub(crate) fn sunrpc_stream(start: &[u8]) -> Answer {
    behind_mark(start, |call| !is_nfs(call))
}
