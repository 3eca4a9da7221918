//! Whether the image of contrib/Containerfile works as docs/CAPTURE_GUIDE.md says: started by its commands, as its pod, with the
//! capabilities that it names and with one less, on a veth pair in a network namespace of its own.
//!
//! The stage of the Containerfile that compiles has a stand-in for its image, with the static program of `cargo xtask dist`, so that
//! nothing is downloaded. Images, containers and their state are in a folder that goes with the run.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use xshell::{Shell, cmd};

use crate::{Result, dist, needs, targets};

mod guide;

/// The task that the step starts again in namespaces of its own.
pub(crate) const INSIDE: &str = "container-inside";

const GUIDE: &str = "docs/CAPTURE_GUIDE.md";
const FILE: &str = "contrib/Containerfile";

/// What the first stage of the file is from.
const COMPILER: &str = "docker.io/library/rust:1-bookworm";

/// In place of the image that compiles: it takes the tools of this machine, and has these two beside them.
const STAND_IN: &str = "FROM scratch\nENV PATH=/stand-in:/usr/bin:/bin\nCOPY . /\n";
const RUSTUP: &str = "#!/bin/sh\n[ \"$*\" = \"target add $(uname -m)-unknown-linux-musl\" ]\n";
const CARGO: &str = "#!/bin/sh\nset -eu\ntarget=$(uname -m)-unknown-linux-musl\n\
    [ \"$*\" = \"build --release --locked --config profile.release.strip=true -p flowscope-cli --target $target\" ]\n\
    [ -e Cargo.lock ]\nmkdir -p \"target/$target/release\"\n\
    cp /stand-in/flowscope \"target/$target/release/flowscope\"\n";
const USERS: &str =
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n";
const GROUPS: &str = "root:x:0:\nnogroup:x:65534:\n";

/// Settings of podman. Its limits may be above those of a process that may not raise them.
const SETTINGS: &str = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\nlog_driver = \"k8s-file\"\n\
    [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nlock_type = \"file\"\n";

/// What is sent to the sensor, and by which flows end within it.
const CAPTURE: &str = "tests/data/mixed.pcapng";

/// `CAP_NET_RAW` and `CAP_NET_ADMIN`.
const TWO: &str = "0000000000003000";
const NONE: &str = "0000000000000000";

const NOBODY: u32 = 65534;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// The step of `cargo xtask ci`. Without podman, or where it can start no container, it says that it was skipped.
pub(crate) fn step(sh: &Shell) -> Result<()> {
    if fs::metadata("/proc/self").map_or(true, |process| process.uid() != 0) {
        println!("SKIPPED: container: this process does not run as root");
        return Ok(());
    }
    for program in ["podman", "unshare", "ip"] {
        if cmd!(sh, "which {program}").quiet().ignore_stdout().ignore_stderr().run().is_err() {
            return needs::skip("container", &format!("there is no {program}"));
        }
    }
    if !targets::is_installed(sh, dist::TARGET)? {
        println!("SKIPPED: container: {}", targets::how_to_install(dist::TARGET));
        return Ok(());
    }
    let program = sh.current_dir().join(dist::program(sh)?);
    let folder = sh.create_temp_dir()?;
    // A first process that ends takes along all others of its namespace, and the kernel takes back what they have mounted.
    let status = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(env::current_exe()?)
        .args([INSIDE.as_ref(), folder.path().as_os_str(), program.as_os_str()])
        .status()?;
    if !status.success() {
        return Err("a container does not do what the guide says".into());
    }
    Ok(())
}

/// The part of the step that has namespaces of its own.
pub(crate) fn run_inside(args: &[String]) -> Result<()> {
    let [folder, program] = args else {
        return Err("this task is for `ci container` to start".into());
    };
    if std::process::id() != 1 {
        return Err("this task is for `ci container` to start".into());
    }
    let lab = Lab::set_up(PathBuf::from(folder), PathBuf::from(program))?;
    if let Err(why) = lab.build_stand_in() {
        println!("SKIPPED: container: podman builds and starts no container here: {why}");
        return Ok(());
    }
    lab.build()?;
    let guide = fs::read_to_string(GUIDE)?;
    let commands = guide::commands(&guide)?;
    for (number, command) in commands.iter().enumerate() {
        lab.check_command(&format!("guide-{number}"), command)?;
    }
    lab.check_missing_capabilities(&commands)?;
    let command = guide::command_of_file(&fs::read_to_string(FILE)?)?;
    lab.check_sensor(&command, guide::sensor(&guide)?)?;
    lab.check_pod(guide::pod(&guide)?)
}

/// Where containers run: a network namespace with the interfaces v0 and v1, and podman with a state of its own.
struct Lab {
    sh: Shell,
    folder: PathBuf,
    program: PathBuf,
    /// Packets of [`CAPTURE`].
    packets: u64,
}

