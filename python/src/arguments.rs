//! Arguments of Python's functions as those of the command.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use flowscope_cli::RecordRun;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

use crate::errors;
use crate::values::Times;

/// What a function was called with.
pub(crate) struct Arguments {
    pub(crate) run: RecordRun,
    /// The chosen fields, if not all.
    pub(crate) fields: Option<Vec<String>>,
    pub(crate) times: Times,
}

/// Keywords that are options of the command, with `-` for `_`.
const OPTIONS: [&str; 17] = [
    "active",
    "checksums",
    "community_id_seed",
    "eviction",
    "filter",
    "linger",
    "max_flows",
    "memory",
    "other_idle",
    "overlap",
    "protocol",
    "resets",
    "tcp_idle",
    "udp_idle",
    "vlan_key",
    "where",
    "workers",
];

impl Arguments {
    pub(crate) fn new(
        command: &str,
        captures: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let mut args = vec![OsString::from(command)];
        let (mut fields, mut times) = (None, Times::Text);
        for (keyword, value) in options.into_iter().flatten() {
            let keyword: String = keyword.extract()?;
            if keyword == "fields" {
                fields = if value.is_none() { None } else { Some(strings(&keyword, &value)?) };
            } else if keyword == "times" {
                times = Times::new(&value)?;
            } else if OPTIONS.contains(&keyword.as_str()) {
                args.extend(option(&keyword, &value)?.map(OsString::from));
            } else {
                let what = format!("{command}() got an unexpected keyword argument '{keyword}'");
                return Err(PyTypeError::new_err(what));
            }
        }
        args.extend(
            fields.iter().map(|names: &Vec<String>| format!("--fields={}", names.join(",")).into()),
        );
        args.push("--".into());
        for path in paths(captures)? {
            fs::metadata(&path).map_err(|error| errors::of_file(&error, &path))?;
            args.push(path.into());
        }
        let run = RecordRun::new(args).map_err(errors::of_run)?;
        Ok(Arguments { run, fields, times })
    }
}

/// One path, or several.
fn paths(captures: &Bound<'_, PyAny>) -> PyResult<Vec<PathBuf>> {
    if let Ok(path) = captures.extract::<PathBuf>() {
        return Ok(vec![not_stdin(path)]);
    }
    let wrong = |value: &Bound<'_, PyAny>| {
        let kind = value.get_type();
        PyTypeError::new_err(format!(
            "captures: expected str, os.PathLike or a list of them, not {kind}"
        ))
    };
    let items = captures.try_iter().map_err(|_| wrong(captures))?;
    let paths = items
        .map(|item| {
            let item = item?;
            Ok(not_stdin(item.extract().map_err(|_| wrong(&item))?))
        })
        .collect::<PyResult<Vec<_>>>()?;
    if paths.is_empty() {
        return Err(PyValueError::new_err("captures: an empty list"));
    }
    Ok(paths)
}

/// A file may be called as the command calls its standard input.
fn not_stdin(path: PathBuf) -> PathBuf {
    if path.as_os_str() == "-" { Path::new(".").join(path) } else { path }
}

/// An option with its value; nothing for `None` and `False`.
fn option(keyword: &str, value: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let name = keyword.replace('_', "-");
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(flag.is_true().then(|| format!("--{name}")));
    }
    if value.is_none() {
        return Ok(None);
    }
    let is_number = value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>();
    let text = if is_number {
        value.str()?.extract()?
    } else if keyword == "protocol" {
        strings(keyword, value)?.join(",")
    } else {
        string(keyword, value)?
    };
    Ok(Some(format!("--{name}={text}")))
}

/// One string, or several. As for the command, a string may be several names with commas between them.
fn strings(keyword: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    let items = match value.try_iter() {
        Ok(items) if !value.is_instance_of::<PyString>() => {
            items.map(|item| string(keyword, &item?)).collect::<PyResult<Vec<_>>>()?
        }
        _ => vec![string(keyword, value)?],
    };
    if items.is_empty() {
        return Err(PyValueError::new_err(format!("{keyword}: an empty list")));
    }
    Ok(items.iter().flat_map(|item| item.split(',')).map(str::to_owned).collect())
}

fn string(keyword: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    let wrong = |_| {
        let kind = value.get_type();
        PyTypeError::new_err(format!("{keyword}: unexpected type {kind}"))
    };
    Ok(value.cast::<PyString>().map_err(wrong)?.to_cow()?.into_owned())
}
