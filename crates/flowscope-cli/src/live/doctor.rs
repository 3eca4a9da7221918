//! Whether live capture will work on this machine, and what of its settings matters.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use flowscope::output::terminal;
use netring::ring::{CaptureError, HardwareFeatures, Interface, cores};
use serde::Serialize;

use super::{failure, open::denied, open::may_capture};
use crate::args::live::{DoctorArgs, ListFormat};
use crate::error::{Failure, Status};

/// Something that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    interface: Option<String>,
    state: State,
    what: String,
    /// A command that changes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// As it should be.
    Ok,
    /// Capturing works; what this means should be known.
    Note,
    /// Capturing does not work.
    Fail,
}

/// Prints what was found. The status is a failure if something keeps packets from being captured.
pub(crate) fn doctor(args: &DoctorArgs) -> Result<Status, Failure> {
    let interfaces = match &args.interface {
        Some(name) => vec![Interface::find(name).map_err(|error| denied(&error))?],
        None => Interface::all().map_err(|error| failure(&error))?,
    };
    let is_named = args.interface.is_some();
    let looked_at = |interface: &&Interface| {
        is_named || interface.is_up && interface.link.is_some() && !interface.is_loopback
    };
    let system = System(PathBuf::from("/"));
    let mut checks = vec![permission(may_capture("lo"))];
    checks.extend(system.checks());
    for interface in interfaces.iter().filter(looked_at) {
        checks.extend(of_interface(interface, interface.hardware_features(), &system));
    }
    let text: String = match args.format {
        ListFormat::Table => checks.iter().map(Check::lines).collect(),
        ListFormat::Json => checks.iter().map(Check::json).collect(),
    };
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(Failure::Closed),
        Err(source) => return Err(Failure::Output { name: "standard output".into(), source }),
        Ok(()) => {}
    }
    let failed = checks.iter().any(|check| check.state == State::Fail);
    Ok(if failed { Status::Failed } else { Status::Done })
}

impl Check {
    fn new(check: &'static str, state: State, what: impl Into<String>) -> Self {
        Check { check, interface: None, state, what: what.into(), remedy: None }
    }

    fn remedy(mut self, command: impl Into<String>) -> Self {
        self.remedy = Some(command.into());
        self
    }

    fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    fn lines(&self) -> String {
        let state = match self.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Fail => "FAIL",
        };
        let of = match &self.interface {
            Some(interface) => format!("{}: {}", terminal(interface), self.check),
            None => self.check.to_owned(),
        };
        let mut lines = format!("{state:<4}  {of}: {}\n", terminal(&self.what));
        if let Some(remedy) = &self.remedy {
            lines += &format!("          {}\n", terminal(remedy));
        }
        lines
    }
}

fn permission(may: Result<(), CaptureError>) -> Check {
    let error = match may {
        Ok(()) => return Check::new("permission", State::Ok, "packets may be captured"),
        Err(error) => failure(&error),
    };
    let what = error.message().unwrap_or_default();
    let check = Check::new("permission", State::Fail, what);
    match error.details().into_iter().next() {
        Some(remedy) => check.remedy(remedy),
        None => check,
    }
}

/// Files of the kernel, below a folder.
struct System(PathBuf);

/// Capabilities that matter, by their numbers in `linux/capability.h`.
const CAPABILITIES: [(u32, &str); 5] = [
    (12, "CAP_NET_ADMIN"),
    (13, "CAP_NET_RAW"),
    (14, "CAP_IPC_LOCK"),
    (21, "CAP_SYS_ADMIN"),
    (39, "CAP_BPF"),
];

