//! The user that a capture goes on as.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::chown;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::prctl::set_no_new_privs;
use nix::unistd::{Uid, User, geteuid, initgroups, setgid, setuid};

use crate::error::Failure;

/// A user without privileges.
pub(super) struct Unprivileged(User);

impl Unprivileged {
    /// Looks a user up, and sets `no_new_privs` for this thread and those that it starts: programs that they start give
    /// them no privileges. Only root can become another user.
    pub(super) fn find(name: &str) -> Result<Self, Failure> {
        let failed = |what: String| Failure::Failed(format!("--user {name}: {what}"));
        if !geteuid().is_root() {
            return Err(Failure::Denied {
                what: format!(
                    "--user {name}: this program does not run as root, which alone can become another user"
                ),
                remedy: "start it as root, or as that user with CAP_NET_RAW and without --user"
                    .into(),
            });
        }
        set_no_new_privs().map_err(|error| failed(error.to_string()))?;
        match User::from_name(name) {
            Ok(Some(user)) if user.uid.is_root() => {
                Err(Failure::Usage("--user root keeps all privileges: leave it out".into()))
            }
            Ok(Some(user)) => Ok(Unprivileged(user)),
            Ok(None) => Err(failed("there is no such user".into())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    /// Creates a directory of this user's, unless it exists.
    pub(super) fn create(&self, directory: &Path) -> Result<(), Failure> {
        let failed = |source| Failure::Output { name: directory.display().to_string(), source };
        match fs::metadata(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Another error is found when it is written to.
            _ => return Ok(()),
        }
        fs::create_dir_all(directory).map_err(failed)?;
        let User { name, uid, gid, .. } = &self.0;
        match chown(directory, Some(uid.as_raw()), Some(gid.as_raw())) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                // An empty directory of root's is of no use.
                let _ = fs::remove_dir(directory);
                Err(Failure::Denied {
                    what: format!(
                        "--user {name}: {} cannot be given to that user, which takes CAP_CHOWN; \
                         create it before, as theirs, or start this with",
                        directory.display()
                    ),
                    remedy: "--cap-add CHOWN, or, by systemd, LogsDirectory=".into(),
                })
            }
            owned => owned.map_err(failed),
        }
    }

    /// Becomes this user, for all threads and for good, without capabilities. Returns what is to be said of it.
    pub(super) fn become_it(&self) -> Result<String, Failure> {
        let User { name, uid, gid, .. } = &self.0;
        let failed = |what: &str| Failure::Failed(format!("--user {name}: {what}"));
        let groups = CString::new(name.as_str()).map_err(|_| failed("no name of a user"))?;
        // Groups first: who is not root any more cannot change them. The kernel takes all capabilities from a
        // process that leaves root.
        let became =
            initgroups(&groups, *gid).and_then(|()| setgid(*gid)).and_then(|()| setuid(*uid));
        match became {
            Err(Errno::EPERM) => {
                return Err(Failure::Denied {
                    what: format!(
                        "--user {name}: root without CAP_SETUID and CAP_SETGID, as in a container without \
                         them, cannot become another user; start it with"
                    ),
                    remedy: "--cap-add SETUID --cap-add SETGID".into(),
                });
            }
            became => became.map_err(|error| failed(&error.to_string()))?,
        }
        if setuid(Uid::from_raw(0)).is_ok() {
            return Err(failed("root could be had back"));
        }
        Ok(format!("runs as {name} ({uid}:{gid}), without capabilities and new privileges"))
    }
}
