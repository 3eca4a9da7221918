//! MQTT: mosquitto and its clients.

use super::capture::Stamps;
use super::lab::{DIR, End, Lab};
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "mqtt.pcap",
    holds: "MQTT 3.1, 3.1.1 and 5.0: publications of each quality of service, one of them retained, a will, subscriptions, and \
            clients with a wrong password.",
    stamps: Stamps::Micro,
    make: topics,
    then: Then::Keep,
    expected: &[
        ("mqtt.msgtype == 1", 8),
        ("mqtt.msgtype == 3", 6),
        ("mqtt.msgtype == 7", 3),
        ("mqtt.msgtype == 8", 2),
        ("mqtt.msgtype == 10", 1),
        ("mqtt.ver == 3", 1),
        ("mqtt.ver == 5", 4),
        ("mqtt.conack.val == 5", 1),
    ],
}];

fn topics(lab: &mut Lab) -> Result<()> {
    lab.file(
        "mosquitto.conf",
        &format!("listener 1883 10.77.0.2\nallow_anonymous false\npassword_file {DIR}/users\n"),
    )?;
    lab.prepare(End::Server, "mosquitto_passwd -b -c users sensor secret")?;
    lab.server("tcp/1883", "mosquitto -c mosquitto.conf")?;
    let user = "-h 10.77.0.2 -u sensor -P secret";
    let guest = "-h 10.77.0.2 -u sensor -P wrong";
    for line in [
        format!("mosquitto_pub {user} -V mqttv311 -i meter -t lab/power -m 17 -q 0 -r"),
        format!(
            "mosquitto_pub {user} -V mqttv5 -i clock -t lab/time -m noon -q 1 --will-topic lab/gone --will-payload clock"
        ),
        format!("mosquitto_pub {user} -V mqttv31 -i scale -t lab/weight -m heavy -q 2"),
        format!("! mosquitto_pub {guest} -V mqttv311 -i guest -t lab/none -m nothing"),
        format!("! mosquitto_pub {guest} -V mqttv5 -i guest -t lab/none -m nothing"),
        format!(
            "mosquitto_sub {user} -V mqttv5 -i reader -t lab/power -t lab/+ -q 1 -U lab/none -C 1"
        ),
        format!(
            "mosquitto_sub {user} -V mqttv311 -i screen -t lab/doors/+ -q 2 -C 2 & sleep 0.5; \
             for door in front back; do mosquitto_pub {user} -V mqttv5 -i $door -t lab/doors/$door -m open -q 2; done; wait"
        ),
    ] {
        lab.client(&line)?;
    }
    Ok(())
}
