//! Long output on a terminal goes through a pager.
//!
//! The program starts itself once more, with a pipe for its output, and becomes the pager: so the terminal stays
//! the pager's when Ctrl-C ends the reading.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _};
use std::process::Command;

/// Set for the program that writes to a pager: the columns of the terminal, 0 if they are not known.
const COLUMNS: &str = "FLOWSCOPE_PAGED_COLUMNS";

/// Shows what this process prints in a pager, if it prints to a terminal and there is one. Then it does not return:
/// the exit status is that of the pager.
pub(crate) fn start() {
    if !io::stdout().is_terminal() || is_reading() {
        return;
    }
    let size = terminal_size::terminal_size();
    let columns = size.map_or(0, |(terminal_size::Width(columns), _)| columns);
    let Some(pager) = pager(env::var_os("FLOWSCOPE_PAGER"), env::var_os("PAGER")) else { return };
    let Ok(program) = env::current_exe() else { return };
    let mut again = Command::new(program);
    again.args(env::args_os().skip(1)).env(COLUMNS, columns.to_string());
    show(again, &pager);
}

/// Whether a pager reads the output.
pub(crate) fn is_reading() -> bool {
    env::var_os(COLUMNS).is_some()
}

/// The columns of the terminal behind the pager that reads the output, if one does and they are known.
pub(crate) fn columns() -> Option<usize> {
    env::var(COLUMNS).ok()?.parse().ok().filter(|columns| *columns > 0)
}

/// The command of the pager. An empty one, and `cat`, are none.
fn pager(own: Option<OsString>, all: Option<OsString>) -> Option<OsString> {
    let pager = own.or(all).unwrap_or_else(|| "less".into());
    (!pager.is_empty() && pager != "cat").then_some(pager)
}

/// Runs `again`, and replaces this process by the pager of its output.
#[cfg(unix)]
fn show(mut again: Command, pager: &OsStr) {
    use std::os::unix::process::CommandExt as _;

    let found = |name: &str| {
        let dirs = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&dirs).any(|dir| dir.join(name).is_file())
    };
    // Without the default, output is not paged.
    if pager == "less" && !found("less") {
        return;
    }
    let Ok((output, input)) = io::pipe() else { return };
    // What is said of the output stands below it.
    if io::stderr().is_terminal() {
        let Ok(input) = input.try_clone() else { return };
        again.stderr(input);
    }
    let Ok(mut writer) = again.stdout(input).spawn() else { return };
    // It holds the writing end too.
    drop(again);
    let mut command = match words(pager) {
        Some((program, args)) => {
            let mut command = Command::new(program);
            command.args(args);
            command
        }
        None => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(pager);
            shell
        }
    };
    // Less ends where all fits the screen, keeps it, and shows colours.
    if env::var_os("LESS").is_none() {
        command.env("LESS", "FRX");
    }
    let error = command.stdin(output).exec();
    crate::say(&format!("{}: {error}", pager.to_string_lossy()));
    let _ = writer.kill();
    std::process::exit(1);
}

/// Program and arguments, if that is all; everything else is for a shell.
#[cfg(unix)]
fn words(pager: &OsStr) -> Option<(&str, Vec<&str>)> {
    let text = pager.to_str()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._+-, ".contains(c);
    let mut words = text.chars().all(is_plain).then(|| text.split_whitespace())?;
    Some((words.next()?, words.collect()))
}

#[cfg(not(unix))]
fn show(_: Command, _: &OsStr) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_variable_goes_before_that_of_all() {
        let check = |own: Option<&str>, all: Option<&str>, expected: Option<&str>| {
            let found = pager(own.map(Into::into), all.map(Into::into));
            assert_eq!(found, expected.map(OsString::from), "{own:?} {all:?}");
        };
        check(None, None, Some("less"));
        check(None, Some("most -s"), Some("most -s"));
        check(Some("less -S"), Some("most"), Some("less -S"));
        check(Some(""), Some("most"), None);
        check(Some("cat"), None, None);
        check(None, Some(""), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_shell_reads_what_is_more_than_words() {
        let check = |pager: &str, expected: Option<(&str, &[&str])>| {
            let found = words(OsStr::new(pager));
            let found = found.as_ref().map(|(program, args)| (*program, args.as_slice()));
            assert_eq!(found, expected, "{pager}");
        };
        check("less", Some(("less", &[])));
        check("less -S  -x4,8", Some(("less", &["-S", "-x4,8"])));
        check("LESS=S less", None);
        check("less | cat", None);
        check("'a b/less'", None);
        check(" ", None);
    }
}
