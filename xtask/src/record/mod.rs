//! `cargo xtask record`: makes the captures in `tests/data` from real servers and clients.
//!
//! The command starts itself again in namespaces of its own (network, mounts, processes), so that
//! nothing of it can reach the machine's interfaces or outlive it, however it ends.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use xshell::{Shell, cmd};

use crate::Result;
use capture::{Capture, Stamps};
use check::Expected;
use lab::{DIR, Lab};

mod capture;
mod check;
mod database;
mod dhcp;
mod dns;
mod ftp;
mod http;
mod krb5;
mod lab;
mod ldap;
mod link;
mod mail;
mod mixed;
mod modbus;
mod mqtt;
mod names;
mod ntp;
mod pcap;
mod proxy;
mod quic;
mod radius;
mod rdp;
mod report;
mod sip;
mod smb;
mod snmp;
mod ssh;
mod tcp;
mod tls;
mod udp;
mod web;

/// The task as which the command starts itself again.
pub(crate) const INSIDE: &str = "record-inside";

const FOLDER: &str = "tests/data";
const PAGE: &str = "README.md";

/// Bound on all captures together, in bytes.
const FOLDER_BYTES: u64 = 3_000_000;

/// Attempts at one capture. Where processors are short, packets are seen out of order or sent twice.
const TRIES: u32 = 3;

/// Where clients write their secrets down, in the lab.
const KEYS: &str = "keys.txt";

/// How one capture is made.
struct Recipe {
    /// Name of the file in `tests/data`.
    name: &'static str,
    /// What it is for, as a sentence for the page.
    holds: &'static str,
    stamps: Stamps,
    /// Starts servers, runs clients; capture begins before and ends after.
    make: fn(&mut Lab) -> Result<()>,
    /// What becomes of the file that tcpdump wrote.
    then: Then,
    expected: &'static [Expected],
}

