//! LDAP: OpenLDAP at both ends.

use super::capture::Stamps;
use super::lab::{DIR, End, Lab};
use super::{Recipe, Then, tls};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "ldap.pcap",
    holds: "LDAP: searches, one of them below an entry that is not there, a login with a wrong password and one with the right \
            one, an entry that is added, changed, compared, renamed and deleted, and StartTLS.",
    stamps: Stamps::Micro,
    make: directory,
    then: Then::Keep,
    expected: &[
        ("ldap.bindRequest_element", 10),
        ("ldap.searchRequest_element", 3),
        ("ldap.resultCode == 32", 1),
        ("ldap.resultCode == 49", 1),
        ("ldap.modifyRequest_element", 1),
        ("ldap.requestName == \"1.3.6.1.4.1.1466.20037\"", 1),
    ],
}];

const PEOPLE: &str = "\
dn: dc=lab,dc=test
objectClass: dcObject
objectClass: organization
o: Lab
dc: lab

dn: ou=people,dc=lab,dc=test
objectClass: organizationalUnit
ou: people

dn: uid=alice,ou=people,dc=lab,dc=test
objectClass: inetOrgPerson
uid: alice
cn: Alice
sn: Adams
mail: alice@lab.test
userPassword: wonder

dn: uid=bob,ou=people,dc=lab,dc=test
objectClass: inetOrgPerson
uid: bob
cn: Bob
sn: Brown
";

/// Serves [`PEOPLE`] on port 389.
fn serve(lab: &mut Lab) -> Result<()> {
    tls::certificate(lab)?;
    let schemas = ["core", "cosine", "inetorgperson"];
    let conf = [
        schemas.map(|name| format!("include /etc/ldap/schema/{name}.schema\n")).concat(),
        "modulepath /usr/lib/ldap\nmoduleload back_mdb\n".to_owned(),
        format!("pidfile {DIR}/slapd.pid\nargsfile {DIR}/slapd.args\n"),
        format!("TLSCertificateFile {DIR}/cert.pem\nTLSCertificateKeyFile {DIR}/key.pem\n"),
        "database mdb\nsuffix dc=lab,dc=test\nrootdn cn=admin,dc=lab,dc=test\nrootpw sesame\n"
            .to_owned(),
        format!("directory {DIR}/directory\n"),
    ];
    lab.file("slapd.conf", &conf.concat())?;
    lab.file("people.ldif", PEOPLE)?;
    lab.prepare(End::Server, "mkdir directory; slapadd -f slapd.conf -l people.ldif")?;
    lab.server("tcp/389", "slapd -d 0 -f slapd.conf -h ldap://10.77.0.2")
}

fn directory(lab: &mut Lab) -> Result<()> {
    serve(lab)?;
    let people = "ou=people,dc=lab,dc=test";
    let carol = format!("uid=carol,{people}");
    let person = "objectClass: inetOrgPerson\nuid: carol\ncn: Carol\nsn: Clark\n";
    lab.file("new.ldif", &format!("dn: {carol}\n{person}"))?;
    lab.file(
        "change.ldif",
        &format!("dn: {carol}\nchangetype: modify\nreplace: sn\nsn: Cooper\n"),
    )?;
    let anyone = "-x -H ldap://10.77.0.2";
    let admin = format!("{anyone} -D cn=admin,dc=lab,dc=test -w sesame");
    let filter = "(&(objectClass=inetOrgPerson)(|(uid=a*)(sn>=B)(!(mail=*))))";
    for line in [
        format!("ldapsearch {anyone} -b dc=lab,dc=test '{filter}' cn mail"),
        format!("ldapsearch {anyone} -b {people} -s one -z 1 '(cn~=alice)'"),
        format!("! ldapsearch {anyone} -b ou=none,dc=lab,dc=test -s base"),
        format!("! ldapwhoami {anyone} -D uid=alice,{people} -w wrong"),
        format!("ldapwhoami {anyone} -D uid=alice,{people} -w wonder"),
        format!("ldapadd {admin} -f new.ldif"),
        format!("ldapmodify {admin} -f change.ldif"),
        // It ends with the code of the result, which is not zero for a comparison that holds.
        format!("! ldapcompare {admin} {carol} sn:Cooper"),
        format!("ldapmodrdn {admin} -r {carol} uid=caroline"),
        format!("ldapdelete {admin} uid=caroline,{people}"),
        format!("LDAPTLS_REQCERT=never ldapwhoami {admin} -ZZ"),
    ] {
        lab.client(&line)?;
    }
    Ok(())
}
