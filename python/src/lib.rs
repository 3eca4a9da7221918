//! The Python module `flowscope`: records of capture files as dicts. `flowscope.pyi` describes it.

mod arguments;
mod errors;
mod reader;
mod records;
mod values;

use pyo3::prelude::*;

use arguments::Arguments;
use values::Values;

#[pymodule]
mod flowscope {
    use pyo3::types::PyDict;

    use super::*;

    #[pymodule_export]
    use super::errors::{CaptureError, CaptureWarning};
    #[pymodule_export]
    use super::records::Records;

    /// Reads the flows of capture files.
    #[pyfunction]
    #[pyo3(signature = (captures, **options))]
    fn flows(
        captures: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Records> {
        read("flows", captures, options)
    }

    /// Reads the records of application protocols in capture files.
    #[pyfunction]
    #[pyo3(signature = (captures, **options))]
    fn sessions(
        captures: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Records> {
        read("sessions", captures, options)
    }

    fn read(
        command: &'static str,
        captures: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Records> {
        let Arguments { run, fields, times } = Arguments::new(command, captures, options)?;
        Ok(Records::new(run, command == "sessions", Values::new(fields, times)))
    }
}
