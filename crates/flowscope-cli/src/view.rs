//! `live`: a view on the terminal.

mod export;
mod held;
mod keys;
mod play;
mod screen;

use std::env;
use std::io::{self, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use flowscope_tui::{Action, View};

use crate::args::LiveArgs;
use crate::error::{Failure, Status};
use crate::output::{Gathering, SharedView};
use held::Holding;
pub(crate) use held::hold;
use screen::Screen;

/// Shows packets until the user quits.
pub(crate) fn live(args: LiveArgs) -> Result<Status, Failure> {
    let is_live = args.is_live()?;
    let mut view = View::new(&args.source()).zone(args.zone.zone(true)?);
    view = view.colors(env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()));
    if let Some(condition) = &args.condition {
        view = view.filter(condition).map_err(|error| Failure::Expression("--where", error))?;
    }
    may_draw()?;
    let shared = Arc::new(SharedView::new(view));
    stop_at_signals(&shared)?;
    let mut held = Holding::start();
    let gathered = {
        let shared = Arc::clone(&shared);
        let gathering = Gathering::new(Arc::clone(&shared), args.common.running.community_id_seed);
        let gather = move || {
            if is_live { capture(&args, gathering) } else { play::play(&args, gathering, &shared) }
        };
        thread::Builder::new().name("flowscope-gather".into()).spawn(gather)
    };
    let gathered =
        gathered.map_err(|error| Failure::Failed(format!("cannot start a thread: {error}")))?;
    let shown = show(&shared, &gathered, &mut held);
    shared.stop();
    shown.and(ended(gathered))
}

/// What became of the thread that reads packets, which was asked to stop.
fn ended(gathered: Gathered) -> Result<Status, Failure> {
    let stopped = Instant::now();
    while !gathered.is_finished() {
        // It may be waiting for a pipe; then it ends with the program.
        if stopped.elapsed() > PATIENCE {
            return Ok(Status::Done);
        }
        thread::sleep(SHORTLY);
    }
    gathered.join().unwrap_or_else(|_| {
        Err(Failure::Worker("the thread that reads packets has panicked".into()))
    })
}

/// The thread that reads packets.
type Gathered = JoinHandle<Result<Status, Failure>>;

/// Leaves the view at SIGINT and SIGTERM, so that the terminal is as before.
#[cfg(all(feature = "live", target_os = "linux"))]
fn stop_at_signals(shared: &Arc<SharedView>) -> Result<(), Failure> {
    let shared = Arc::clone(shared);
    crate::live::watch_signals(move || shared.stop())
}

#[cfg(not(all(feature = "live", target_os = "linux")))]
fn stop_at_signals(_: &Arc<SharedView>) -> Result<(), Failure> {
    Ok(())
}

#[cfg(all(feature = "live", target_os = "linux"))]
fn capture(args: &LiveArgs, gathering: Gathering) -> Result<Status, Failure> {
    use crate::output::Target;

    let common = &args.common;
    crate::live::track(&common.live, &common.running, Target::Stream(None), gathering)
}

#[cfg(not(all(feature = "live", target_os = "linux")))]
fn capture(_: &LiveArgs, _: Gathering) -> Result<Status, Failure> {
    Err(Failure::Usage("live capture is not part of this program".into()))
}

/// An error if standard output is no terminal on which a view can be drawn.
fn may_draw() -> Result<(), Failure> {
    let why = if !io::stdout().is_terminal() {
        "standard output is not a terminal"
    } else if env::var_os("TERM").is_some_and(|term| term == "dumb") {
        "TERM=dumb is a terminal without a cursor"
    } else {
        return Ok(());
    };
    Err(Failure::Usage(format!("{why}: `flowscope flows` and `summary` print lines")))
}

/// Shows the view from the time that there is something to show until the user quits.
fn show(shared: &SharedView, gathered: &Gathered, held: &mut Holding) -> Result<(), Failure> {
    while !shared.has_begun() {
        if shared.is_stopped() {
            return Ok(());
        }
        if gathered.is_finished() {
            // It could not begin, or there was nothing; unless it did meanwhile.
            if shared.has_begun() {
                break;
            }
            return Ok(());
        }
        thread::sleep(SHORTLY);
    }
    let mut screen = Screen::open()?;
    let mut drawn: Option<Instant> = None;
    while !shared.is_stopped() {
        if drawn.is_none_or(|at| at.elapsed() >= FRAME) {
            if gathered.is_finished() && !shared.lock().has_ended() {
                // It failed.
                break;
            }
            if let Some(message) = held.next() {
                shared.lock().say(&message);
            }
            screen.draw(shared)?;
            drawn = Some(Instant::now());
        }
        let Some(event) = screen.next_event(FRAME)? else { continue };
        drawn = None;
        let Some(key) = keys::key(&event) else { continue };
        let action = shared.lock().key(key);
        match action {
            Action::Quit => break,
            Action::Export(lines) => {
                let now = shared.lock().now();
                let said = match export::write(Path::new("."), now, &lines) {
                    Ok(name) => format!("exported to {name}"),
                    Err(error) => format!("cannot export: {error}"),
                };
                shared.lock().say(&said);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Time between two looks at whether a thread has come so far.
const SHORTLY: Duration = Duration::from_millis(10);

/// How long a thread that was asked to stop is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Time between two pictures.
const FRAME: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_signal_ends_a_view_that_has_nothing_to_show_yet() {
        let (open, waiting) = mpsc::channel::<()>();
        let gathered = thread::spawn(move || {
            let _ = waiting.recv();
            Ok(Status::Done)
        });
        let shared = SharedView::new(View::new("pipe"));
        let (shown, is_shown) = mpsc::channel();
        thread::spawn(move || {
            shared.stop();
            let is_ok = show(&shared, &gathered, &mut Holding::start()).is_ok();
            shown.send((is_ok, gathered.is_finished()))
        });
        let ended = is_shown.recv_timeout(Duration::from_secs(20));
        assert_eq!(ended, Ok((true, false)));
        drop(open);
    }
}
