//! Two hosts and a cable between them, in namespaces that are gone when the test ends.
//!
//! The test itself, the servers and all captures are on the near host, at `vb`; clients are on the far
//! one, at `va`. Neither sends anything of its own accord.

use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::process::{self, Child, Command, Stdio};
use std::time::Duration;
use std::{env, mem, thread};

#[cfg(feature = "af-xdp")]
use flowscope_testkit::namespace::cable;
use flowscope_testkit::namespace::{INSIDE, again, ip, running, until};
use flowscope_testkit::needs::{self, Missing};
use netring::ring::{cores, pin_to_core};

/// Where servers and captures keep their files.
pub(crate) const DIR: &str = "/run";

/// The namespaces of a test, made by a program that runs another one.
pub(crate) const NAMESPACES: [&str; 7] =
    ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

/// What every test calls.
const PROGRAMS: [&str; 6] = ["timeout", "ip", "ss", "sysctl", "tcpdump", "socat"];

/// The two ends of the cable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// 10.77.0.1 at `va`.
    Far,
    /// 10.77.0.2 at `vb`.
    Near,
}

/// What has to be ended with the test. The namespaces end with it anyway.
pub(crate) struct World {
    servers: Vec<Child>,
}

/// Which cores everything in a world runs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Cores {
    /// One: all captures see frames in the order in which they came, and in no other.
    One,
    /// All: what comes in while something goes out may come in either order to each capture.
    All,
}

/// Runs `body` in a world of its own, all of it on one core.
pub(crate) fn in_world(test: &str, body: impl FnOnce(&mut World)) {
    in_world_on(Cores::One, test, body);
}

/// Runs `body` in a world of its own: `test` is the test's path, as `concat!(module_path!(), "::name")`
/// gives it. The test belongs in a group that needs [`world`].
pub(crate) fn in_world_on(on: Cores, test: &str, body: impl FnOnce(&mut World)) {
    if env::var_os(INSIDE).is_some() {
        assert_eq!(process::id(), 1, "in a namespace of its own");
        if on == Cores::One {
            // Not the same for every test.
            let (cores, number) = (cores(), test.bytes().map(usize::from).sum::<usize>());
            pin_to_core(cores[number % cores.len()]).expect("it is one of ours");
        }
        return body(&mut World::new());
    }
    again(&NAMESPACES, test);
}

/// What a test in a world needs: root, network namespaces, and these programs besides the usual ones.
pub(crate) fn world(programs: &[&str]) -> Result<(), Missing> {
    needs::namespaces_of_root()?;
    needs::programs(&PROGRAMS)?;
    needs::programs(programs)
}

impl World {
    /// Returns once a frame sent at either end arrives at the other.
    fn new() -> Self {
        near("mount -t tmpfs tmpfs /run");
        near("ip netns add far");
        for end in [End::Near, End::Far] {
            // Neighbour discovery and reports would come at times of their own.
            end.run(
                "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
            );
        }
        ip(
            "link add vb address 02:00:00:00:77:02 type veth peer name va netns far address 02:00:00:00:77:01",
        );
        for (end, device, own, other) in [(End::Far, "va", 1, 2), (End::Near, "vb", 2, 1)] {
            end.run(&format!(
                "ip link set lo up
                 ip addr add 10.77.0.{own}/24 dev {device}
                 ip link set {device} up
                 ip neigh replace 10.77.0.{other} lladdr 02:00:00:00:77:0{other} dev {device} nud permanent"
            ));
        }
        // A frame sent before the link is up is lost, and its sender is told nothing.
        until("the link is up", || {
            running("vb") && End::Far.read("ip -o link show va").contains("state UP")
        });
        World { servers: Vec::new() }
    }

    /// Starts a server on the near host, and returns once it listens.
    pub(crate) fn start(&mut self, kind: &str, port: u16, line: &str) {
        let log = format!("{DIR}/{kind}-{port}.log");
        let said = File::create(&log).expect("a file");
        let server = Command::new("sh")
            .args(["-ec", &format!("exec {line}")])
            .stdin(Stdio::null())
            .stdout(said.try_clone().expect("a file"))
            .stderr(said)
            .spawn()
            .expect("there is a shell");
        self.servers.push(server);
        until(&format!("`{line}` listens, see {log}"), || {
            if let Some(server) = self.servers.last_mut()
                && let Some(status) = server.try_wait().expect("it is our child")
            {
                panic!("{line}: {status}: {}", fs::read_to_string(&log).unwrap_or_default());
            }
            !near(&format!("ss -Hln --{kind} 'sport = :{port}'")).is_empty()
        });
    }

