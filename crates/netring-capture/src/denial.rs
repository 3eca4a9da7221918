use std::fmt::{self, Write};
use std::{env, fs};

/// A capability that this process does not have or may not use, and what grants it.
#[derive(Clone, Debug)]
pub struct Denial {
    /// Those that are asked for.
    wanted: &'static [Capability],
    /// Those of them that this thread does not have.
    missing: Vec<Capability>,
    cause: Cause,
    /// Path of the running program, quoted for a shell if necessary.
    program: String,
}

/// Why a call was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cause {
    /// The file of the program can be given the capability.
    Unprivileged,
    /// The capability is not in the bounding set: whatever its file has, the program never gets it.
    Bounded,
    /// `no_new_privs` is set: what its file has is ignored.
    NoNewPrivileges,
    /// Nothing is missing, but the process is in a user namespace, and the network is another one's.
    UserNamespace,
    /// Nothing is missing, and the kernel refuses nevertheless.
    Forbidden,
}

/// A capability by its name without `CAP_`, and its number in `linux/capability.h`.
pub(crate) type Capability = (&'static str, u32);

const NET_ADMIN: Capability = ("NET_ADMIN", 12);
const NET_RAW: Capability = ("NET_RAW", 13);
#[cfg(feature = "af-xdp")]
const IPC_LOCK: Capability = ("IPC_LOCK", 14);
const BPF: Capability = ("BPF", 39);

/// For AF_PACKET; the second one is for promiscuous mode on all kernels.
pub(crate) const FOR_PACKETS: &[Capability] = &[NET_RAW, NET_ADMIN];

/// For AF_PACKET with a program that counts flows.
pub(crate) const FOR_SHUNTS: &[Capability] = &[NET_RAW, NET_ADMIN, BPF];

/// For AF_XDP, including that to lock memory without limit.
#[cfg(feature = "af-xdp")]
pub(crate) const FOR_XDP: &[Capability] = &[NET_RAW, NET_ADMIN, BPF, IPC_LOCK];

impl Denial {
    /// Looks at what this thread has.
    pub(crate) fn of(wanted: &'static [Capability]) -> Self {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
        Denial { program: program(), ..Denial::read(wanted, &status, &users) }
    }

    /// From the text of these files, which is empty where `/proc` is not mounted; without the program.
    fn read(wanted: &'static [Capability], status: &str, users: &str) -> Self {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        let set = |name| field(name).and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
        let without = |set: u64| wanted.iter().copied().filter(move |(_, n)| set & 1 << n == 0);
        let missing: Vec<_> = without(set("CapEff:").unwrap_or(0)).collect();
        let bounding = set("CapBnd:").unwrap_or(u64::MAX);
        // The first user namespace has all numbers of users.
        let is_first = users.is_empty() || users.split_whitespace().eq(["0", "0", "4294967295"]);
        let cause = if without(bounding).next().is_some() && !missing.is_empty() {
            Cause::Bounded
        } else if !missing.is_empty() && field("NoNewPrivs:").is_some_and(|set| set.trim() == "1") {
            Cause::NoNewPrivileges
        } else if !missing.is_empty() {
            Cause::Unprivileged
        } else if is_first {
            Cause::Forbidden
        } else {
            Cause::UserNamespace
        };
        Denial { wanted, missing, cause, program: String::new() }
    }

    /// Names of the capabilities that are asked for and missing, such as `CAP_NET_RAW`. None if the process has all, and
    /// the kernel refuses nevertheless.
    pub fn missing(&self) -> impl Iterator<Item = String> {
        self.missing.iter().map(|(name, _)| format!("CAP_{name}"))
    }

    /// What is wrong, as a sentence that [`remedy`](Denial::remedy) completes.
    #[must_use]
    pub fn reason(&self) -> String {
        let missing: Vec<String> = self.missing().collect();
        let missing = missing.join(" and ");
        match self.cause {
            Cause::Unprivileged => {
                format!("capturing needs {missing}, which this program does not have; grant it with")
            }
            Cause::Bounded => format!(
                "capturing needs {missing}, which the container or service of this program is \
                 not given; start it with"
            ),
            Cause::NoNewPrivileges => format!(
                "capturing needs {missing}, which this program does not have, and cannot get from \
                 its file, as no_new_privs is set; start it as root, or by systemd with"
            ),
            Cause::UserNamespace => "this program has the capabilities that capturing needs, but in \
                 a user namespace that does not own the network, as in a rootless container with the \
                 network of the host; start the container as root of the host:"
                .to_owned(),
            Cause::Forbidden => "this program has the capabilities that capturing needs, but the \
                 kernel refuses: a seccomp profile or a security module forbids it; look at"
                .to_owned(),
        }
    }

    /// One line: a command, or the options, that grant what is missing.
    #[must_use]
    pub fn remedy(&self) -> String {
        let list = |prefix: &str, separator| {
            let names = self.wanted.iter().map(|(name, _)| format!("{prefix}{name}"));
            names.collect::<Vec<_>>().join(separator)
        };
        match self.cause {
            Cause::Unprivileged => setcap(self.wanted, &self.program),
            Cause::Bounded => format!(
                "{}, or, by systemd, CapabilityBoundingSet= and AmbientCapabilities={}",
                list("--cap-add ", " "),
                list("CAP_", " ")
            ),
            Cause::NoNewPrivileges => format!("AmbientCapabilities={}", list("CAP_", " ")),
            Cause::UserNamespace => {
                format!("sudo podman run --network host {}", list("--cap-add ", " "))
            }
            Cause::Forbidden => "journalctl --dmesg --grep 'audit|avc|apparmor'".to_owned(),
        }
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason())?;
        f.write_char('\n')?;
        write!(f, "    {}", self.remedy())
    }
}