/// The last step from tcpdump's file to the one kept.
#[derive(Clone, Copy)]
enum Then {
    Keep,
    /// Insert these tags, outermost first, into every frame.
    Tag(&'static [pcap::Tag]),
    /// Rewrite as pcapng.
    PcapNg,
    /// Compress as pcap.
    Gzip,
    /// Rewrite as pcapng, and compress.
    PcapNgZstd,
    /// Keep the secrets of [`KEYS`] in a file beside it, which has its name and ends in `.txt`.
    KeysBeside,
    /// Rewrite as pcapng with the secrets of [`KEYS`] in it.
    KeysWithin,
}

/// Programs that recordings need, libraries by their full path, and the Debian packages of both.
const PROGRAMS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("ss", "iproute2"),
    ("ethtool", "ethtool"),
    ("sysctl", "procps"),
    ("ping", "iputils-ping"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("tcpdump", "tcpdump"),
    ("tshark", "tshark"),
    ("editcap", "wireshark-common"),
    ("gzip", "gzip"),
    ("zstd", "zstd"),
    ("nginx", "nginx-light"),
    ("curl", "curl"),
    ("nghttp", "nghttp2-client"),
    ("nghttpx", "nghttp2-proxy"),
    ("/usr/lib/python3/dist-packages/websockets", "python3-websockets"),
    ("/usr/lib/python3/dist-packages/pymodbus", "python3-pymodbus"),
    ("/usr/lib/python3/dist-packages/pyftpdlib", "python3-pyftpdlib"),
    ("krb5kdc", "krb5-kdc"),
    ("kadmin.local", "krb5-admin-server"),
    ("kinit", "krb5-user"),
    ("openssl", "openssl"),
    ("socat", "socat"),
    ("dnsmasq", "dnsmasq-base"),
    ("dig", "bind9-dnsutils"),
    ("ssh", "openssh-client"),
    ("sshd", "openssh-server"),
    ("smbd", "samba"),
    ("smbclient", "smbclient"),
    ("nmbd", "samba"),
    ("avahi-daemon", "avahi-daemon"),
    ("/usr/lib/python3/dist-packages/zeroconf", "python3-zeroconf"),
    ("gtlsserver", "ngtcp2-server"),
    ("gtlsclient", "ngtcp2-client"),
    ("exim4", "exim4-daemon-light"),
    ("dovecot", "dovecot-core"),
    ("/usr/lib/dovecot/imap", "dovecot-imapd"),
    ("/usr/lib/dovecot/pop3", "dovecot-pop3d"),
    ("chronyd", "chrony"),
    ("dhclient", "isc-dhcp-client"),
    ("/usr/lib/postgresql/15/bin/postgres", "postgresql-15"),
    ("psql", "postgresql-client-15"),
    ("mariadbd", "mariadb-server"),
    ("mariadb", "mariadb-client"),
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
    ("microsocks", "microsocks"),
    ("haproxy", "haproxy"),
    ("sipp", "sip-tester"),
    ("mosquitto", "mosquitto"),
    ("mosquitto_pub", "mosquitto-clients"),
    ("snmpd", "snmpd"),
    ("snmptrapd", "snmptrapd"),
    ("snmpget", "snmp"),
    ("freeradius", "freeradius"),
    ("radclient", "freeradius-utils"),
    ("xrdp", "xrdp"),
    ("xfreerdp", "freerdp2-x11"),
    ("Xvfb", "xvfb"),
    ("slapd", "slapd"),
    ("ldapsearch", "ldap-utils"),
];

/// Records what `args` name, everything by default.
pub(crate) fn run(args: &[String]) -> Result<()> {
    if args == ["--list"] {
        for recipe in recipes() {
            println!("{:24} {}", recipe.name, recipe.holds);
        }
        return Ok(());
    }
    chosen(args)?;
    if fs::metadata("/proc/self").map_or(true, |process| process.uid() != 0) {
        return Err("record makes network namespaces, for which it needs root".into());
    }
    let path = format!("{}:/usr/sbin:/sbin", env::var("PATH").unwrap_or_default());
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !env::split_paths(&path).any(|dir| dir.join(program).exists()))
        .map(|(_, package)| *package)
        .collect();
    if !missing.is_empty() {
        return Err(format!("record needs these packages: {}", missing.join(" ")).into());
    }
    // A first process that dies takes along all others of its namespace, and the kernel takes back
    // namespaces and mounts without processes. The environment's settings and proxies stay out.
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork"])
        .args(["--kill-child", "--mount-proc", "env", "-i", &format!("PATH={path}")])
        .args([&format!("HOME={DIR}"), "LC_ALL=C"])
        .arg(env::current_exe()?)
        .arg(INSIDE)
        .args(args)
        .status()?;
    if !status.success() {
        return Err("record stopped there".into());
    }
    Ok(())
}

/// The part of [`run`] that has namespaces of its own.
pub(crate) fn run_inside(args: &[String]) -> Result<()> {
    if std::process::id() != 1 {
        return Err("this task is for `record` to start".into());
    }
    let sh = Shell::new()?;
    // Names of namespaces, pid files and sockets all live under /run; sshd insists on its folder.
    cmd!(sh, "mount -t tmpfs tmpfs /run").quiet().run()?;
    sh.create_dir("/run/sshd")?;
    sh.create_dir(FOLDER)?;
    let order: Vec<&str> = recipes().map(|recipe| recipe.name).collect();
    let page = Path::new(FOLDER).join(PAGE);
    let start = Instant::now();
    let recipes = chosen(args)?;
    for recipe in &recipes {
        let start = Instant::now();
        let section = record_with_patience(&sh, recipe)?;
        let before = fs::read_to_string(&page).unwrap_or_default();
        fs::write(&page, report::updated(&before, &order, recipe.name, &section))?;
        let size = fs::metadata(Path::new(FOLDER).join(recipe.name))?.len();
        println!("{:24} {size:>8} bytes  {:.1} s", recipe.name, start.elapsed().as_secs_f64());
    }
    println!("{} captures in {:.1} s", recipes.len(), start.elapsed().as_secs_f64());
    check_folder()
}

