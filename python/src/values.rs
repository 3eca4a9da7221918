//! Values of records as those of Python.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flowscope::core::Timestamp;
use flowscope::output::{CaptureStats, RecordHeader, STATS, SchemaField, address_text, rfc3339};
use flowscope::record::{Record, Schema, Value, Visitor, wire_text};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyList, PyString};

/// How times are shown.
#[derive(Clone, Copy)]
pub(crate) enum Times {
    /// As in JSON.
    Text,
    /// As nanoseconds since 1970.
    Nanoseconds,
}

impl Times {
    /// Of the keyword argument.
    pub(crate) fn new(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        match value.extract::<String>().unwrap_or_default().as_str() {
            "text" => Ok(Times::Text),
            "ns" => Ok(Times::Nanoseconds),
            _ => Err(PyValueError::new_err("times: expected 'text' or 'ns'")),
        }
    }
}

/// Makes dicts of records.
pub(crate) struct Values {
    /// The chosen fields, if not all.
    fields: Option<Vec<String>>,
    times: Times,
    /// The address of each schema that was met, and its members.
    plans: Mutex<Vec<(usize, Plan)>>,
}

/// Members of records of one schema.
type Plan = Arc<dyn Any + Send + Sync>;

struct Member<R: 'static> {
    name: Py<PyString>,
    field: SchemaField<R>,
}

impl Values {
    pub(crate) fn new(fields: Option<Vec<String>>, times: Times) -> Self {
        Values { fields, times, plans: Mutex::default() }
    }

    /// The members of a record, in order; `None` for what it does not have.
    pub(crate) fn dict<'py>(
        &self,
        py: Python<'py>,
        header: &RecordHeader,
        record: &impl Record,
    ) -> PyResult<Bound<'py, PyDict>> {
        record.visit(ToDict { values: self, py, header })
    }

    /// The columns of statistics.
    pub(crate) fn stats<'py>(
        &self,
        py: Python<'py>,
        stats: &CaptureStats,
    ) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for column in STATS.columns {
            dict.set_item(column.name, self.value(py, &(column.get)(stats))?)?;
        }
        Ok(dict)
    }

    fn plan<R>(&self, py: Python<'_>, schema: &'static Schema<R>) -> Arc<Vec<Member<R>>> {
        let address = std::ptr::from_ref(schema).addr();
        // Held for a moment only, and not while anything of Python is made.
        let plans = || self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let known = plans().iter().find(|(of, _)| *of == address).map(|(_, plan)| plan.clone());
        if let Some(plan) = known.and_then(|plan| plan.downcast().ok()) {
            return plan;
        }
        let member = |name: &str| Member {
            name: PyString::intern(py, name).unbind(),
            field: SchemaField::new(schema, name),
        };
        let members: Vec<Member<R>> = match &self.fields {
            Some(names) => names.iter().map(|name| member(name)).collect(),
            None => SchemaField::names(schema).into_iter().map(member).collect(),
        };
        let plan = Arc::new(members);
        plans().push((address, plan.clone()));
        plan
    }

    fn value<'py>(&self, py: Python<'py>, value: &Value<'_>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match value {
            Value::Bool(flag) => PyBool::new(py, *flag).to_owned().into_any(),
            Value::U64(number) => number.into_pyobject(py)?.into_any(),
            Value::F64(number) => PyFloat::new(py, *number).into_any(),
            Value::Duration(span) => PyFloat::new(py, seconds(*span)).into_any(),
            Value::Time(ts) => self.time(py, *ts)?,
            Value::Addr(addr) => PyString::new(py, address_text(*addr, &mut Vec::new())).into_any(),
            Value::Bytes(bytes) => PyString::new(py, &wire_text(bytes)).into_any(),
            Value::Text(text) => PyString::new(py, text).into_any(),
            Value::Short(text) => PyString::new(py, text.as_str()).into_any(),
            Value::List(items) => {
                let list = PyList::empty(py);
                for item in items {
                    list.append(self.value(py, item)?)?;
                }
                list.into_any()
            }
            Value::Object(members) => {
                let dict = PyDict::new(py);
                for (name, value) in members {
                    dict.set_item(*name, self.value(py, value)?)?;
                }
                dict.into_any()
            }
            _ => py.None().into_bound(py),
        })
    }

    fn time<'py>(&self, py: Python<'py>, ts: Timestamp) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self.times {
            Times::Text => PyString::new(py, rfc3339(ts).as_str()).into_any(),
            Times::Nanoseconds => ts.as_nanos().into_pyobject(py)?.into_any(),
        })
    }
}

/// The number of seconds that the decimal digits of JSON are read as.
fn seconds(span: Duration) -> f64 {
    let nanos = span.as_nanos();
    if nanos <= 1 << f64::MANTISSA_DIGITS {
        // A number without rounding, divided once: the nearest.
        nanos as f64 / 1e9
    } else {
        let digits = format!("{}.{:09}", span.as_secs(), span.subsec_nanos());
        digits.parse().expect("digits are a number")
    }
}

struct ToDict<'a, 'py> {
    values: &'a Values,
    py: Python<'py>,
    header: &'a RecordHeader,
}

impl<'py> Visitor for ToDict<'_, 'py> {
    type Output = PyResult<Bound<'py, PyDict>>;

    fn record<R: Send + 'static>(self, schema: &'static Schema<R>, record: &R) -> Self::Output {
        let ToDict { values, py, header } = self;
        let dict = PyDict::new(py);
        for Member { name, field } in &*values.plan(py, schema) {
            dict.set_item(name.bind(py), values.value(py, &field.value(header, record))?)?;
        }
        Ok(dict)
    }
}
