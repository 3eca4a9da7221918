//! A terminal that tmux makes: what it shows is known, however it is drawn.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A server of tmux for one test, with one window.
pub(crate) struct Tmux(PathBuf);

impl Tmux {
    /// Runs a command of the shell in a window of 100 columns and 30 rows.
    pub(crate) fn start(socket: PathBuf, shell: &str) -> Self {
        let tmux = Tmux(socket);
        tmux.run(&["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", shell]);
        tmux
    }

    fn run(&self, args: &[&str]) -> String {
        let mut tmux = Command::new("tmux");
        let ran = tmux.arg("-S").arg(&self.0).args(args).output().expect("tmux");
        assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    pub(crate) fn keys(&self, keys: &[&str]) {
        self.run(&[&["send-keys"], keys].concat());
    }

    /// Waits until the window has all of these texts. Returns all that it has.
    pub(crate) fn shows(&self, texts: &[&str]) -> String {
        let started = Instant::now();
        loop {
            let window = self.run(&["capture-pane", "-p"]);
            if texts.iter().all(|text| window.contains(text)) {
                return window;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "{texts:?} in\n{window}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = Command::new("tmux").arg("-S").arg(&self.0).arg("kill-server").output();
    }
}