    /// Whatever is sent at one end as it stands, link header included.
    pub(crate) fn raw(&mut self, end: End) -> Raw {
        let (name, device) = match end {
            End::Far => ("far", "va"),
            End::Near => ("near", "vb"),
        };
        let path = format!("{DIR}/{name}.raw");
        let line = format!("exec socat -u -b 70000 UNIX-RECV:{path} INTERFACE:{device}");
        let child = end.command(&line).spawn().expect("it was found before");
        self.servers.push(child);
        let socket = UnixDatagram::unbound().expect("a socket");
        until("socat listens", || socket.connect(&path).is_ok());
        Raw { socket }
    }

    /// From now on everything that passes the near end, either way, comes in at `mirrored` too.
    #[cfg(feature = "af-xdp")]
    pub(crate) fn mirror(&mut self) {
        cable("mirror", "mirrored", "");
        // Copies are whole frames only if the frames are, and copied before their checksum is.
        let off = "tx off tso off gso off";
        near(&format!("ethtool -K mirror {off}"));
        near(&format!("ethtool -K vb rx off sg off gro off {off}"));
        far(&format!("ethtool -K va rx off sg off gro off {off}"));
        near("tc qdisc add dev vb clsact");
        for way in ["ingress", "egress"] {
            near(&format!(
                "tc filter add dev vb {way} protocol all prio 1 u32 match u32 0 0 \
                     action mirred egress mirror dev mirror"
            ));
        }
    }

    /// Waits until no connection has anything more to say.
    pub(crate) fn settle(&self) {
        let lasting = "ss -Htan | grep -v -e LISTEN -e TIME-WAIT || true";
        until("all connections are closed", || {
            [End::Far, End::Near].iter().all(|end| end.read(lasting).is_empty())
        });
        let mut last = passed();
        until("the cable is silent", || {
            thread::sleep(Duration::from_millis(60));
            mem::replace(&mut last, passed()) == last
        });
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for server in &mut self.servers {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Sends frames at one end of the cable.
pub(crate) struct Raw {
    socket: UnixDatagram,
}

impl Raw {
    /// Returns once the frame has passed the near end.
    pub(crate) fn send(&self, frame: &[u8]) {
        let [before, _] = passed();
        self.socket.send(frame).expect("socat takes it");
        until("the frame has passed", || passed()[0] > before);
    }
}

impl End {
    fn command(self, line: &str) -> Command {
        let mut command = Command::new("timeout");
        command.args(["-k", "1", "20"]);
        if self == End::Far {
            command.args(["ip", "netns", "exec", "far"]);
        }
        command.args(["sh", "-ec", line]).current_dir(DIR).stdin(Stdio::null());
        command
    }

    /// Runs a line to its end.
    pub(crate) fn run(self, line: &str) {
        self.read(line);
    }

    /// What a line prints.
    pub(crate) fn read(self, line: &str) -> String {
        let output = self.command(line).output().expect("it was found before");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{self:?}: `{line}`: {}: {}", output.status, said.trim());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// What a line prints on the near host.
pub(crate) fn near(line: &str) -> String {
    End::Near.read(line)
}

/// What a line prints on the far host.
pub(crate) fn far(line: &str) -> String {
    End::Far.read(line)
}

/// Frames that passed the near end, both ways, and their bytes, by the interface's own count.
pub(crate) fn passed() -> [u64; 2] {
    let all = fs::read_to_string("/proc/net/dev").expect("there is /proc");
    let line = all.lines().find_map(|line| line.trim().strip_prefix("vb:"));
    let fields: Vec<u64> =
        line.expect("vb is there").split_whitespace().flat_map(str::parse).collect();
    // Bytes, packets and six more of what came in, then of what went out.
    [fields[1] + fields[9], fields[0] + fields[8]]
}