/// Checks that the folder and its page name the same files, and that they are small.
pub(crate) fn check_folder() -> Result<()> {
    let page = fs::read_to_string(Path::new(FOLDER).join(PAGE))?;
    let mut bytes = 0;
    let mut files = Vec::new();
    for entry in fs::read_dir(FOLDER)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_file() && name != PAGE {
            bytes += entry.metadata()?.len();
            files.push(name);
        }
    }
    check_names(&page, &files)?;
    if bytes > FOLDER_BYTES {
        return Err(format!("{FOLDER} holds {bytes} bytes, the bound is {FOLDER_BYTES}").into());
    }
    Ok(())
}

/// Checks that the page describes these files and no others.
fn check_names(page: &str, files: &[String]) -> Result<()> {
    let has_keys = |name: &&str| {
        recipes().any(|recipe| recipe.name == *name && matches!(recipe.then, Then::KeysBeside))
    };
    // Secrets beside a capture are described with it.
    let keys = report::names(page).filter(has_keys).map(keys_of);
    let described: Vec<String> = report::names(page).map(str::to_owned).chain(keys).collect();
    if let Some(file) = files.iter().find(|file| !described.contains(file)) {
        return Err(format!("{FOLDER}/{PAGE} does not say where {file} came from").into());
    }
    if let Some(name) = described.iter().find(|name| !files.contains(name)) {
        return Err(format!("{FOLDER}/{PAGE} describes {name}, which is not there").into());
    }
    Ok(())
}

fn recipes() -> impl Iterator<Item = &'static Recipe> {
    [http::RECIPES, tls::RECIPES, dns::RECIPES, tcp::RECIPES, ssh::RECIPES, udp::RECIPES]
        .into_iter()
        .chain([
            web::RECIPES,
            quic::RECIPES,
            mail::RECIPES,
            names::RECIPES,
            ntp::RECIPES,
            dhcp::RECIPES,
            database::RECIPES,
            proxy::RECIPES,
            sip::RECIPES,
            mqtt::RECIPES,
            snmp::RECIPES,
            radius::RECIPES,
            rdp::RECIPES,
            ldap::RECIPES,
            krb5::RECIPES,
            modbus::RECIPES,
            smb::RECIPES,
            ftp::RECIPES,
            link::RECIPES,
            mixed::RECIPES,
        ])
        .flatten()
}

fn chosen(names: &[String]) -> Result<Vec<&'static Recipe>> {
    if let Some(name) = names.iter().find(|name| !recipes().any(|recipe| recipe.name == *name)) {
        return Err(format!("no capture `{name}`; `cargo xtask record --list` names them").into());
    }
    Ok(recipes()
        .filter(|recipe| names.is_empty() || names.iter().any(|name| name == recipe.name))
        .collect())
}

/// Makes one capture, once more where a busy machine spoilt it.
fn record_with_patience(sh: &Shell, recipe: &Recipe) -> Result<String> {
    let mut tries = 1;
    loop {
        match record(sh, recipe) {
            Err(error) if tries < TRIES => eprintln!("{}, once more: {error}", recipe.name),
            result => return result.map_err(|error| format!("{}: {error}", recipe.name).into()),
        }
        tries += 1;
    }
}

/// Makes one capture, checks it, puts it in its place, and returns its section of the page.
fn record(sh: &Shell, recipe: &Recipe) -> Result<String> {
    let mut lab = Lab::up()?;
    let capture = Capture::start(recipe.stamps)?;
    (recipe.make)(&mut lab)?;
    let file = finished(sh, &capture.finish()?, recipe)?;
    let summary = check::check(sh, &file, recipe.expected)?;
    let bytes = fs::read(&file)?;
    fs::write(Path::new(FOLDER).join(recipe.name), &bytes)?;
    if let Then::KeysBeside = recipe.then {
        let keys = Path::new(FOLDER).join(keys_of(recipe.name));
        fs::copy(Path::new(DIR).join(KEYS), keys)?;
    }
    let mut log = lab.log().to_vec();
    log.extend(recipe.then.note(recipe.name));
    Ok(report::section(recipe.holds, recipe.stamps.name(), bytes.len(), &summary, &log))
}

