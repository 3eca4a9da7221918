//! What is read in captures and samples, compared with what tshark reads.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "functions of a `Part` have one shape, and some change the row"
)]

use std::process::ExitCode;

use flowscope_testkit::{needs, runner, tests};

use recordings::{infrastructure, mail, sessions, storage, tunnels};

mod capture;
mod exchanges;
mod fields;
mod recordings;
mod smb;
mod tls;
mod web;

fn main() -> ExitCode {
    runner::run([
        runner::group(
            || needs::corpus().and_then(|()| needs::programs(&["tshark"])),
            tests![tls::certificates_and_curves_are_those_of_tshark],
        ),
        runner::group(
            || needs::programs(&["tshark"]),
            tests![
                web::header_fields_are_those_of_tshark,
                web::messages_are_those_of_tshark,
                exchanges::kerberos_is_that_of_tshark,
                exchanges::modbus_is_that_of_tshark,
                exchanges::dnp3_is_that_of_tshark,
                smb::logins_shares_and_files_are_those_of_tshark,
                infrastructure::dns_is_that_of_tshark,
                infrastructure::mdns_is_that_of_tshark,
                infrastructure::nbns_is_that_of_tshark,
                infrastructure::ntp_is_that_of_tshark,
                infrastructure::dhcp_is_that_of_tshark,
                infrastructure::dhcpv6_is_that_of_tshark,
                infrastructure::snmp_is_that_of_tshark,
                infrastructure::radius_is_that_of_tshark,
                mail::smtp_is_that_of_tshark,
                mail::imap_is_that_of_tshark,
                mail::pop3_is_that_of_tshark,
                sessions::http_is_that_of_tshark,
                sessions::ssh_is_that_of_tshark,
                sessions::tls_is_that_of_tshark,
                sessions::dtls_is_that_of_tshark,
                sessions::quic_is_that_of_tshark,
                sessions::sip_is_that_of_tshark,
                sessions::mqtt_is_that_of_tshark,
                sessions::rdp_is_that_of_tshark,
                storage::postgresql_is_that_of_tshark,
                storage::mysql_is_that_of_tshark,
                storage::redis_is_that_of_tshark,
                storage::ldap_is_that_of_tshark,
                storage::ftp_is_that_of_tshark,
                tunnels::socks_is_that_of_tshark,
                tunnels::proxy_is_that_of_tshark,
            ],
        ),
    ])
}
