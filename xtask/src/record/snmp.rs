//! SNMP: Net-SNMP at both ends.

use super::capture::Stamps;
use super::lab::{DIR, Lab};
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "snmp.pcap",
    holds: "SNMP: requests of versions 1, 2c and 3, authenticated and encrypted, objects that are not there or may not be \
            written, a community that is wrong, traps, and a notification that is acknowledged.",
    stamps: Stamps::Micro,
    make: objects,
    then: Then::Keep,
    expected: &[
        ("snmp.version == 0", 5),
        ("snmp.version == 1", 11),
        ("snmp.msgVersion == 3", 8),
        ("snmp.error_status == 2", 1),
        ("snmp.error_status == 6", 1),
        ("snmp.encryptedPDU", 2),
        ("snmp.generic_trap", 1),
    ],
}];

const SERVER: &str = "\
rwcommunity private
rocommunity public
createUser alice SHA wonderland AES looking-glass
rouser alice auth
sysDescr Laboratory
sysName lab
";

fn objects(lab: &mut Lab) -> Result<()> {
    lab.file("snmpd.conf", SERVER)?;
    let here = |folder: &str| {
        format!("env MIBS= SNMPCONFPATH={DIR}/none SNMP_PERSISTENT_DIR={DIR}/{folder}")
    };
    lab.server(
        "udp/161",
        &format!("{} snmpd -f -r -C -c snmpd.conf -Lo udp:10.77.0.2:161", here("agent")),
    )?;
    lab.server(
        "udp/162",
        &format!(
            "{} snmptrapd -f -n -C --disableAuthorization=yes -Lo udp:10.77.0.2:162",
            here("traps")
        ),
    )?;
    let user = "-v 3 -u alice -a SHA -A wonderland";
    let system = "1.3.6.1.2.1.1";
    for line in [
        format!("snmpget -v 1 -c public 10.77.0.2 {system}.1.0 {system}.3.0"),
        format!("! snmpget -v 1 -c public 10.77.0.2 {system}.99.0"),
        format!("snmpgetnext -v 2c -c public 10.77.0.2 {system}"),
        format!("snmpbulkget -v 2c -c public -Cn1 -Cr4 10.77.0.2 {system}.3 {system}.9"),
        format!("snmpset -v 2c -c private 10.77.0.2 {system}.6.0 s shelf"),
        format!("! snmpset -v 2c -c public 10.77.0.2 {system}.6.0 s shelf"),
        format!("! snmpget -r 0 -t 1 -v 2c -c guess 10.77.0.2 {system}.5.0"),
        format!("snmpget {user} -l authNoPriv 10.77.0.2 {system}.5.0"),
        format!("snmpget {user} -l authPriv -x AES -X looking-glass 10.77.0.2 {system}.5.0"),
        "snmptrap -v 1 -c public 10.77.0.2 1.3.6.1.4.1.8072.2.3 10.77.0.1 6 17 '' 1.3.6.1.4.1.8072.2.3.2.1 i 123456".to_owned(),
        "snmptrap -v 2c -c public 10.77.0.2 '' 1.3.6.1.6.3.1.1.5.3 1.3.6.1.2.1.2.2.1.1.2 i 2".to_owned(),
        "snmpinform -v 2c -c public 10.77.0.2 '' 1.3.6.1.6.3.1.1.5.4 1.3.6.1.2.1.2.2.1.1.2 i 2".to_owned(),
    ] {
        let (not, line) = line.strip_prefix("! ").map_or(("", &*line), |line| ("! ", line));
        lab.client(&format!("{not}{} {line}", here("client")))?;
    }
    Ok(())
}
