//! IPFIX and Syslog: what collectors are sent, and what they make of it.

#![expect(clippy::unwrap_used, reason = "helpers of tests, in tests")]

mod network;
#[cfg(target_os = "linux")]
mod nfdump;
#[path = "../program/mod.rs"]
mod program;
mod syslog;

fn main() -> std::process::ExitCode {
    use flowscope_testkit::{needs, runner, tests};

    runner::run([
        runner::group(
            needs::nothing,
            tests![
                network::messages_of_a_file_follow_each_other,
                network::a_collector_is_sent_the_same_over_udp_and_tcp,
                network::a_refused_datagram_is_counted,
                network::a_collector_that_does_not_listen_is_exit_code_5,
                network::a_collector_that_hangs_up_is_exit_code_5,
                network::wrong_usage_is_exit_code_2,
                syslog::each_record_is_a_datagram,
                syslog::a_stream_has_the_length_of_each_message,
                syslog::only_lines_of_json_are_messages,
            ],
        ),
        #[cfg(target_os = "linux")]
        runner::group(
            || needs::programs(&["nfcapd", "nfdump", "kill"]),
            tests![nfdump::a_collector_counts_what_the_flows_are],
        ),
    ])
}
