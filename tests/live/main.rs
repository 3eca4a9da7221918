//! Traffic of real programs, captured live and by tcpdump at the same time: both give the same records.
//!
//! Each test starts itself again in namespaces of its own (network, mounts, processes), so that nothing
//! of it can reach the machine's interfaces or outlive it, however it ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

#[cfg(target_os = "linux")]
mod bulk;
#[cfg(target_os = "linux")]
mod capture;
#[cfg(target_os = "linux")]
mod compare;
#[cfg(target_os = "linux")]
mod encapsulated;
#[cfg(target_os = "linux")]
mod names;
#[cfg(target_os = "linux")]
mod traffic;
#[cfg(target_os = "linux")]
mod tunnels;
#[cfg(target_os = "linux")]
mod web;
#[cfg(target_os = "linux")]
mod world;
#[cfg(all(target_os = "linux", feature = "af-xdp"))]
mod xdp;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use flowscope_testkit::{runner, tests};

    use world::world;

    runner::run([
        runner::group(
            || world(&bulk::PROGRAMS),
            tests![
                bulk::offloaded_frames_beyond_the_mtu,
                bulk::flows_are_the_same_from_several_cores,
                bulk::sessions_are_the_same_from_several_workers,
            ],
        ),
        runner::group(
            || world(&["nginx", "curl", "openssl", "ping"]),
            tests![encapsulated::http_in_a_vxlan_tunnel,],
        ),
        runner::group(|| world(&[]), tests![encapsulated::tags_of_vlans_one_and_two_deep,]),
        runner::group(
            || world(&["dnsmasq", "dig", "ping"]),
            tests![names::names_are_asked_for_over_udp_and_tcp,],
        ),
        runner::group(
            || world(&tunnels::PROGRAMS),
            tests![tunnels::tunnelled_flows_agree_with_tshark,],
        ),
        runner::group(
            || world(&web::PROGRAMS),
            tests![web::requests_and_answers_over_http, web::handshakes_of_tls_1_2_and_1_3,],
        ),
        #[cfg(feature = "af-xdp")]
        runner::group(
            || world(&xdp::PROGRAMS),
            tests![
                xdp::sessions_of_a_mirror_behind_the_driver,
                xdp::sessions_of_a_mirror_in_the_driver,
            ],
        ),
    ])
}
