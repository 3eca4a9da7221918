//! Captures on veth pairs, each test in a network namespace of its own, so that nothing of it can
//! reach the machine's interfaces or outlive it.

#![allow(clippy::unwrap_used, reason = "helpers of tests, in tests")]

/// The path of a test of the module at hand.
#[cfg(target_os = "linux")]
macro_rules! name {
    ($test:ident) => {
        concat!(module_path!(), "::", stringify!($test))
    };
}

#[cfg(target_os = "linux")]
mod fanout;
#[cfg(target_os = "linux")]
mod frames;
#[cfg(target_os = "linux")]
mod interface;
#[cfg(target_os = "linux")]
mod losses;
#[cfg(target_os = "linux")]
mod shunt;
#[cfg(target_os = "linux")]
mod world;
#[cfg(all(target_os = "linux", feature = "af-xdp"))]
mod xdp;

/// Counts allocations in the tests that ask for it.
#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use flowscope_testkit::{needs, runner, tests};

    runner::run([
        runner::group(
            needs::namespaces,
            tests![
                fanout::both_directions_of_a_flow_reach_the_same_fanout_member,
                fanout::flows_in_tunnels_and_fragments_are_not_split,
                fanout::nothing_is_captured_twice_while_members_join_a_fanout_group,
                frames::every_frame_is_seen_once_in_order_with_its_bytes_and_time,
                frames::a_tag_that_the_kernel_takes_out_is_put_back,
                frames::the_snap_length_cuts_frames_and_not_their_length_on_the_wire,
                frames::a_filter_holds_from_the_first_frame_on,
                frames::outgoing_frames_are_seen_unless_they_are_ignored,
                frames::a_checksum_left_to_the_card_is_reported,
                interface::an_interface_that_goes_down_is_reported_once_and_comes_back,
                interface::each_refusal_of_the_kernel_has_its_own_error,
                interface::promiscuous_mode_ends_with_the_capture,
                interface::frames_are_sent_in_batches,
                losses::every_frame_sent_is_read_or_counted_as_dropped,
                losses::a_block_is_returned_however_the_callback_ends,
                losses::reading_frames_does_not_allocate,
                losses::a_stopped_capture_keeps_the_frames_it_has,
            ],
        ),
        runner::group(
            || {
                needs::user_namespaces()?;
                needs::programs(&["setpriv"])
            },
            tests![interface::a_refusal_says_what_is_missing_and_what_grants_it,],
        ),
        runner::group(needs::namespaces_of_root, tests![shunt::packet_sockets_count_flows,]),
        #[cfg(feature = "af-xdp")]
        runner::group(
            needs::namespaces_of_root,
            tests![
                shunt::xdp_programs_count_flows,
                xdp::frames_equal_those_of_a_packet_socket,
                xdp::every_frame_sent_is_read_or_counted_as_lost,
                xdp::a_frame_too_long_for_its_memory_is_counted_once,
                xdp::multi_buffer_packets_are_joined,
                xdp::all_queues_are_captured_by_one_capture_or_one_each,
                xdp::sockets_are_added_to_a_given_xsk_map,
                xdp::sent_frames_reach_the_other_end,
                xdp::a_stopped_capture_keeps_the_frames_it_has,
                xdp::each_fault_of_the_interface_is_reported_once,
                xdp::unavailable_resources_have_their_own_errors,
                xdp::a_killed_capture_leaves_no_xdp_program,
                xdp::reading_and_sending_frames_does_not_allocate,
                xdp::a_panic_in_the_callback_leaks_no_frame,
                xdp::blocks_return_their_frames_however_they_end,
                xdp::busy_polling_reads_the_same_frames,
            ],
        ),
        #[cfg(feature = "af-xdp")]
        runner::group(
            || {
                needs::namespaces_of_root()?;
                needs::programs(&["setpriv", "prlimit"])
            },
            tests![xdp::exceeding_the_memlock_limit_has_its_own_error,],
        ),
        #[cfg(feature = "af-xdp")]
        runner::group(
            needs::user_namespaces,
            tests![xdp::the_permission_error_says_what_grants_it,],
        ),
    ])
}
