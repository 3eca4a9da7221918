//! `--config FILE`: options from a file, as if they were on the command line.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What `--config` is called.
pub(super) const OPTION: &str = "config";

/// The command line with the options of the file that it names, if it names one. Options of the command line win.
///
/// # Errors
///
/// A message with the file, and with the line where it is one.
pub(super) fn expand(command: &Command, args: Vec<OsString>) -> Result<Vec<OsString>, String> {
    // Whatever is missing or wrong is found when all options are together.
    let matches = command.clone().ignore_errors(true).try_get_matches_from(&args);
    let Ok(matches) = matches else { return Ok(args) };
    let Some((name, given)) = matches.subcommand() else { return Ok(args) };
    let Some(file) = given.try_get_one::<PathBuf>(OPTION).ok().flatten() else { return Ok(args) };
    let Some(subcommand) = command.find_subcommand(name) else { return Ok(args) };
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let options = options(subcommand, given, file, &text)?;
    let Some(at) = args.iter().skip(1).position(|arg| arg == name) else { return Ok(args) };
    let (before, after) = args.split_at(at + 2);
    Ok([before, &options, after].concat())
}

/// The options of a file but for those that are on the command line.
fn options(
    subcommand: &Command,
    given: &ArgMatches,
    file: &Path,
    text: &str,
) -> Result<Vec<OsString>, String> {
    let at = |start: usize, what: &str| {
        let before = &text.as_bytes()[..start.min(text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}: {what}", file.display())
    };
    let table = DeTable::parse(text)
        .map_err(|error| at(error.span().map_or(0, |span| span.start), error.message()))?;
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut options = Vec::new();
    for (key, value) in entries {
        let name: &str = key.get_ref();
        let known = subcommand.get_arguments().find(|arg| is_called(arg, name));
        let Some(arg) = known.filter(|_| ![OPTION, "help", "version"].contains(&name)) else {
            let what = format!("`{name}` is no option of `flowscope {}`", subcommand.get_name());
            return Err(at(key.span().start, &what));
        };
        let values = values(arg, value)
            .map_err(|what| at(value.span().start, &format!("`{name}` takes {what}")))?;
        if given.value_source(arg.get_id().as_str()) != Some(ValueSource::CommandLine) {
            options
                .extend(values.into_iter().map(|value| OsString::from(format!("--{name}{value}"))));
        }
    }
    Ok(options)
}

fn is_called(arg: &Arg, name: &str) -> bool {
    arg.get_long() == Some(name)
        || arg.get_visible_aliases().is_some_and(|aliases| aliases.contains(&name))
}

/// What follows the name of an option, for each time that it is to be given.
fn values(arg: &Arg, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, &'static str> {
    let is_flag = !arg.get_action().takes_values();
    match value.get_ref() {
        DeValue::Boolean(true) if is_flag => Ok(vec![String::new()]),
        DeValue::Boolean(false) if is_flag => Ok(Vec::new()),
        _ if is_flag => Err("true or false"),
        DeValue::Array(all) => all.iter().map(single).collect(),
        _ => Ok(vec![single(value)?]),
    }
}

fn single(value: &Spanned<DeValue<'_>>) -> Result<String, &'static str> {
    match value.get_ref() {
        DeValue::String(text) => Ok(format!("={text}")),
        DeValue::Integer(number) if number.radix() == 10 => Ok(format!("={}", number.as_str())),
        DeValue::Float(number) => Ok(format!("={}", number.as_str())),
        _ => Err("text, a decimal number, or a list of these"),
    }
}

#[cfg(test)]
mod tests {
    use clap::{ArgAction, arg};

    use super::*;

    fn expanded(file: &str, args: &[&str]) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sensor.toml");
        fs::write(&path, file).unwrap();
        let command = Command::new("flowscope").subcommand(
            Command::new("sessions")
                .arg(arg!(-i --interface <I>).action(ArgAction::Append).required(true))
                .arg(arg!(--active <TIME>).visible_alias("interim"))
                .arg(Arg::new("promiscuous").long("promiscuous").action(ArgAction::SetTrue))
                .arg(arg!(--config <FILE>).value_parser(clap::value_parser!(PathBuf))),
        );
        let config = path.to_str().unwrap();
        let args =
            ["flowscope", "sessions", "--config", config].into_iter().chain(args.iter().copied());
        let expanded = expand(&command, args.map(OsString::from).collect());
        let text = |args: Vec<OsString>| args.join(" ".as_ref()).into_string().unwrap();
        let short = |text: String| text.replace(config, "FILE");
        expanded.map(text).map(short).map_err(short)
    }

    #[test]
    fn options_of_the_file_come_before_those_of_the_command_line() {
        let check = |file: &str, args: &[&str], expected: &str| {
            let expected = format!("flowscope sessions{expected} --config FILE");
            let given = args.iter().map(|arg| format!(" {arg}")).collect::<String>();
            assert_eq!(expanded(file, args), Ok(expected + &given), "{file}");
        };
        check("", &[], "");
        check("# none\n", &["-i", "a"], "");
        check("interface = 'eth0'\n", &[], " --interface=eth0");
        check(
            "interface = ['a', 'b']\nactive = 60",
            &[],
            " --interface=a --interface=b --active=60",
        );
        check("interim = 1.5\n", &[], " --interim=1.5");
        check("promiscuous = true", &[], " --promiscuous");
        check("promiscuous = false", &[], "");
        check("interface = '-x y'", &[], " --interface=-x y");
        // The command line wins, under any name.
        check("interface = 'a'\nactive = 60", &["-ib"], " --active=60");
        check("interim = 60", &["--active", "5"], "");
    }

    #[test]
    fn errors_have_the_line() {
        let check = |file: &str, expected: &str| {
            assert_eq!(expanded(file, &[]), Err(format!("FILE:{expected}")), "{file}");
        };
        check(
            "interface = 'a'\n\ncolour = 'x'",
            "3: `colour` is no option of `flowscope sessions`",
        );
        check("config = 'other.toml'", "1: `config` is no option of `flowscope sessions`");
        check("\npromiscuous = 1", "2: `promiscuous` takes true or false");
        check("active = true", "1: `active` takes text, a decimal number, or a list of these");
        check("active = [[1]]", "1: `active` takes text, a decimal number, or a list of these");
        check(
            "[interface]\nname = 'a'",
            "1: `interface` takes text, a decimal number, or a list of these",
        );
        assert!(expanded("active = ", &[]).unwrap_err().starts_with("FILE:1: "));
        assert!(expanded("a = 1\na = 2", &[]).unwrap_err().starts_with("FILE:2: "));
    }
}