impl System {
    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = fs::read_to_string(self.0.join(path)).ok()?;
        Some(text.trim().to_owned())
    }

    fn checks(&self) -> Vec<Check> {
        let checks = [
            self.capabilities(),
            self.kernel(),
            self.clock(),
            self.memory(),
            self.jit(),
            self.xdp(),
        ];
        checks.into_iter().flatten().collect()
    }

    fn capabilities(&self) -> Option<Check> {
        let status = self.read("proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
        let bits = u64::from_str_radix(line.trim(), 16).ok()?;
        let held = CAPABILITIES.iter().filter(|(bit, _)| bits & 1 << bit != 0);
        let held: Vec<_> = held.map(|(_, name)| *name).collect();
        let text = if held.is_empty() { "none that matters".into() } else { held.join(", ") };
        // Before Linux 5.8, CAP_SYS_ADMIN was all there was for programs.
        Some(if held.contains(&"CAP_BPF") || held.contains(&"CAP_SYS_ADMIN") {
            Check::new("capabilities", State::Ok, text)
        } else {
            Check::new("capabilities", State::Note, text + "; --shunt takes CAP_BPF")
        })
    }

    fn kernel(&self) -> Option<Check> {
        let release = self.read("proc/sys/kernel/osrelease")?;
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
        let version = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(if version < (5, 14) {
            Check::new("kernel", State::Note, format!("Linux {release}; --shunt takes 5.14"))
        } else {
            Check::new("kernel", State::Ok, format!("Linux {release}"))
        })
    }

    fn clock(&self) -> Option<Check> {
        let folder = Path::new("sys/devices/system/clocksource/clocksource0");
        let clock = self.read(folder.join("current_clocksource"))?;
        Some(if ["hpet", "acpi_pm", "jiffies", "refined-jiffies"].contains(&clock.as_str()) {
            let what = format!("{clock}, which takes long to read: so does each timestamp");
            Check::new("clock", State::Note, what)
        } else {
            Check::new("clock", State::Ok, clock)
        })
    }

    fn memory(&self) -> Option<Check> {
        let limits = self.read("proc/self/limits")?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory"))?;
        let soft = line.split_whitespace().next()?;
        let what = match soft.parse::<u64>() {
            Ok(bytes) => {
                format!("{} KiB may be locked, which matters for AF_XDP alone", bytes >> 10)
            }
            Err(_) => "any amount may be locked".into(),
        };
        Some(Check::new("memory", State::Ok, what))
    }

    fn jit(&self) -> Option<Check> {
        let enabled = self.read("proc/sys/net/core/bpf_jit_enable")?;
        Some(if enabled == "0" {
            let what = "filters are interpreted in the kernel, which takes longer for each packet";
            Check::new("filters", State::Note, what).remedy("sudo sysctl net.core.bpf_jit_enable=1")
        } else {
            Check::new("filters", State::Ok, "filters are compiled in the kernel")
        })
    }

    fn xdp(&self) -> Option<Check> {
        let protocols = self.read("proc/net/protocols")?;
        let has_it = protocols.lines().any(|line| line.split_whitespace().next() == Some("XDP"));
        let what = if has_it { "the kernel has it" } else { "the kernel does not have it" };
        let what = format!("{what}; it is for programs with netring, not for this command");
        Some(Check::new("AF_XDP", State::Ok, what))
    }

    /// A counter of an interface.
    fn counter(&self, interface: &str, name: &str) -> Option<u64> {
        let folder = Path::new("sys/class/net").join(interface).join("statistics");
        self.read(folder.join(name))?.parse().ok()
    }
}

fn of_interface(interface: &Interface, features: HardwareFeatures, system: &System) -> Vec<Check> {
    let name = &interface.name;
    let checks = [
        Some(state(interface)),
        offloads(name, &features),
        descriptors(name, &features),
        Some(queues(interface)),
        timestamps(&features),
        drops(name, system),
    ];
    let named = |check| Check { interface: Some(name.clone()), ..check };
    checks.into_iter().flatten().map(named).collect()
}

fn state(interface: &Interface) -> Check {
    let link = interface.link.map(|link| link.to_string());
    match (link, interface.is_up, interface.is_running) {
        (None, ..) => {
            let what = format!("its frames cannot be read: hardware {}", interface.hardware);
            Check::new("state", State::Fail, what)
        }
        (_, false, _) => Check::new("state", State::Fail, "it is down")
            .remedy(format!("sudo ip link set {} up", interface.name)),
        (_, true, false) => Check::new("state", State::Note, "it has no carrier"),
        (Some(link), true, true) => {
            Check::new("state", State::Ok, format!("running, {link}, MTU {}", interface.mtu))
        }
    }
}

fn offloads(name: &str, features: &HardwareFeatures) -> Option<Check> {
    let joining = match (features.gro?, features.lro.unwrap_or(false)) {
        (false, false) => {
            return Some(Check::new("offloads", State::Ok, "packets are captured as they arrive"));
        }
        (true, false) => "GRO",
        (false, true) => "LRO",
        (true, true) => "GRO and LRO",
    };
    let what = format!(
        "{joining}: segments of a connection are joined before they are captured, so packets are fewer and longer than on the wire"
    );
    let check = Check::new("offloads", State::Note, what);
    Some(check.remedy(format!("sudo ethtool -K {name} gro off lro off")))
}

