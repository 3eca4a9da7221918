//! Secrets of TLS: of the file that `--keylog` names, and of the capture itself.

use std::fs::File;
use std::io::BufReader;
use std::mem;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use flowscope::decrypt::{KeyLog, SecretSource, SessionSecrets};
use flowscope::pcap::DecryptionSecrets;
use flowscope::record::Protocol;
use flowscope::tls::Tls;

use crate::args::Running;
use crate::error::Failure;
use crate::output::count;
use crate::reading::PayloadMode;

/// The secrets that parsers look into, and those of the capture that are to be added.
///
/// Parsers may run behind the reader of the capture. So blocks wait until all packets before them have been parsed:
/// the output is that of one thread.
#[derive(Default)]
pub(crate) struct Secrets {
    /// What the user should know of the key log.
    notes: Vec<String>,
    log: Arc<SharedLog>,
    /// Secrets of the file that were refused, which the notes have.
    refused: u64,
    waiting: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// A key log that grows while threads read it.
#[derive(Default)]
struct SharedLog(RwLock<KeyLog>);

impl SecretSource for SharedLog {
    fn session(&self, client_random: &[u8; 32]) -> Option<SessionSecrets> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).session(client_random)
    }
}

impl Secrets {
    /// Those that a run with these arguments decrypts with; `None` if it does not read TLS, or if there can be no
    /// secrets. `has_blocks` says whether captures may have some.
    pub(crate) fn of_run(
        args: &Running,
        reading: PayloadMode,
        has_blocks: bool,
    ) -> Result<Option<Self>, Failure> {
        let PayloadMode::Messages(options) = reading else { return Ok(None) };
        if !options.parsed.protocols().any(|protocol| protocol.name == Tls::NAME) {
            return Ok(None);
        }
        match &args.keylog {
            Some(path) => Secrets::open(path, KeyLog::new()).map(Some),
            None => Ok(has_blocks.then(Secrets::default)),
        }
    }

    /// Those of the key log at this path, added to `log`.
    fn open(path: &Path, mut log: KeyLog) -> Result<Self, Failure> {
        let read = File::open(path).and_then(|file| log.read(BufReader::new(file)));
        if let Err(error) = read {
            return Err(Failure::Input { name: path.display().to_string(), source: error });
        }
        let mut notes = Vec::new();
        if log.sessions() == 0 {
            notes.push(format!("{}: has no secrets of TLS", path.display()));
        }
        if log.refused() > 0 {
            let sessions = log.sessions();
            notes.push(format!(
                "{}: has the secrets of more than {sessions} connections",
                path.display()
            ));
        }
        let refused = log.refused();
        let log = Arc::new(SharedLog(RwLock::new(log)));
        Ok(Secrets { notes, log, refused, ..Secrets::default() })
    }

    /// What the user should know of the key log.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the user should know of the secrets of the capture, at its end.
    pub(crate) fn refused(&self) -> Option<String> {
        let log = self.log.0.read().unwrap_or_else(PoisonError::into_inner);
        let refused = log.refused() - self.refused;
        (refused > 0).then(|| {
            let (secrets, sessions) = (count(refused, "secret"), log.sessions());
            format!("left out: {secrets} of the capture, beyond those of {sessions} connections")
        })
    }

    /// Where parsers look.
    pub(crate) fn source(&self) -> Arc<dyn SecretSource> {
        self.log.clone()
    }

    /// What takes the secrets of captures.
    pub(crate) fn sink(&self) -> impl FnMut(DecryptionSecrets<'_>) + Send + 'static {
        let waiting = self.waiting.clone();
        move |secrets| {
            if secrets.kind == DecryptionSecrets::TLS_KEY_LOG {
                let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                waiting.push(secrets.data.to_vec());
            }
        }
    }

    /// Whether there are secrets of the capture to be added.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Adds them. All packets before them have been parsed.
    pub(crate) fn add_waiting(&self) {
        let waiting = mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let mut log = self.log.0.write().unwrap_or_else(PoisonError::into_inner);
        waiting.iter().for_each(|text| log.extend(text));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn secrets_that_are_refused_are_named_once() {
        let folder = tempfile::tempdir().unwrap();
        let line = |number: u32| format!("CLIENT_RANDOM {number:064x} {number:096x}\n");
        let refused = |of_file: u32, of_capture: &[u32]| {
            let path = folder.path().join("keys.txt");
            fs::write(&path, (0..of_file).map(line).collect::<String>()).unwrap();
            let secrets = Secrets::open(&path, KeyLog::new().max_sessions(2)).unwrap();
            let text: String = of_capture.iter().copied().map(line).collect();
            let kind = DecryptionSecrets::TLS_KEY_LOG;
            secrets.sink()(DecryptionSecrets { kind, data: text.as_bytes() });
            secrets.add_waiting();
            (secrets.notes().len(), secrets.refused())
        };
        let left_out = |what: &str| {
            Some(format!("left out: {what} of the capture, beyond those of 2 connections"))
        };
        assert_eq!(refused(2, &[0, 1]), (0, None));
        assert_eq!(refused(3, &[0]), (1, None));
        assert_eq!(refused(1, &[1, 2, 3]), (0, left_out("2 secrets")));
        assert_eq!(refused(3, &[2]), (1, left_out("1 secret")));
    }
}