/// A container that captures.
struct Sensor<'a> {
    lab: &'a Lab,
    name: String,
    logs: PathBuf,
}

impl Lab {
    fn set_up(folder: PathBuf, program: PathBuf) -> Result<Self> {
        let sh = Shell::new()?;
        // State that podman keeps beside its storage, and what it knows of this machine's containers.
        for place in ["/run", "/dev/shm"] {
            cmd!(sh, "mount -t tmpfs tmpfs {place}").quiet().run()?;
        }
        // crun refuses a tree of version 2 with controllers beside trees of version 1.
        let _ = cmd!(sh, "umount /sys/fs/cgroup/unified").quiet().ignore_stderr().run();
        for setting in ["all", "default"] {
            // Interfaces send no frames of their own.
            let _ = fs::write(format!("/proc/sys/net/ipv6/conf/{setting}/disable_ipv6"), "1");
        }
        cmd!(sh, "ip link add v0 type veth peer name v1").quiet().run()?;
        for interface in ["lo", "v0", "v1"] {
            cmd!(sh, "ip link set {interface} up").quiet().run()?;
        }
        let storage = folder.join("storage");
        let storage = format!(
            "[storage]\ndriver = \"overlay\"\ngraphroot = {storage:?}\nrunroot = \"/run/storage\"\n"
        );
        for (name, text) in [("containers.conf", SETTINGS), ("storage.conf", &storage)] {
            fs::write(folder.join(name), text)?;
        }
        sh.set_var("CONTAINERS_CONF", folder.join("containers.conf"));
        sh.set_var("CONTAINERS_STORAGE_CONF", folder.join("storage.conf"));
        sh.set_var("TMPDIR", &folder);
        let read = cmd!(sh, "{program} flows --format eve {CAPTURE}").quiet().read()?;
        let packets = last_record(&read)?["stats"]["packets"]["seen"].as_u64();
        Ok(Lab { sh, folder, program, packets: packets.ok_or("no number of packets")? })
    }

    /// Runs podman, and returns what it prints.
    fn podman(&self, args: &[impl AsRef<std::ffi::OsStr>]) -> Result<String> {
        let output = cmd!(self.sh, "podman {args...}").quiet().ignore_status().output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if !output.status.success() {
            return Err(format!("{}: {}", output.status, text(&output.stderr).trim_end()).into());
        }
        // Of a container, both go to its log.
        Ok(text(&output.stdout) + &text(&output.stderr))
    }

    /// Builds the stand-in for the image that compiles, and starts it.
    fn build_stand_in(&self) -> Result<()> {
        let context = self.folder.join("stand-in");
        for folder in ["stand-in", "etc"] {
            fs::create_dir_all(context.join(folder))?;
        }
        fs::copy(&self.program, context.join("stand-in/flowscope"))?;
        for (name, text) in [
            ("stand-in/rustup", RUSTUP),
            ("stand-in/cargo", CARGO),
            ("etc/passwd", USERS),
            ("etc/group", GROUPS),
        ] {
            fs::write(context.join(name), text)?;
            fs::set_permissions(context.join(name), PermissionsExt::from_mode(0o755))?;
        }
        let file = self.folder.join("Containerfile.stand-in");
        fs::write(&file, STAND_IN)?;
        let (file, context) = (path(&file), path(&context));
        self.podman(&["build", "--pull=never", "-f", &file, "-t", COMPILER, &context])?;
        let program = "/stand-in/flowscope";
        self.podman(&["run", "--rm", "--network=host", COMPILER, program, "--version"])?;
        Ok(())
    }

    /// Builds the image of contrib/Containerfile on the stand-in.
    fn build(&self) -> Result<()> {
        let mut build = vec!["build", "--pull=never", "--network=host"];
        for folder in ["/usr:/usr:ro", "/bin:/bin:ro", "/lib:/lib:ro", "/lib64:/lib64:ro"] {
            build.extend(["--volume", folder]);
        }
        build.extend(["-f", FILE, "-t", "flowscope", "."]);
        self.podman(&build)?;
        Ok(())
    }

