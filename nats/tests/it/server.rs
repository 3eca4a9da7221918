//! `nats-server` on the loopback interface.

use std::env;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::ConnectOptions;
use tempfile::TempDir;

use crate::process::wait_for;

/// Servers of one cluster, or one alone. They are killed when this is dropped.
pub(crate) struct Servers {
    folder: TempDir,
    ports: Vec<u16>,
    routes: Vec<u16>,
    processes: Vec<Option<Child>>,
    /// The file with their configuration, if they have one.
    config: Option<PathBuf>,
}

/// Whether there is a server; says that a test is skipped if there is none.
pub(crate) fn is_there(test: &str) -> bool {
    let probe = Command::new("nats-server").arg("--version").stdout(Stdio::null()).status();
    if probe.is_ok_and(|status| status.success()) {
        return true;
    }
    let is_required = env::var_os("REQUIRE_DOWNLOADS").is_some_and(|value| value == "1");
    assert!(!is_required, "{test} needs nats-server");
    let _ = writeln!(io::stderr(), "SKIPPED: {test}: there is no nats-server");
    false
}

impl Servers {
    /// Starts so many servers.
    pub(crate) fn start(count: usize) -> Self {
        let mut servers = Servers {
            folder: tempfile::tempdir().unwrap(),
            ports: free_ports(count),
            routes: free_ports(count),
            processes: (0..count).map(|_| None).collect(),
            config: None,
        };
        for at in 0..count {
            servers.restart(at);
        }
        servers
    }

    /// One that is not started yet.
    pub(crate) fn away() -> Self {
        Servers {
            folder: tempfile::tempdir().unwrap(),
            ports: free_ports(1),
            routes: free_ports(1),
            processes: vec![None],
            config: None,
        }
    }

    /// Starts one with a configuration.
    pub(crate) fn configured(config: &str) -> Self {
        let mut servers = Servers::away();
        servers.configure(config);
        servers.restart(0);
        servers
    }

    /// For the next start.
    pub(crate) fn configure(&mut self, config: &str) {
        let path = self.folder.path().join("server.conf");
        std::fs::write(&path, config).unwrap();
        self.config = Some(path);
    }

    pub(crate) fn url(&self) -> String {
        let urls = self.ports.iter().map(|port| format!("nats://127.0.0.1:{port}"));
        urls.collect::<Vec<_>>().join(",")
    }

    /// Starts a server that does not run, with what it had on disk.
    pub(crate) fn restart(&mut self, at: usize) {
        let port = self.ports[at];
        let mut command = Command::new("nats-server");
        command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js", "-sd"]);
        command.arg(self.folder.path().join(at.to_string()));
        if let Some(config) = &self.config {
            command.arg("-c").arg(config);
        }
        if self.ports.len() > 1 {
            let route = |port: &u16| format!("nats-route://127.0.0.1:{port}");
            let routes: Vec<_> = self.routes.iter().map(route).collect();
            command.args(["-n", &format!("server{at}"), "--cluster_name", "test"]);
            command.args(["--cluster", &format!("nats://127.0.0.1:{}", self.routes[at])]);
            command.args(["--routes", &routes.join(",")]);
        }
        let log = std::fs::File::create(self.log(at)).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).stdin(Stdio::null()).spawn();
        self.processes[at] = Some(child.unwrap());
        wait_for("the server", || is_ready(port));
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self, at: usize) {
        let mut child = self.processes[at].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn log(&self, at: usize) -> PathBuf {
        Path::new(self.folder.path()).join(format!("{at}.log"))
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in self.processes.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|it| it.local_addr().unwrap().port()).collect()
}

/// A server speaks first.
fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let mut start = [0; 4];
    stream.read_exact(&mut start).is_ok() && start == *b"INFO"
}

/// Does something with a client.
pub(crate) fn with_client<T>(url: &str, body: impl AsyncFnOnce(async_nats::Client) -> T) -> T {
    with_client_of(url, ConnectOptions::new(), body)
}

/// Does something with a client that connects in this way.
pub(crate) fn with_client_of<T>(
    url: &str,
    options: ConnectOptions,
    body: impl AsyncFnOnce(async_nats::Client) -> T,
) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let first = url.split(',').next().unwrap();
        body(options.connect(first).await.unwrap()).await
    })
}
