use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::decimal;

/// Appends an address: what it displays as, at a fraction of the cost.
pub(crate) fn write(addr: IpAddr, out: &mut Vec<u8>) {
    match addr {
        IpAddr::V4(addr) => write_v4(addr, out),
        IpAddr::V6(addr) => match addr.to_ipv4_mapped() {
            Some(inner) => {
                out.extend_from_slice(b"::ffff:");
                write_v4(inner, out);
            }
            None => write_v6(addr, out),
        },
    }
}

fn write_v4(addr: Ipv4Addr, out: &mut Vec<u8>) {
    let [first, rest @ ..] = addr.octets();
    decimal::write_byte(first, out);
    for octet in rest {
        out.push(b'.');
        decimal::write_byte(octet, out);
    }
}

/// RFC 5952 §4: no zeros in front, the first of the longest runs of zero fields as `::`, if it has two.
fn write_v6(addr: Ipv6Addr, out: &mut Vec<u8>) {
    let fields = addr.segments();
    let (mut run, mut longest) = (0, 0..0);
    for (at, field) in fields.into_iter().enumerate() {
        run = if field == 0 { run + 1 } else { 0 };
        if run > longest.len() {
            longest = at + 1 - run..at + 1;
        }
    }
    if longest.len() < 2 {
        return write_fields(&fields, out);
    }
    write_fields(&fields[..longest.start], out);
    out.extend_from_slice(b"::");
    write_fields(&fields[longest.end..], out);
}

fn write_fields(fields: &[u16], out: &mut Vec<u8>) {
    for (at, field) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b':');
        }
        for shift in [12, 8, 4, 0] {
            if shift == 0 || field >> shift != 0 {
                out.push(b"0123456789abcdef"[usize::from(field >> shift & 15)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addr: impl Into<IpAddr>) {
        let addr = addr.into();
        let mut out = Vec::new();
        write(addr, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), addr.to_string());
    }

    #[test]
    fn addresses_of_version_4_are_as_displayed() {
        for octet in 0..=u8::MAX {
            check([octet, 0, 255 - octet, octet / 3]);
        }
    }

    /// Each field is 0 or one of these, in every combination.
    #[test]
    fn addresses_of_version_6_are_as_displayed() {
        for value in [1, 0xa, 0x10, 0xfff, 0x1000, 0xffff] {
            for fields in 0..=u8::MAX {
                check(std::array::from_fn::<u16, 8, _>(|at| {
                    if fields >> at & 1 == 1 { value } else { 0 }
                }));
            }
        }
        check(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_mapped());
        check(Ipv4Addr::new(192, 0, 2, 1).to_ipv6_compatible());
        check([0, 0, 0, 0, 0, 0xffff, 0, 0]);
    }
}