/// The file with the secrets beside a capture.
fn keys_of(name: &str) -> String {
    Path::new(name).with_extension("txt").display().to_string()
}

/// Takes the last step; the file returned still lies in the lab.
fn finished(sh: &Shell, captured: &[u8], recipe: &Recipe) -> Result<PathBuf> {
    let raw = Path::new(DIR).join("raw.pcap");
    let block = Path::new(DIR).join("raw.pcapng");
    let file = Path::new(DIR).join(recipe.name);
    fs::write(&raw, captured)?;
    match recipe.then {
        Then::Keep | Then::KeysBeside => fs::write(&file, captured)?,
        Then::Tag(tags) => fs::write(&file, pcap::with_tags(captured, tags)?)?,
        Then::PcapNg => cmd!(sh, "editcap -F pcapng {raw} {file}").quiet().run()?,
        Then::Gzip => fs::write(&file, cmd!(sh, "gzip -9 -n -c {raw}").quiet().output()?.stdout)?,
        Then::KeysWithin => {
            let keys = Path::new(DIR).join(KEYS).display().to_string();
            cmd!(sh, "editcap -F pcapng --inject-secrets tls,{keys} {raw} {file}").quiet().run()?;
        }
        Then::PcapNgZstd => {
            cmd!(sh, "editcap -F pcapng {raw} {block}").quiet().run()?;
            cmd!(sh, "zstd -19 --quiet --check {block} -o {file}").quiet().run()?;
        }
    }
    Ok(file)
}

impl Then {
    /// The line for the page.
    fn note(self, name: &str) -> Option<String> {
        match self {
            Then::Keep => None,
            Then::KeysBeside => Some(format!("cp {KEYS} {}", keys_of(name))),
            Then::KeysWithin => {
                Some(format!("editcap -F pcapng --inject-secrets tls,{KEYS} raw.pcap {name}"))
            }
            Then::Tag(tags) => {
                let tags: Vec<String> =
                    tags.iter().map(|(id, value)| format!("{id:#06x} {value:#06x}")).collect();
                Some(format!("# then tagged frame by frame by the recipe: {}", tags.join(", ")))
            }
            Then::PcapNg => Some(format!("editcap -F pcapng raw.pcap {name}")),
            Then::Gzip => Some(format!("gzip -9 -n -c raw.pcap > {name}")),
            Then::PcapNgZstd => Some(format!(
                "editcap -F pcapng raw.pcap raw.pcapng; zstd -19 --check raw.pcapng -o {name}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_and_the_folder_name_the_same_files() {
        let page = "head\n\n### smb.pcap\n\nS\n\n### tls12-keys.pcap\n\nK\n";
        let check = |files: &[&str]| {
            let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
            check_names(page, &files).map_err(|error| error.to_string())
        };
        assert_eq!(check(&["smb.pcap", "tls12-keys.pcap", "tls12-keys.txt"]), Ok(()));
        let error = |files: &[&str]| check(files).expect_err("a difference");
        // No recipe keeps secrets beside this capture.
        let other = error(&["smb.pcap", "smb.txt", "tls12-keys.pcap", "tls12-keys.txt"]);
        assert!(other.ends_with("where smb.txt came from"), "{other}");
        let missing = error(&["smb.pcap", "tls12-keys.pcap"]);
        assert!(missing.ends_with("describes tls12-keys.txt, which is not there"), "{missing}");
        let missing = error(&["tls12-keys.pcap", "tls12-keys.txt"]);
        assert!(missing.ends_with("describes smb.pcap, which is not there"), "{missing}");
    }
}