    /// Starts a command of the guide, and returns once it captures. Logs go to a new folder of its user's.
    fn start(&self, name: &str, command: &[String]) -> Result<Sensor<'_>> {
        let logs = self.folder.join(name);
        fs::create_dir(&logs)?;
        if command.iter().any(|word| word == "--user") {
            chown(&logs, Some(NOBODY), Some(NOBODY))?;
        }
        let words = self.words(command, &logs).into_iter().filter(|word| word != "--rm");
        let name = name.to_owned();
        let detached = ["run", "--detach", "--name", &name].map(str::to_owned);
        self.podman(&detached.into_iter().chain(words).collect::<Vec<_>>())?;
        let sensor = Sensor { lab: self, name, logs };
        sensor.wait_until_it_captures()?;
        Ok(sensor)
    }

    /// Options and arguments of a command of the guide, for this machine.
    fn words(&self, command: &[String], logs: &Path) -> Vec<String> {
        let here = |word: &String| match word.as_str() {
            "eth0" => "v1".to_owned(),
            word => word
                .replace("/var/log/flowscope:", &format!("{}:", path(logs)))
                .replace("/etc/flowscope:/", &format!("{}/etc:/", path(&self.folder))),
        };
        command[guide::RUN.len()..].iter().map(here).collect()
    }

    /// Sends the capture to v1.
    fn send(&self) -> Result<()> {
        let program = &self.program;
        cmd!(self.sh, "{program} replay -i v0 --topspeed {CAPTURE}")
            .quiet()
            .ignore_stderr()
            .run()?;
        Ok(())
    }

    /// A command of the guide captures with no more rights than it says, rotates, and ends with complete files.
    fn check_command(&self, name: &str, command: &[String]) -> Result<()> {
        let has = |word: &str| command.iter().any(|other| other == word);
        let sensor = self.start(name, command)?;
        let (user, capabilities) = match (has("nobody"), has("65534:65534")) {
            (true, _) => (NOBODY, NONE),
            (_, true) => (NOBODY, TWO),
            _ => (0, TWO),
        };
        sensor.check_rights(user, capabilities)?;
        self.send()?;
        sensor.rotate()?;
        self.send()?;
        sensor.stop(&["stop", name])?;
        sensor.check_logs(2 * self.packets)?;
        println!("container: `{}` captures, rotates and ends", command.join(" "));
        Ok(())
    }

    /// Without one of its capabilities, a command ends with an error that names it.
    fn check_missing_capabilities(&self, commands: &[Vec<String>]) -> Result<()> {
        for missing in ["NET_RAW", "SETUID", "SETGID"] {
            let has = |words: &&Vec<String>| words.iter().any(|word| word == missing);
            let Some(command) = commands.iter().find(has) else {
                return Err(format!("no container of the guide has {missing}").into());
            };
            let logs = self.folder.join(format!("without-{missing}"));
            fs::create_dir(&logs)?;
            let words = self.words(command, &logs);
            let at = words.iter().position(|word| word == missing).ok_or("no such word")?;
            let words = [&words[..at - 1], &words[at + 1..]].concat();
            let output = cmd!(self.sh, "podman run {words...}").quiet().ignore_status().output()?;
            let error = String::from_utf8_lossy(&output.stderr);
            let remedy = format!("--cap-add {missing}");
            if output.status.code() != Some(4) || !error.contains(&remedy) {
                return Err(format!("without {missing}: {}: {error}", output.status).into());
            }
        }
        println!("container: an error names the capability that is missing");
        Ok(())
    }

    /// The command of the Containerfile with the options of the guide, which answers Prometheus.
    fn check_sensor(&self, command: &[String], options: &str) -> Result<()> {
        let folder = self.folder.join("etc");
        fs::create_dir(&folder)?;
        fs::write(folder.join("sensor.toml"), options.replace("eth0", "v1"))?;
        let sensor = self.start("sensor", command)?;
        self.send()?;
        let counter =
            format!("\nnetring_packets_delivered_total{{stream=\"v1\"}} {}\n", self.packets);
        wait_until("the metrics have the packets", || Ok(metrics()?.contains(&counter)))?;
        sensor.rotate()?;
        sensor.stop(&["stop", "sensor"])?;
        sensor.check_logs(self.packets)?;
        println!("container: the sensor of the image answers Prometheus");
        Ok(())
    }

    fn check_pod(&self, pod: &str) -> Result<()> {
        let logs = self.folder.join("pod");
        let file = self.folder.join("pod.yaml");
        let here = format!("path: {}\n", path(&logs));
        let pod = pod.replace("eth0", "v1").replace("path: /var/log/flowscope\n", &here);
        fs::write(&file, pod)?;
        self.podman(&["kube", "play", &path(&file)])?;
        let sensor = Sensor { lab: self, name: "flowscope-sensor".to_owned(), logs };
        sensor.wait_until_it_captures()?;
        sensor.check_rights(0, TWO)?;
        self.send()?;
        sensor.rotate()?;
        sensor.stop(&["pod", "stop", "flowscope"])?;
        sensor.check_logs(self.packets)?;
        println!("container: the pod captures, rotates and ends");
        Ok(())
    }
}

