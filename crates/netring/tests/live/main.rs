//! Streams of live captures, each test in a network namespace of its own: see
//! [`flowscope_testkit::namespace`].

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

#[cfg(target_os = "linux")]
mod conversations;
#[cfg(target_os = "linux")]
mod faults;
#[cfg(target_os = "linux")]
mod filters;
#[cfg(target_os = "linux")]
mod interfaces;
#[cfg(target_os = "linux")]
mod ledger;
#[cfg(target_os = "linux")]
mod repeated;
#[cfg(target_os = "linux")]
mod replayed;
#[cfg(target_os = "linux")]
mod sending;
#[cfg(target_os = "linux")]
mod sharded;
#[cfg(target_os = "linux")]
mod shunt;
#[cfg(target_os = "linux")]
mod world;
#[cfg(all(target_os = "linux", feature = "af-xdp"))]
mod xdp;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use flowscope_testkit::{needs, runner, tests};

    runner::run([
        runner::group(needs::nothing, tests![faults::a_missing_interface_is_named_in_the_error,]),
        runner::group(
            needs::namespaces,
            tests![
                conversations::readers_lose_nothing_that_was_captured,
                faults::an_interface_that_goes_down_is_reported_and_comes_back,
                faults::a_deleted_interface_ends_the_stream,
                faults::an_interface_deleted_while_down_ends_the_stream,
                faults::readable_completes_only_when_there_is_something_to_read,
                faults::a_larger_mtu_takes_effect_at_once,
                faults::streams_dropped_at_any_point_leak_nothing,
                filters::kernel_and_user_space_filters_accept_the_same_frames,
                interfaces::interfaces_are_opened_by_a_pattern_of_their_names,
                ledger::the_ledger_counts_what_a_stalled_reader_loses,
                ledger::shutdown_under_traffic_loses_and_duplicates_no_frame,
                ledger::a_lossless_broadcast_applies_back_pressure_to_the_capture,
                ledger::a_stall_of_ten_seconds_is_accounted_for,
                ledger::a_slow_reassembler_slows_the_capture_and_the_kernel_counts_drops,
                repeated::captures_opened_two_hundred_times_count_what_the_interface_does,
                repeated::an_interface_that_flaps_is_counted_until_it_is_deleted,
                replayed::captures_replayed_over_a_veth_pair_give_the_flows_of_the_file,
                sending::a_held_block_stays_as_it_is_while_the_ring_overflows,
                sending::held_blocks_have_what_passes_the_filter,
                sending::a_held_block_reports_faults_of_the_interface,
                sending::sending_waits_for_room_and_loses_nothing,
                sending::frames_that_cannot_be_sent_are_errors_and_sending_goes_on,
                sending::a_capture_that_sends_reports_faults_to_its_reader,
                sharded::both_directions_of_a_flow_reach_one_worker,
                sharded::flows_that_are_split_are_reported,
                sharded::fragments_are_joined_or_counted,
                sharded::workers_stop_when_another_one_cannot_be_started,
                sharded::events_can_be_handled_in_the_workers,
                sharded::a_panic_of_a_worker_is_reported_with_its_message,
            ],
        ),
        runner::group(
            || {
                needs::namespaces()?;
                needs::programs(&["setpriv"])
            },
            tests![faults::the_permission_error_contains_the_setcap_command,],
        ),
        #[cfg(feature = "libpcap")]
        runner::group(
            needs::namespaces,
            tests![filters::filters_compiled_by_libpcap_run_in_the_kernel,],
        ),
        runner::group(
            needs::namespaces_of_root,
            tests![
                shunt::records_over_packet_sockets_are_those_of_whole_flows,
                shunt::records_of_workers_are_those_of_whole_flows,
                shunt::a_dropped_stream_leaves_no_flow_in_the_map,
            ],
        ),
        #[cfg(feature = "af-xdp")]
        runner::group(
            needs::namespaces_of_root,
            tests![
                shunt::records_over_xdp_are_those_of_whole_flows,
                shunt::records_of_queues_are_those_of_whole_flows,
                xdp::flows_are_the_same_in_both_xdp_modes,
                xdp::held_frames_stay_as_they_are_while_the_queue_overflows,
                xdp::sending_waits_for_room_in_the_ring,
                xdp::the_ledger_counts_what_a_stalled_reader_loses,
                xdp::every_queue_has_a_worker,
                xdp::an_occupied_and_a_deleted_interface_are_reported,
            ],
        ),
    ])
}