fn descriptors(name: &str, features: &HardwareFeatures) -> Option<Check> {
    let (now, most) = features.rx_descriptors?;
    Some(if now < most {
        let what =
            format!("{now} packets fit the card's ring, and {most} could: bursts may be dropped");
        Check::new("ring", State::Note, what).remedy(format!("sudo ethtool -G {name} rx {most}"))
    } else {
        Check::new("ring", State::Ok, format!("{now} packets fit the card's ring"))
    })
}

fn queues(interface: &Interface) -> Check {
    let cores = cores().len();
    let what = format!("{} of receiving, {cores} processor cores", interface.rx_queues);
    Check::new("queues", State::Ok, what)
}

fn timestamps(features: &HardwareFeatures) -> Option<Check> {
    let what = if features.timestamps? {
        "the card can stamp packets (--timestamps card)"
    } else {
        "the kernel stamps packets; the card cannot"
    };
    Some(Check::new("timestamps", State::Ok, what))
}

fn drops(name: &str, system: &System) -> Option<Check> {
    let counters = ["rx_dropped", "rx_missed_errors", "rx_fifo_errors"];
    let counts: Vec<_> = counters
        .iter()
        .filter_map(|counter| Some((*counter, system.counter(name, counter)?)))
        .collect();
    let lost: Vec<_> = counts.iter().filter(|(_, n)| *n > 0).collect();
    if counts.is_empty() {
        return None;
    }
    Some(if lost.is_empty() {
        Check::new("drops", State::Ok, "none since the interface exists")
    } else {
        let parts: Vec<_> = lost.iter().map(|(counter, n)| format!("{n} {counter}")).collect();
        let what = format!("packets that no capture has seen: {}", parts.join(", "));
        Check::new("drops", State::Note, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system with these files.
    fn system(files: &[(&str, &str)]) -> (tempfile::TempDir, System) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let system = System(folder.path().to_owned());
        (folder, system)
    }

    #[test]
    fn what_is_not_there_is_not_said() {
        let (_folder, system) = system(&[("proc/self/status", "CapEff:\tnonsense\n")]);
        assert!(system.checks().is_empty(), "{:?}", system.checks());
        assert!(drops("eth0", &system).is_none());
    }

    #[test]
    fn settings_that_matter_are_noted() {
        let clock = "sys/devices/system/clocksource/clocksource0/current_clocksource";
        let (_folder, system) = system(&[
            ("proc/self/status", "Name:\tx\nCapEff:\t0000000000003000\n"),
            ("proc/sys/kernel/osrelease", "5.10.0-28-amd64\n"),
            (clock, "hpet\n"),
            (
                "proc/self/limits",
                "Max locked memory         8388608              8388608   bytes\n",
            ),
            ("proc/sys/net/core/bpf_jit_enable", "0\n"),
            ("proc/net/protocols", "protocol  size\nTCPv6  1\n"),
            ("sys/class/net/eth0/statistics/rx_dropped", "7\n"),
            ("sys/class/net/eth0/statistics/rx_missed_errors", "0\n"),
        ]);
        let checks = system.checks();
        let text: String = checks.iter().map(Check::lines).collect();
        let expected = "\
note  capabilities: CAP_NET_ADMIN, CAP_NET_RAW; --shunt takes CAP_BPF
note  kernel: Linux 5.10.0-28-amd64; --shunt takes 5.14
note  clock: hpet, which takes long to read: so does each timestamp
ok    memory: 8192 KiB may be locked, which matters for AF_XDP alone
note  filters: filters are interpreted in the kernel, which takes longer for each packet
          sudo sysctl net.core.bpf_jit_enable=1
ok    AF_XDP: the kernel does not have it; it is for programs with netring, not for this command
";
        assert_eq!(text, expected);
        let drops = drops("eth0", &system).unwrap();
        assert_eq!(drops.what, "packets that no capture has seen: 7 rx_dropped");
    }

    #[test]
    fn joined_packets_are_noted_with_the_command_that_ends_it() {
        let mut features = HardwareFeatures::default();
        assert!(offloads("eth0", &features).is_none());
        features.gro = Some(false);
        assert_eq!(offloads("eth0", &features).unwrap().state, State::Ok);
        features.lro = Some(true);
        features.rx_descriptors = Some((512, 4096));
        let check = offloads("eth0", &features).unwrap();
        assert_eq!(check.state, State::Note);
        assert_eq!(check.remedy.as_deref(), Some("sudo ethtool -K eth0 gro off lro off"));
        let ring = descriptors("eth0", &features).unwrap();
        assert_eq!(ring.remedy.as_deref(), Some("sudo ethtool -G eth0 rx 4096"));
        features.rx_descriptors = Some((4096, 4096));
        assert_eq!(descriptors("eth0", &features).unwrap().state, State::Ok);
    }
}
