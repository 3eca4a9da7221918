//! Options of DHCP for IPv4: their place in the message and their names.

use super::DhcpDefect;

pub(super) const SUBNET_MASK: u8 = 1;
pub(super) const ROUTER: u8 = 3;
pub(super) const DNS_SERVER: u8 = 6;
pub(super) const HOST_NAME: u8 = 12;
pub(super) const DOMAIN_NAME: u8 = 15;
pub(super) const REQUESTED_ADDRESS: u8 = 50;
pub(super) const LEASE_TIME: u8 = 51;
pub(super) const OVERLOAD: u8 = 52;
pub(super) const MESSAGE_TYPE: u8 = 53;
pub(super) const SERVER_ID: u8 = 54;
pub(super) const PARAMETERS: u8 = 55;
pub(super) const MESSAGE: u8 = 56;
pub(super) const RENEWAL_TIME: u8 = 58;
pub(super) const REBINDING_TIME: u8 = 59;
pub(super) const VENDOR_CLASS: u8 = 60;
pub(super) const CLIENT_ID: u8 = 61;
pub(super) const CLIENT_FQDN: u8 = 81;
pub(super) const RELAY_AGENT: u8 = 82;

/// Those whose data is kept.
const KEPT: &[u8] = &[
    SUBNET_MASK,
    ROUTER,
    DNS_SERVER,
    HOST_NAME,
    DOMAIN_NAME,
    REQUESTED_ADDRESS,
    LEASE_TIME,
    OVERLOAD,
    MESSAGE_TYPE,
    SERVER_ID,
    PARAMETERS,
    MESSAGE,
    RENEWAL_TIME,
    REBINDING_TIME,
    VENDOR_CLASS,
    CLIENT_ID,
    CLIENT_FQDN,
    RELAY_AGENT,
];

const PAD: u8 = 0;
const END: u8 = 255;

/// The options of a message that are kept. Pieces of one option are put together, whichever field they are in
/// (RFC 3396 §7). All of them together are not longer than the message.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Options(Vec<(u8, Vec<u8>)>);

impl Options {
    /// The data of an option.
    pub(super) fn get(&self, code: u8) -> Option<&[u8]> {
        self.0.iter().find(|(kept, _)| *kept == code).map(|(_, data)| &data[..])
    }

    /// The data of an option that is `N` bytes long.
    pub(super) fn exact<const N: usize>(&self, code: u8) -> Option<[u8; N]> {
        self.get(code)?.try_into().ok()
    }

    /// Reads the options of one field, up to the end option or the end of the field.
    pub(super) fn read(&mut self, mut field: &[u8]) -> Result<(), DhcpDefect> {
        while let Some((&code, rest)) = field.split_first() {
            match code {
                PAD => field = rest,
                END => return Ok(()),
                _ => {
                    let (&len, rest) = rest.split_first().ok_or(DhcpDefect::Malformed)?;
                    let data = rest.split_at_checked(usize::from(len));
                    let (data, rest) = data.ok_or(DhcpDefect::Malformed)?;
                    self.keep(code, data);
                    field = rest;
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, code: u8, data: &[u8]) {
        if !KEPT.contains(&code) {
            return;
        }
        match self.0.iter_mut().find(|(kept, _)| *kept == code) {
            Some((_, kept)) => kept.extend_from_slice(data),
            None => self.0.push((code, data.to_vec())),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let data: usize = self.0.iter().map(|(_, data)| data.capacity()).sum();
        self.0.capacity() * size_of::<(u8, Vec<u8>)>() + data
    }
}

/// The name of an option, for lists of what a client asks for; a few of them, as in RFC 2132 and the registry.
pub(super) fn name(code: u8) -> Option<&'static str> {
    Some(match code {
        1 => "subnet_mask",
        2 => "time_offset",
        3 => "router",
        4 => "time_server",
        6 => "dns_server",
        7 => "log_server",
        12 => "hostname",
        13 => "boot_file_size",
        15 => "domain",
        17 => "root_path",
        23 => "default_ttl",
        26 => "interface_mtu",
        28 => "broadcast_address",
        31 => "router_discovery",
        33 => "static_route",
        40 => "nis_domain",
        41 => "nis_server",
        42 => "ntp_server",
        43 => "vendor_specific",
        44 => "netbios_name_server",
        46 => "netbios_node_type",
        47 => "netbios_scope",
        50 => "requested_ip",
        51 => "lease_time",
        54 => "server_id",
        57 => "max_message_size",
        58 => "renewal_time",
        59 => "rebinding_time",
        60 => "vendor_class",
        61 => "client_id",
        66 => "tftp_server",
        67 => "boot_file",
        81 => "client_fqdn",
        95 => "ldap",
        108 => "ipv6_only_preferred",
        114 => "captive_portal",
        119 => "domain_search",
        121 => "classless_static_route",
        252 => "proxy_autodiscovery",
        _ => return None,
    })
}
