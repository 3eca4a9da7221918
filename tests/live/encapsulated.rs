//! VXLAN that the kernel makes, and frames with VLAN tags.

use flowscope::core::FlowSide::{Initiator, Responder};
use flowscope_testkit::Dialogue;

use crate::capture::watch;
use crate::compare::{agree, checksums, ended, packets, said};
use crate::traffic;
use crate::web::HTTP;
use crate::world::{End, in_world};

pub(crate) fn http_in_a_vxlan_tunnel() {
    in_world(concat!(module_path!(), "::http_in_a_vxlan_tunnel"), |world| {
        for (end, device, own, other) in [(End::Far, "va", 1, 2), (End::Near, "vb", 2, 1)] {
            end.run(&format!(
                "ip link add vx address 02:00:00:00:78:0{own} type vxlan id 42 \
                     local 10.77.0.{own} remote 10.77.0.{other} dstport 4789 dev {device}
                 ip addr add 10.78.0.{own}/24 dev vx
                 ip link set vx up
                 ip neigh replace 10.78.0.{other} lladdr 02:00:00:00:78:0{other} dev vx nud permanent"
            ));
        }
        traffic::web_server(world);
        let watched = watch(world, || {
            traffic::http("10.78.0.2");
            traffic::ping("10.78.0.2");
        });
        agree(&watched);
        assert_eq!(said(&watched.sessions.events), HTTP);
        let mut flows = vec!["vxlan 42, icmp 10.78.0.2 Shutdown"];
        flows.extend(["vxlan 42, tcp 10.78.0.2:80 Fin"; 4]);
        assert_eq!(ended(&watched.flows.events), flows);
        let sums = checksums(&watched.file);
        assert!(sums.offloaded > 0 && sums.bad == 0, "{sums:?}");
    });
}

pub(crate) fn tags_of_vlans_one_and_two_deep() {
    const CUSTOMER: [u8; 4] = [0x81, 0, 0x60, 100];
    const SERVICE: [u8; 4] = [0x88, 0xa8, 0, 200];
    in_world(concat!(module_path!(), "::tags_of_vlans_one_and_two_deep"), |world| {
        let ends = [world.raw(End::Far), world.raw(End::Near)];
        let mut frames = Vec::new();
        for (client, tags) in [
            ("10.9.0.1:40001", &[][..]),
            ("10.9.0.1:40002", &[CUSTOMER]),
            ("10.9.0.1:40003", &[SERVICE, CUSTOMER]),
        ] {
            let script = Dialogue::tcp(client, "10.9.0.2:80")
                .handshake()
                .data(Initiator, "GET /tagged HTTP/1.1\r\nHost: lab.test\r\n\r\n")
                .data(Responder, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .close(Initiator);
            for (_, plain) in script.build() {
                // By its source address.
                let from = if plain[26..30] == [10, 9, 0, 1] { &ends[0] } else { &ends[1] };
                frames.push((from, [&plain[..12], tags.as_flattened(), &plain[12..]].concat()));
            }
        }
        let watched = watch(world, || frames.iter().for_each(|(from, frame)| from.send(frame)));
        agree(&watched);
        // The kernel takes the outer tag out of what comes in, and leaves what goes out as it is.
        let seen = packets(&watched.file);
        assert!(seen.iter().map(|packet| &packet.bytes).eq(frames.iter().map(|(_, frame)| frame)));
        assert_eq!(said(&watched.sessions.events), ["GET /tagged", "200 Length(2)"].repeat(3));
        let flows = [
            "tcp 10.9.0.2:80 Fin",
            "vlan 100, tcp 10.9.0.2:80 Fin",
            "vlan 200, vlan 100, tcp 10.9.0.2:80 Fin",
        ];
        assert_eq!(ended(&watched.flows.events), flows);
    });
}
