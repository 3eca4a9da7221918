//! Live capture beside `tcpdump` and the published `netring`, under equal load in one run, in a
//! network namespace of its own.

#[cfg(target_os = "linux")]
mod load;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod readers;
#[cfg(target_os = "linux")]
mod round;
#[cfg(target_os = "linux")]
mod table;

#[cfg(target_os = "linux")]
mod inside;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    inside::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("only Linux has what is measured here");
}
