//! SIP: SIPp at both ends.

use super::capture::Stamps;
use super::lab::Lab;
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "sip.pcap",
    holds: "SIP: a call over UDP, one over TCP, each with its answer and its end, and a registration.",
    stamps: Stamps::Micro,
    make: calls,
    then: Then::Keep,
    expected: &[
        ("sip.Method == \"INVITE\"", 2),
        ("sip.Method == \"ACK\"", 2),
        ("sip.Method == \"BYE\"", 2),
        ("sip.Method == \"REGISTER\"", 1),
        ("sip.Status-Code == 180", 2),
        ("sip.Status-Code == 200", 5),
        ("sdp", 4),
    ],
}];

const REGISTRAR: &str = "\
<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>
<scenario name=\"registrar\">
<recv request=\"REGISTER\"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=[call_number]
[last_Call-ID:]
[last_CSeq:]
[last_Contact:];expires=3600
Server: registrar
Content-Length: 0

]]></send>
</scenario>
";

const REGISTER: &str = "\
<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>
<scenario name=\"register\">
<send retrans=\"500\"><![CDATA[
REGISTER sip:lab.test SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:alice@lab.test>;tag=[call_number]
To: <sip:alice@lab.test>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:alice@[local_ip]:[local_port]>
Max-Forwards: 70
Expires: 3600
User-Agent: desk
Content-Length: 0

]]></send>
<recv response=\"200\"/>
</scenario>
";

fn calls(lab: &mut Lab) -> Result<()> {
    lab.file("registrar.xml", REGISTRAR)?;
    lab.file("register.xml", REGISTER)?;
    let server =
        |scenario: &str, port: u16| format!("sipp {scenario} -i 10.77.0.2 -p {port} -nostdin");
    let client = |scenario: &str, port: u16| {
        format!("sipp {scenario} -i 10.77.0.1 -p 5060 -m 1 -nostdin 10.77.0.2:{port}")
    };
    lab.server("udp/5060", &server("-sn uas", 5060))?;
    lab.server("tcp/5061", &server("-sn uas -t t1", 5061))?;
    lab.server("udp/5062", &server("-sf registrar.xml", 5062))?;
    lab.client(&client("-sn uac -d 200", 5060))?;
    lab.client(&client("-sn uac -t t1", 5061))?;
    lab.client(&client("-sf register.xml", 5062))
}
