//! Kerberos: the KDC of MIT krb5 and its clients.

use super::capture::Stamps;
use super::lab::{End, Lab};
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "krb5.pcap",
    holds: "Kerberos over UDP and TCP: logins, one of them with a wrong password and one of nobody, tickets for services, \
            one of which has a weak key and one of which is unknown, and a ticket that is renewed.",
    stamps: Stamps::Micro,
    make: tickets,
    then: Then::Keep,
    expected: &[
        ("kerberos.msg_type == 10", 7),
        ("kerberos.msg_type == 13", 4),
        ("kerberos.error_code == 6", 1),
        ("kerberos.error_code == 7", 1),
        ("kerberos.error_code == 24", 1),
        ("kerberos.error_code == 25", 3),
        ("tcp.port == 88 && kerberos", 6),
    ],
}];

/// Datagrams up to the limit are UDP's, longer ones TCP's.
const CLIENT: &str = "\
[libdefaults]
  default_realm = LAB.TEST
  dns_lookup_kdc = false
  rdns = false
  dns_canonicalize_hostname = false
  allow_weak_crypto = true
  udp_preference_limit = LIMIT
[realms]
  LAB.TEST = {
    kdc = 10.77.0.2
  }
";

const KDC: &str = "\
[realms]
  LAB.TEST = {
    database_name = principals
    key_stash_file = stash
    max_renewable_life = 7d
    supported_enctypes = aes256-cts:normal aes128-cts:normal arcfour-hmac:normal
    default_principal_flags = +preauth
  }
";

const KADMIN: &str = "KRB5_CONFIG=udp.conf KRB5_KDC_PROFILE=kdc.conf kadmin.local";

fn tickets(lab: &mut Lab) -> Result<()> {
    lab.file("kdc.conf", KDC)?;
    lab.file("udp.conf", &CLIENT.replace("LIMIT", "1400"))?;
    lab.file("tcp.conf", &CLIENT.replace("LIMIT", "1"))?;
    lab.prepare(
        End::Server,
        "KRB5_CONFIG=udp.conf KRB5_KDC_PROFILE=kdc.conf kdb5_util create -s -P master",
    )?;
    for principal in [
        "-pw sesame alice",
        "-randkey host/web.lab.test",
        "-randkey -e arcfour-hmac:normal host/old.lab.test",
    ] {
        lab.prepare(End::Server, &format!("{KADMIN} -q 'addprinc {principal}'"))?;
    }
    lab.server("udp/88", "env KRB5_CONFIG=udp.conf KRB5_KDC_PROFILE=kdc.conf krb5kdc -n")?;
    let udp = "export KRB5_CONFIG=udp.conf KRB5CCNAME=tickets;";
    lab.client(&format!("{udp} echo sesame | kinit -r 2d alice"))?;
    lab.client(&format!("{udp} kvno host/web.lab.test host/old.lab.test"))?;
    lab.client(&format!("{udp} ! kvno host/none.lab.test"))?;
    lab.client(&format!("{udp} kinit -R"))?;
    lab.client(&format!("{udp} ! echo simsim | kinit alice"))?;
    lab.client(&format!("{udp} ! echo sesame | kinit mallory"))?;
    let tcp = "export KRB5_CONFIG=tcp.conf KRB5CCNAME=others;";
    lab.client(&format!("{tcp} echo sesame | kinit alice; kvno host/web.lab.test"))
}
