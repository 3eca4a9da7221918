//! Interfaces: each test in a network namespace of its own, with the two ends of a veth pair, so that
//! nothing of it can reach the machine's interfaces or outlive it.

#![cfg_attr(
    target_os = "linux",
    expect(clippy::unwrap_used, reason = "helpers of tests, in tests")
)]

#[cfg(target_os = "linux")]
mod capture;
#[cfg(target_os = "linux")]
mod ending;
#[cfg(target_os = "linux")]
mod permission;
#[cfg(target_os = "linux")]
#[path = "../program/mod.rs"]
mod program;
#[cfg(target_os = "linux")]
mod replay;
#[cfg(target_os = "linux")]
mod sensor;
#[cfg(all(target_os = "linux", feature = "tui"))]
#[path = "../program/tmux.rs"]
mod tmux;
#[cfg(target_os = "linux")]
mod track;
#[cfg(all(target_os = "linux", feature = "tui"))]
mod view;
#[cfg(target_os = "linux")]
mod world;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    use flowscope_testkit::{needs, runner, tests};

    runner::run([
        runner::group(
            needs::nothing,
            tests![
                permission::a_missing_interface_is_named_in_the_error,
                permission::wrong_usage_is_exit_code_2,
                sensor::wrong_usage_is_exit_code_2,
            ],
        ),
        runner::group(
            needs::user_namespaces,
            tests![
                permission::the_permission_error_contains_the_setcap_command,
                permission::a_directory_without_permission_is_exit_code_5,
                permission::captures_and_directories_without_permission,
                permission::doctor_says_what_keeps_packets_from_being_captured,
                sensor::another_user_takes_root,
            ],
        ),
        runner::group(
            || {
                needs::namespaces()?;
                needs::programs(&["kill"])
            },
            tests![
                capture::the_recording_equals_what_was_sent,
                capture::a_snap_length_cuts_the_bytes_and_keeps_the_wire_length,
                capture::recording_stops_after_a_number_of_packets,
                capture::files_rotate_by_size,
                capture::files_rotate_by_time,
                capture::recording_to_a_pipe_is_not_delayed,
                capture::a_full_disk_keeps_what_was_written,
                capture::a_full_device_is_exit_code_5,
                capture::kernel_drops_are_counted,
                ending::ends_after_a_number_of_packets,
                ending::ends_after_a_duration,
                ending::many_open_flows,
                ending::a_second_signal_ends_it_at_once,
                ending::a_closed_pipe_is_no_error,
                ending::a_deleted_interface_ends_the_capture,
                ending::an_interface_that_is_down_for_a_while,
                ending::doctor_looks_at_interfaces,
                ending::a_number_of_records_ends_the_capture,
                replay::frames_that_cannot_be_sent_are_counted,
                replay::replay_keeps_the_time_between_packets,
                replay::a_signal_ends_it,
                sensor::logs_rotate_by_size_and_the_latest_are_kept,
                sensor::logs_rotate_by_time,
                sensor::a_hangup_opens_logs_again_that_were_moved,
                sensor::a_signal_prints_the_counters,
                sensor::metrics_are_the_counters_of_the_end,
                sensor::options_come_from_a_file_and_the_command_line_wins,
                sensor::a_full_disk_ends_it_and_complete_logs_stay,
                track::live_output_equals_the_output_for_the_file,
                track::flows_time_out_without_packets,
                track::logs_can_be_read_while_they_grow,
                track::a_pause_of_the_reader_does_not_expire_flows,
                track::table_rows_are_printed_as_flows_end,
                track::long_flows_give_interim_records,
                track::several_interfaces_are_one_capture,
                track::patterns_name_several_interfaces,
                track::times_are_the_kernels_where_the_card_has_none,
                track::several_programs_share_an_interface,
                track::filters,
                track::a_filter_on_a_tag_that_the_kernel_takes_out,
            ],
        ),
        #[cfg(feature = "tui")]
        runner::group(
            || {
                needs::namespaces()?;
                needs::programs(&["kill", "tmux"])
            },
            tests![view::an_interface_is_shown_until_a_key_or_a_signal],
        ),
        runner::group(
            || {
                needs::namespaces_of_root()?;
                needs::programs(&["setpriv"])
            },
            tests![
                sensor::a_container_without_a_capability_is_told_which_one,
                sensor::the_capabilities_of_the_unit_for_systemd_are_enough,
            ],
        ),
        runner::group(
            needs::namespaces_of_root,
            tests![
                sensor::it_goes_on_as_another_user,
                track::records_of_flows_that_the_kernel_counts_are_those_of_whole_flows,
                track::what_the_kernel_cannot_count_is_refused,
            ],
        ),
    ])
}