/// The command that grants capabilities to the file of a program.
pub(crate) fn setcap(wanted: &[Capability], program: &str) -> String {
    let names: Vec<_> =
        wanted.iter().map(|(name, _)| format!("cap_{}", name.to_lowercase())).collect();
    format!("sudo setcap {}+ep {program}", names.join(","))
}

/// Path of the running program as one word of a shell.
pub(crate) fn program() -> String {
    let path = env::current_exe().map(|path| path.to_string_lossy().into_owned());
    quoted(path.unwrap_or_else(|_| "PROGRAM".to_owned()))
}

fn quoted(word: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "         0          0 4294967295\n";
    const ROOTLESS: &str = "         0       1000          1\n         1     100000      65536\n";

    /// Sets of capabilities as `/proc` has them, and `no_new_privs`.
    fn status(effective: u64, bounding: u64, no_new_privs: u8) -> String {
        format!(
            "Name:\tx\nCapEff:\t{effective:016x}\nCapBnd:\t{bounding:016x}\nNoNewPrivs:\t{no_new_privs}\n"
        )
    }

    /// Reason and remedy, where the remedy does not name the program of the test.
    fn check(denial: &Denial, reason: &str, remedy: &str) {
        assert!(denial.reason().contains(reason), "{denial}");
        assert!(denial.remedy().starts_with(remedy), "{denial}");
        assert_eq!(denial.to_string().lines().count(), 2, "{denial}");
    }

    #[test]
    fn the_line_to_copy_is_one_line_and_survives_a_shell() {
        for (path, expected) in [
            ("/usr/bin/flowscope", "/usr/bin/flowscope"),
            ("/home/a b/x", "'/home/a b/x'"),
            ("/it's", r"'/it'\''s'"),
        ] {
            assert_eq!(quoted(path.to_owned()), expected);
        }
    }

    #[test]
    fn a_capability_that_a_file_can_have_is_granted_to_the_file() {
        let all = u64::MAX;
        let denial = Denial::read(FOR_PACKETS, &status(0, all, 0), FIRST);
        check(
            &denial,
            "needs CAP_NET_RAW and CAP_NET_ADMIN, which this",
            "sudo setcap cap_net_raw,",
        );
        let denial = Denial::read(FOR_SHUNTS, &status(0x3000, all, 0), FIRST);
        assert_eq!(denial.missing().collect::<Vec<_>>(), ["CAP_BPF"]);
        check(&denial, "needs CAP_BPF, ", "sudo setcap cap_net_raw,cap_net_admin,cap_bpf+ep ");
        // Without /proc, nothing is known.
        let denial = Denial::read(FOR_PACKETS, "", "");
        check(&denial, "needs CAP_NET_RAW and CAP_NET_ADMIN, ", "sudo setcap ");
    }

    #[test]
    fn what_the_bounding_set_lacks_is_granted_where_the_container_starts() {
        let denial = Denial::read(FOR_PACKETS, &status(0x1000, 0x1000, 0), FIRST);
        check(
            &denial,
            "needs CAP_NET_RAW, which the container or service",
            "--cap-add NET_RAW --cap-add NET_ADMIN, or, by systemd, CapabilityBoundingSet= and \
             AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN",
        );
    }

    #[test]
    fn a_file_grants_nothing_under_no_new_privs() {
        let denial = Denial::read(FOR_PACKETS, &status(0, 0x3000, 1), FIRST);
        check(&denial, "no_new_privs is set", "AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN");
    }

    #[test]
    fn capabilities_of_a_user_namespace_are_not_those_of_the_host() {
        let denial = Denial::read(FOR_PACKETS, &status(u64::MAX, u64::MAX, 0), ROOTLESS);
        assert_eq!(denial.missing().count(), 0);
        check(&denial, "rootless container", "sudo podman run --network host --cap-add NET_RAW ");
        let denial = Denial::read(FOR_PACKETS, &status(u64::MAX, u64::MAX, 0), FIRST);
        check(&denial, "seccomp profile", "journalctl ");
    }
}
