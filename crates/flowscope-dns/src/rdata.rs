use std::fmt::{self, Write};

use hickory_proto::rr::rdata::svcb::{SVCB, SvcParamValue};
use hickory_proto::rr::{RData, rdata};

use crate::Record;
use crate::name::write_name;

mod raw;

/// The data of a record in presentation form. Nothing but visible ASCII and spaces comes out.
pub(crate) struct RdataText<'a>(pub(crate) &'a Record);

impl fmt::Display for RdataText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.data {
            RData::A(rdata::A(address)) => write!(f, "{address}"),
            RData::AAAA(rdata::AAAA(address)) => write!(f, "{address}"),
            RData::CNAME(rdata::CNAME(name))
            | RData::NS(rdata::NS(name))
            | RData::PTR(rdata::PTR(name))
            | RData::ANAME(rdata::ANAME(name)) => write_name(f, name),
            RData::MX(mx) => {
                write!(f, "{} ", mx.preference)?;
                write_name(f, &mx.exchange)
            }
            RData::SRV(srv) => {
                write!(f, "{} {} {} ", srv.priority, srv.weight, srv.port)?;
                write_name(f, &srv.target)
            }
            RData::SOA(soa) => write_soa(f, soa),
            RData::TXT(txt) => write_strings(f, &txt.txt_data),
            RData::HINFO(hinfo) => write_strings(f, [&hinfo.cpu, &hinfo.os]),
            RData::NAPTR(naptr) => {
                write!(f, "{} {} ", naptr.order, naptr.preference)?;
                write_strings(f, [&naptr.flags, &naptr.services, &naptr.regexp])?;
                f.write_char(' ')?;
                write_name(f, &naptr.replacement)
            }
            RData::CAA(caa) => {
                let flags = u8::from(caa.issuer_critical) << 7 | caa.reserved_flags;
                write!(f, "{flags} ")?;
                Visible(f).write_str(&caa.tag)?;
                f.write_char(' ')?;
                write_strings(f, [&caa.value])
            }
            RData::SVCB(svcb) | RData::HTTPS(rdata::HTTPS(svcb)) => write_svcb(f, svcb),
            RData::Update0(_) => f.write_str("\\# 0"),
            RData::NULL(data) | RData::Unknown { rdata: data, .. } => {
                if let Some(text) = raw::text(self.0.rtype, &data.anything) {
                    return f.write_str(&text);
                }
                write!(f, "\\# {} ", data.anything.len())?;
                data.anything.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
            // Numbers, hexadecimal and base64, by the library.
            other => write!(Visible(f), "{other}"),
        }
    }
}

fn write_soa(f: &mut fmt::Formatter<'_>, soa: &rdata::SOA) -> fmt::Result {
    write_name(f, &soa.mname)?;
    f.write_char(' ')?;
    write_name(f, &soa.rname)?;
    // Unsigned on the wire (RFC 1035 §3.3.13), signed in the library.
    let [refresh, retry, expire] = [soa.refresh, soa.retry, soa.expire].map(i32::cast_unsigned);
    write!(f, " {} {refresh} {retry} {expire} {}", soa.serial, soa.minimum)
}

fn write_svcb(f: &mut fmt::Formatter<'_>, svcb: &SVCB) -> fmt::Result {
    write!(f, "{} ", svcb.svc_priority)?;
    write_name(f, &svcb.target_name)?;
    for (key, value) in &svcb.svc_params {
        write!(f, " {key}")?;
        match value {
            SvcParamValue::NoDefaultAlpn => {}
            SvcParamValue::Unknown(unknown) => {
                f.write_char('=')?;
                write_strings(f, [&unknown.0])?;
            }
            // The library ends lists with a comma.
            known => write!(Visible(f), "={}", known.to_string().trim_end_matches(','))?,
        }
    }
    Ok(())
}

/// Strings in quotes, with the escapes of RFC 1035 §5.1.
fn write_strings<S: AsRef<[u8]>>(
    f: &mut dyn Write,
    strings: impl IntoIterator<Item = S>,
) -> fmt::Result {
    for (index, string) in strings.into_iter().enumerate() {
        f.write_str(if index == 0 { "\"" } else { " \"" })?;
        for &byte in string.as_ref() {
            match byte {
                b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                b' '..=b'~' => f.write_char(char::from(byte))?,
                _ => write!(f, "\\{byte:03}")?,
            }
        }
        f.write_char('"')?;
    }
    Ok(())
}

/// Escapes what is no visible ASCII, as [`write_strings`] does, in text that is formatted already.
struct Visible<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Visible<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            match byte {
                b' '..=b'~' => self.0.write_char(char::from(byte))?,
                _ => write!(self.0, "\\{byte:03}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