impl Sensor<'_> {
    fn wait_until_it_captures(&self) -> Result<()> {
        let captures = || {
            let log = self.lab.podman(&["logs", &self.name])?;
            if self.inspect("{{.State.Running}}")? != "true" {
                return Err(format!("it has ended: {log}").into());
            }
            Ok(log.contains("flowscope: capturing on v1"))
        };
        wait_until("the container captures", captures)
    }

    fn inspect(&self, format: &str) -> Result<String> {
        let text =
            self.lab.podman(&["inspect", "--type=container", "--format", format, &self.name])?;
        Ok(text.trim().to_owned())
    }

    /// User and capabilities of each thread, none of which can gain others.
    fn check_rights(&self, user: u32, capabilities: &str) -> Result<()> {
        let tasks = format!("/proc/{}/task", self.inspect("{{.State.Pid}}")?);
        for task in fs::read_dir(tasks)? {
            let status = fs::read_to_string(task?.path().join("status"))?;
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                line.map(|line| line.trim().to_owned()).unwrap_or_default()
            };
            if field("Uid:") != vec![user.to_string(); 4].join("\t") {
                return Err(format!("{}: its user is {}", self.name, field("Uid:")).into());
            }
            for set in ["CapEff:", "CapPrm:"] {
                if field(set) != capabilities {
                    return Err(format!("{}: {set} {}", self.name, field(set)).into());
                }
            }
        }
        Ok(())
    }

    /// Has the log completed, once it has records.
    fn rotate(&self) -> Result<()> {
        wait_until("there are records", || {
            Ok(fs::metadata(self.logs.join("eve.json")).is_ok_and(|log| log.len() > 0))
        })?;
        self.lab.podman(&["kill", "--signal", "HUP", &self.name])?;
        wait_until("a log is complete", || Ok(self.read()?.keys().any(|name| is_complete(name))))
    }

    /// Stops it as podman does, which has to be for its own SIGTERM, not for the SIGKILL that would follow.
    fn stop(&self, command: &[&str]) -> Result<()> {
        let start = Instant::now();
        self.lab.podman(command)?;
        let (code, took) = (self.inspect("{{.State.ExitCode}}")?, start.elapsed());
        if code != "0" || took > Duration::from_secs(9) {
            let log = self.lab.podman(&["logs", &self.name])?;
            return Err(format!("{}: ended with {code} after {took:?}: {log}", self.name).into());
        }
        Ok(())
    }

    /// Files of the logs, and their text.
    fn read(&self) -> Result<BTreeMap<String, String>> {
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&self.logs)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.insert(name, fs::read_to_string(&path)?);
        }
        Ok(files)
    }

    /// All files are complete, and their records tell of this many packets and of no loss.
    fn check_logs(&self, packets: u64) -> Result<()> {
        let files = self.read()?;
        if let Some(name) = files.keys().find(|name| !is_complete(name)) {
            return Err(format!("{}: {name} is not complete", self.name).into());
        }
        let mut records = 0;
        for line in files.values().flat_map(|text| text.lines()) {
            serde_json::from_str::<Value>(line).map_err(|error| format!("{line}: {error}"))?;
            records += 1;
        }
        let last = files.values().last().ok_or("no log")?;
        let stats = &last_record(last)?["stats"]["packets"];
        let count = |name: &str| stats[name].as_u64();
        if count("seen") != Some(packets)
            || count("kernel_drop").is_some_and(|n| n > 0)
            || records < 10
        {
            return Err(format!("{}: {packets} packets were sent: {stats}", self.name).into());
        }
        Ok(())
    }
}

/// Whether a log has the name of a complete one.
fn is_complete(name: &str) -> bool {
    name.starts_with("eve.20") && name.ends_with(".json")
}

fn last_record(text: &str) -> Result<Value> {
    Ok(serde_json::from_str(text.lines().last().ok_or("no record")?)?)
}

/// What Prometheus is answered.
fn metrics() -> Result<String> {
    let mut client = TcpStream::connect("127.0.0.1:9417")?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    Ok(answer)
}

fn path(path: &Path) -> String {
    path.display().to_string()
}

fn wait_until(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !condition()? {
        if start.elapsed() > PATIENCE {
            return Err(format!("waited in vain until {what}").into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_grows_is_not_complete() {
        assert!(is_complete("eve.20261130T010000Z.json"));
        assert!(!is_complete("eve.json") && !is_complete("eve.20261130T010000Z.json.part"));
    }

    #[test]
    fn the_file_and_the_guide_have_what_is_run() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let guide = fs::read_to_string(root.join(GUIDE)).unwrap();
        let file = fs::read_to_string(root.join(FILE)).unwrap();
        assert_eq!(guide::commands(&guide).unwrap().len(), 3);
        assert!(guide::pod(&guide).unwrap().contains("kind: Pod"));
        assert!(guide::sensor(&guide).unwrap().contains("metrics = "));
        assert!(guide::command_of_file(&file).unwrap().contains(&"flowscope".to_owned()));
        assert!(
            file.contains(&format!("FROM {} AS build\n", COMPILER.rsplit('/').next().unwrap()))
        );
    }
}
