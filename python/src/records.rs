//! The iterator.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, mem, vec};

use flowscope::output::CaptureStats;
use flowscope_cli::RecordRun;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::{self, InputError};
use crate::reader::{self, Item, Message};
use crate::values::Values;

/// An iterator over records, each of them a dict.
#[pyclass(frozen, module = "flowscope")]
pub(crate) struct Records {
    values: Values,
    /// Whether records are those of protocols, or of flows.
    sessions: bool,
    closed: AtomicBool,
    stats: Mutex<Option<CaptureStats>>,
    // Never waited for while attached to the interpreter, and never held while values of Python are made: the thread
    // that holds it may need the interpreter then.
    state: Mutex<State>,
}

struct State {
    source: Source,
    /// Records that were received.
    batch: vec::IntoIter<Item>,
    /// What was not reported yet.
    warnings: VecDeque<InputError>,
    exceptions: VecDeque<InputError>,
    failed: Option<PyErr>,
}

enum Source {
    /// The thread starts with the first record that is asked for.
    Waiting(Box<RecordRun>),
    Reading(Receiver<Message>),
    Ended,
}

enum Next {
    Item(Item),
    /// No record came for some time.
    Pause,
    Ended,
}

/// How often signals are looked at while there is no record, about.
const PAUSE: Duration = Duration::from_millis(50);

impl State {
    /// Forgets all records, and what was wrong. The thread ends when it has one more message.
    fn close(&mut self) {
        *self = State::of(Source::Ended);
    }

    fn of(source: Source) -> Self {
        State {
            source,
            batch: Vec::new().into_iter(),
            warnings: VecDeque::new(),
            exceptions: VecDeque::new(),
            failed: None,
        }
    }
}

impl Records {
    pub(crate) fn new(run: RecordRun, sessions: bool, values: Values) -> Self {
        Records {
            values,
            sessions,
            closed: AtomicBool::new(false),
            stats: Mutex::default(),
            state: Mutex::new(State::of(Source::Waiting(Box::new(run)))),
        }
    }

    /// The next record, or `None` at the end; waits without the interpreter.
    fn next(&self, py: Python<'_>) -> PyResult<Option<Item>> {
        // Most records are there already.
        if let Some(item) = self.state.try_lock().ok().and_then(|mut state| state.batch.next()) {
            return Ok(Some(item));
        }
        loop {
            // Also if there always is a record: what takes them may be no code of Python, which would look itself.
            py.check_signals()?;
            match py.detach(|| self.wait(&mut lock(&self.state)))? {
                Next::Item(item) => return Ok(Some(item)),
                Next::Pause => {}
                Next::Ended => return Ok(None),
            }
        }
    }

    /// Waits for the next record for some time.
    fn wait(&self, state: &mut State) -> io::Result<Next> {
        let until = Instant::now() + PAUSE;
        loop {
            // Whoever closes may have to wait for the lock for long.
            if self.closed.load(Ordering::Relaxed) {
                state.close();
            }
            if let Some(item) = state.batch.next() {
                return Ok(Next::Item(item));
            }
            let receiver = match mem::replace(&mut state.source, Source::Ended) {
                Source::Waiting(run) => reader::start(*run, self.sessions)?,
                Source::Reading(receiver) => receiver,
                Source::Ended => return Ok(Next::Ended),
            };
            match receiver.recv_timeout(PAUSE) {
                Ok(Message::Records(batch)) => state.batch = batch.into_iter(),
                Ok(Message::Error(error)) if error.is_exception() => {
                    state.exceptions.push_back(error);
                }
                Ok(Message::Error(warning)) => state.warnings.push_back(warning),
                Ok(Message::Ended(ended)) => {
                    match ended {
                        Ok(()) => {}
                        Err(error) => state.failed = Some(errors::of_run(error)),
                    }
                    return Ok(Next::Ended);
                }
                Ok(Message::Stats(stats)) => *lock(&self.stats) = Some(*stats),
                Err(RecvTimeoutError::Timeout) => {
                    state.source = Source::Reading(receiver);
                    return Ok(Next::Pause);
                }
                // Only a panic ends the thread like that.
                Err(RecvTimeoutError::Disconnected) => {
                    let what = "the thread that reads has failed";
                    state.failed = Some(PyRuntimeError::new_err(what));
                    return Ok(Next::Ended);
                }
            }
            state.source = Source::Reading(receiver);
            // Messages may have no records: those of packets that no record is made of.
            if state.batch.as_slice().is_empty() && Instant::now() >= until {
                return Ok(Next::Pause);
            }
        }
    }

    /// Reports what was wrong, once: warnings first, then exceptions. Each call raises one, and leaves those behind it to
    /// the next call.
    fn report(&self, py: Python<'_>) -> PyResult<()> {
        let next = |queue: fn(&mut State) -> &mut VecDeque<InputError>| {
            py.detach(|| queue(&mut lock(&self.state)).pop_front())
        };
        while let Some(warning) = next(|state| &mut state.warnings) {
            warning.report(py)?;
        }
        py.detach(|| lock(&self.state).failed.take()).map_or(Ok(()), Err)?;
        next(|state| &mut state.exceptions).map_or(Ok(()), |exception| exception.report(py))
    }
}

#[pymethods]
impl Records {
    fn __iter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        match self.next(py)? {
            Some(Item::Flow(record)) => self.values.dict(py, &record.header, &*record).map(Some),
            Some(Item::Session(header, record)) => self.values.dict(py, &header, &record).map(Some),
            None => self.report(py).map(|()| None),
        }
    }

    /// Stops reading: there are no more records.
    fn close(&self, py: Python<'_>) {
        self.closed.store(true, Ordering::Relaxed);
        py.detach(|| lock(&self.state).close());
    }

    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _kind: &Bound<'_, PyAny>,
        _error: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
        self.close(py);
    }

    /// Where every packet and every byte of payload went, when all records were taken; `None` before.
    #[getter]
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let stats = lock(&self.stats).clone();
        stats.map(|stats| self.values.stats(py, &stats)).transpose()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
