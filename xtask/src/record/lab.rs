//! Two network namespaces joined by a veth pair, and what runs in them.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Result;

/// Where servers and clients run and keep their files: gone with the mount namespace.
pub(crate) const DIR: &str = "/run/lab";

/// Longest time that one client may take, in seconds.
const CLIENT_SECONDS: &str = "30";

/// Longest time for a condition to come true.
const PATIENCE: Duration = Duration::from_secs(20);

/// One end of the lab.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// 10.77.0.1 on `c0`, where everything is captured.
    Client,
    /// 10.77.0.2 on `s0`.
    Server,
}

impl End {
    fn name(self) -> &'static str {
        match self {
            End::Client => "client",
            End::Server => "server",
        }
    }

    /// A command that runs `line` with a shell at this end, in [`DIR`].
    pub(crate) fn shell(self, line: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", self.name(), "sh", "-ec", line]);
        command.current_dir(DIR).stdin(Stdio::null());
        command
    }

    /// What `line` prints at this end.
    ///
    /// # Errors
    ///
    /// When it fails, with what it said.
    pub(crate) fn read(self, line: &str) -> Result<String> {
        let output = self.shell(line).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{}: `{line}` failed ({}): {}", self.name(), output.status, said.trim()).into())
    }
}

/// The lab of one recording; dropping it ends its servers and removes its namespaces.
pub(crate) struct Lab {
    servers: Vec<Child>,
    log: Vec<String>,
}

impl Lab {
    /// Makes the namespaces and returns once a frame sent at either end will arrive.
    pub(crate) fn up() -> Result<Self> {
        if Path::new(DIR).exists() {
            fs::remove_dir_all(DIR)?;
        }
        fs::create_dir_all(DIR)?;
        let lab = Self { servers: Vec::new(), log: Vec::new() };
        for end in [End::Client, End::Server] {
            host(&["netns", "add", end.name()])?;
            // Neighbour discovery and reports would come at times of their own.
            end.read(
                "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1",
            )?;
        }
        let pair = "link add c0 netns client address 02:00:00:00:00:01 type veth \
                    peer name s0 netns server address 02:00:00:00:00:02";
        host(&pair.split_whitespace().collect::<Vec<_>>())?;
        let ends = [(End::Client, "c0", 1, "s0", 2), (End::Server, "s0", 2, "c0", 1)];
        for (end, device, number, _, peer) in ends {
            end.read(&format!(
                "ip addr add 10.77.0.{number}/24 dev {device}
                 ip link set lo up
                 ip link set {device} up
                 ip neigh replace 10.77.0.{peer} lladdr 02:00:00:00:00:0{peer} dev {device} nud permanent"
            ))?;
            without_offloads(end, device)?;
        }
        // A frame sent before the link is up is lost, and its sender is told nothing.
        for (end, device, ..) in ends {
            wait_until("the link is up", || {
                Ok(end.read(&format!("ip -o link show {device}"))?.contains("state UP"))
            })?;
        }
        Ok(lab)
    }

    /// Puts a file beside the servers and clients.
    pub(crate) fn file(&mut self, name: &str, contents: &str) -> Result<()> {
        let path = Path::new(DIR).join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(path, contents)?)
    }

    /// Runs a command that prepares one end and sends nothing.
    pub(crate) fn prepare(&mut self, end: End, line: &str) -> Result<()> {
        self.note(end, line);
        end.read(line).map(drop)
    }

    /// Starts a server, and returns once it listens on `port` (`tcp/80`, `udp/53`).
    pub(crate) fn server(&mut self, port: &str, line: &str) -> Result<()> {
        self.note(End::Server, line);
        let (kind, number) = port.split_once('/').ok_or("a port is written as tcp/80")?;
        let said = Path::new(DIR).join(format!("{kind}-{number}.log"));
        let log = File::create(&said)?;
        let mut command = End::Server.shell(&format!("exec {line}"));
        self.servers.push(command.stdout(log.try_clone()?).stderr(log).spawn()?);
        let listening = format!("ss -Hln --{kind} 'sport = :{number}'");
        let server = self.servers.last_mut().expect("one was pushed above");
        let listens = || match server.try_wait()? {
            Some(status) => Err(format!("ended at once ({status})").into()),
            None => Ok(!End::Server.read(&listening)?.is_empty()),
        };
        wait_until(port, listens).map_err(|error| {
            let said = fs::read_to_string(&said).unwrap_or_default();
            format!("`{line}`: {error}: {}", said.trim()).into()
        })
    }

    /// Runs one client to its end.
    pub(crate) fn client(&mut self, line: &str) -> Result<()> {
        self.clients(&[line])
    }

    /// Runs clients side by side, each to its end.
    pub(crate) fn clients(&mut self, lines: &[&str]) -> Result<()> {
        let mut running = Vec::new();
        for line in lines {
            let beside = if lines.len() > 1 { " &" } else { "" };
            self.note(End::Client, &format!("{line}{beside}"));
            let mut command = Command::new("timeout");
            command.args(["-k", "1", CLIENT_SECONDS, "ip", "netns", "exec", End::Client.name()]);
            command.args(["sh", "-ec", line]).current_dir(DIR);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            running.push((line, command.spawn()?));
        }
        for (line, child) in running {
            let output = child.wait_with_output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(format!("`{line}` failed ({}): {}", output.status, said.trim()).into());
            }
        }
        Ok(())
    }

    /// What ran so far, as lines beginning with the end at which it ran.
    pub(crate) fn log(&self) -> &[String] {
        &self.log
    }

    fn note(&mut self, end: End, line: &str) {
        self.log.push(format!("{}$ {line}", end.name()));
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // Nothing to be done about one that ended by itself.
            let _ = server.kill();
            let _ = server.wait();
        }
        for end in [End::Client, End::Server] {
            let _ = host(&["netns", "del", end.name()]);
        }
    }
}

/// Makes `device` send and deliver frames as they would look on a cable: none longer than its
/// MTU, every checksum filled in.
pub(crate) fn without_offloads(end: End, device: &str) -> Result<()> {
    // Some of these are fixed on some devices; what counts is checked in the recording.
    for feature in
        ["tx", "rx", "sg", "tso", "gso", "gro", "tx-udp-segmentation", "rxvlan", "txvlan"]
    {
        end.read(&format!("ethtool -K {device} {feature} off 2>&1 || true"))?;
    }
    Ok(())
}

/// Polls until `condition` holds.
///
/// # Errors
///
/// When it still does not hold after 20 seconds; the error names `what`.
pub(crate) fn wait_until(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !condition()? {
        if start.elapsed() > PATIENCE {
            return Err(format!("waited in vain: {what}").into());
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Runs `ip` outside both ends.
fn host(args: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(args).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip {}: {}", args.join(" "), said.trim()).into())
}
