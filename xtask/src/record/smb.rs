//! SMB: smbclient against Samba.

use super::capture::Stamps;
use super::lab::{DIR, End, Lab};
use super::{Recipe, Then};
use crate::Result;

pub(super) const RECIPES: &[Recipe] = &[Recipe {
    name: "smb.pcap",
    holds: "SMB 3.1.1: a login that writes, renames, reads and deletes a file and asks for one that is not there, one with a \
            wrong password, one to a share whose messages are encrypted, and a guest of 2.0.2.",
    stamps: Stamps::Micro,
    make: files,
    then: Then::Keep,
    expected: &[
        ("smb2.cmd == 5 && smb2.flags.response == 1", 6),
        ("smb2.cmd == 17", 2),
        ("smb2.nt_status == 0xc000006d", 1),
        ("smb2.nt_status == 0xc0000034", 1),
        ("ntlmssp.messagetype == 3", 4),
        ("smb2.header.transform.msg_size", 4),
        ("smb2.dialect == 0x0202", 1),
    ],
}];

/// Where Samba keeps what it has, in the folder of the recording.
pub(super) const FOLDERS: [&str; 5] = ["private", "state", "cache", "lock", "pid"];

/// The settings by which a server of Samba writes into the folder of the recording alone.
pub(super) fn settings(server: &str) -> String {
    let folder = |name: &str| match name {
        "private" => format!("private dir = {DIR}/private\n"),
        "pid" => format!("pid directory = {DIR}/pid\n"),
        _ => format!("{name} directory = {DIR}/{name}\n"),
    };
    let folders = FOLDERS.map(folder).concat();
    format!("{folders}ncalrpc dir = {DIR}/ncalrpc\nlog file = {DIR}/{server}.log\n")
}

/// Serves three shares on port 445, for one user and for guests.
fn serve(lab: &mut Lab) -> Result<()> {
    let share =
        |name: &str, more: &str| format!("[{name}]\npath = {DIR}/share\nread only = no\n{more}\n");
    let conf = [
        "[global]\nworkgroup = LAB\nnetbios name = FILES\nmap to guest = bad user\nguest account = root\n\
         load printers = no\ndisable spoolss = yes\nsmb ports = 445\n"
            .to_owned(),
        settings("smbd"),
        share("private", "valid users = root"),
        share("sealed", "valid users = root\nserver smb encrypt = required"),
        share("public", "guest ok = yes"),
    ];
    lab.file("smb.conf", &conf.concat())?;
    lab.file("client.conf", "[global]\nworkgroup = LAB\nnetbios name = DESK\n")?;
    lab.file("share/readme.txt", "hello\n")?;
    lab.file("draft.txt", "a draft\n")?;
    lab.file("password", "secret1\nsecret1\n")?;
    lab.prepare(End::Server, "mkdir private state cache lock pid")?;
    lab.prepare(End::Server, "smbpasswd -c smb.conf -s -a root < password")?;
    // The server says the name of its host.
    let server =
        "unshare --uts sh -c 'hostname files; exec smbd -F --no-process-group -s smb.conf'";
    lab.server("tcp/445", server)
}

fn files(lab: &mut Lab) -> Result<()> {
    serve(lab)?;
    let client = |options: &str, share: &str, commands: &str| {
        format!("smbclient -s client.conf {options} //10.77.0.2/{share} -c '{commands}'")
    };
    let user = "-m SMB3 -U root%secret1";
    // The last command fails, and with it the client.
    let commands = "put draft.txt; rename draft.txt final.txt; get readme.txt copy; del final.txt; get missing.txt";
    lab.client(&format!("! {}", client(user, "private", commands)))?;
    lab.client(&format!("! {}", client("-m SMB3 -U root%wrong", "private", "ls")))?;
    lab.client(&client(user, "sealed", "get readme.txt copy"))?;
    lab.client(&client("-m SMB2_02 -U visitor%any", "public", "get readme.txt copy"))
}
