//! Messages from bytes.

use std::net::Ipv4Addr;

use flowscope_ber::{INTEGER, OID, STRING, Values};

use crate::{SnmpOid, SnmpPdu, SnmpPduKind, SnmpSecurity, SnmpTrap};

/// Names of objects that are kept.
const MAX_VARS: usize = 32;
/// Bytes of a community that are kept.
const MAX_COMMUNITY: usize = 128;
/// Bytes of names of version 3 that are kept; they have no more (RFC 3411 §5).
const MAX_NAME: usize = 32;
/// Bytes of `sysDescr` that are kept; it has no more (RFC 3418 §2).
const MAX_DESCRIPTION: usize = 256;
/// `sysDescr.0`: 1.3.6.1.2.1.1.1.0.
const SYS_DESCR: [u8; 8] = [0x2b, 6, 1, 2, 1, 1, 1, 0];

/// What a message has.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Contents {
    pub(crate) version: u8,
    pub(crate) community: Option<Vec<u8>>,
    pub(crate) security: Option<SnmpSecurity>,
    pub(crate) pdu: Option<SnmpPdu>,
}

/// The message in these bytes: of one that was cut what there is, from the type of its PDU on.
pub(crate) fn contents(bytes: &[u8]) -> Option<Contents> {
    let mut message = Values(bytes).sequence()?;
    match message.i64(INTEGER)? {
        version @ (0 | 1) => {
            let community = Some(kept(message.string()?, MAX_COMMUNITY));
            let version = version as u8 + 1;
            let pdu = Some(pdu(&mut message)?);
            Some(Contents { version, community, security: None, pdu })
        }
        3 => version_3(&mut message),
        _ => None,
    }
}

/// What follows the version (RFC 3412 §6).
fn version_3(message: &mut Values<'_>) -> Option<Contents> {
    let mut header = message.sequence()?;
    let message_id = header.i64(INTEGER)?;
    // "INTEGER (484..2147483647)"
    header.i64(INTEGER).filter(|size| (484..=i64::from(i32::MAX)).contains(size))?;
    let &[flags] = header.string()? else { return None };
    let model = header.i64(INTEGER)?;
    let mut security = SnmpSecurity {
        message_id,
        is_authenticated: flags & 1 != 0,
        is_encrypted: flags & 2 != 0,
        model,
        ..SnmpSecurity::default()
    };
    let parameters = message.string()?;
    if model == 3
        && let Some((engine, user)) = user(parameters)
    {
        security.engine_id = Some(kept(engine, MAX_NAME));
        security.user = Some(kept(user, MAX_NAME));
    }
    let mut pdu = None;
    if security.is_encrypted {
        // Cut off, or a string.
        if message.0.first().is_some_and(|&tag| tag != STRING) {
            return None;
        }
    } else if let Some(mut scoped) = message.sequence() {
        scoped.string()?;
        security.context = Some(kept(scoped.string()?, MAX_NAME));
        pdu = Some(self::pdu(&mut scoped)?);
    }
    Some(Contents { version: 3, community: None, security: Some(security), pdu })
}

/// The authoritative engine and the user (RFC 3414 §2.4).
fn user(parameters: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parameters = Values(parameters).sequence()?;
    let engine = parameters.string()?;
    parameters.i64(INTEGER)?;
    parameters.i64(INTEGER)?;
    Some((engine, parameters.string()?))
}

fn pdu(values: &mut Values<'_>) -> Option<SnmpPdu> {
    let (tag, contents) = values.any().filter(|(tag, _)| matches!(tag, 0xa0..=0xa8))?;
    let mut pdu = SnmpPdu { kind: SnmpPduKind(tag & 0xf), ..SnmpPdu::default() };
    let mut contents = Values(contents);
    if pdu.kind == SnmpPduKind::TRAP_V1 {
        pdu.trap = trap(&mut contents);
    } else {
        pdu.request_id = contents.i64(INTEGER);
        pdu.error_status = contents.i64(INTEGER).unwrap_or(0);
        pdu.error_index = contents.i64(INTEGER).unwrap_or(0);
    }
    let mut vars = contents.sequence().unwrap_or(Values(&[]));
    while let Some(mut var) = vars.sequence() {
        let Some(name) = var.tagged(OID).and_then(SnmpOid::new) else { break };
        pdu.var_count += 1;
        if name.as_bytes() == SYS_DESCR && pdu.description.is_none() {
            pdu.description = var.string().map(|text| kept(text, MAX_DESCRIPTION));
        }
        if pdu.vars.len() < MAX_VARS {
            pdu.vars.push(name);
        }
    }
    Some(pdu)
}

/// What comes before the objects of a trap of version 1 (RFC 1157 §4.1.6).
fn trap(contents: &mut Values<'_>) -> Option<SnmpTrap> {
    const IP_ADDRESS: u8 = 0x40;
    const TIME_TICKS: u8 = 0x43;
    let enterprise = contents.tagged(OID).and_then(SnmpOid::new);
    let agent = <[u8; 4]>::try_from(contents.tagged(IP_ADDRESS)?).ok()?;
    let (generic, specific) = (contents.i64(INTEGER)?, contents.i64(INTEGER)?);
    contents.tagged(TIME_TICKS);
    Some(SnmpTrap { enterprise, agent: Ipv4Addr::from(agent), generic, specific })
}

fn kept(text: &[u8], len: usize) -> Vec<u8> {
    text[..text.len().min(len)].to_vec()
}
