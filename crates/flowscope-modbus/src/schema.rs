use flowscope_record::{Column, Kind, Schema, Value, ZeekType};

use crate::{ModbusException, ModbusExchange, ModbusFunction, ModbusRange};

type C = Column<ModbusExchange>;
type X = ModbusExchange;

/// The columns of an exchange. EVE has the objects of Suricata's `modbus`, Zeek's `modbus.log` a line for the request and one
/// for the response.
pub static MODBUS: Schema<ModbusExchange> = Schema {
    sender: Some(|x| x.side),
    zeek_rows: Some(messages),
    summary,
    columns: &[
        C::new(
            "function",
            Kind::Text,
            |x| Value::short(x.function),
            "Function by name (Application Protocol §5.1). EVE has an object with what the request says, in Zeek's log \
             that of an exception has _EXCEPTION at its end.",
        )
        .eve_as("modbus.request", request)
        .zeek_as(2, "func", ZeekType::String, |x| match (x.function.name(), x.exception) {
            (Some(name), None) => name.into(),
            (Some(name), Some(_)) => format!("{name}_EXCEPTION").into(),
            (None, None) => Value::short(format_args!("unknown-{}", x.function.0)),
            (None, Some(_)) => Value::short(format_args!("unknown-{}", x.function.0 | 0x80)),
        }),
        C::new(
            "exception",
            Kind::Text,
            |x| Value::some(x.exception.map(Value::short)),
            "Why the server refuses, by name (Application Protocol §7). EVE has an object with what the response says, Zeek's log \
             unknown- and the number where it has no name.",
        )
        .eve_as("modbus.response", response)
        .zeek_as(4, "exception", ZeekType::String, |x| {
            Value::some(x.exception.map(|exception| match exception.name() {
                Some(name) => Value::from(name),
                None => Value::short(format_args!("unknown-{}", exception.0)),
            }))
        }),
        C::new(
            "transaction_id",
            Kind::U64,
            |x| x.transaction_id.into(),
            "Identifier that request and response share (Messaging on TCP/IP §3.1.3).",
        )
        .zeek(0, "tid", ZeekType::Count),
        C::new(
            "unit_id",
            Kind::U64,
            |x| x.unit_id.into(),
            "Unit behind the server (Messaging on TCP/IP §3.1.3).",
        )
        .zeek(1, "unit", ZeekType::Count),
        C::new(
            "answered",
            Kind::Bool,
            |x| x.is_answered.into(),
            "Whether there was a response. In Zeek's log which of the two the line is of: REQ or RESP.",
        )
        .zeek_as(3, "pdu_type", ZeekType::String, |x| if x.is_answered { "RESP" } else { "REQ" }.into()),
        C::new(
            "read_address",
            Kind::U64,
            |x| Value::some(x.read.map(|range| range.address)),
            "First coil, input or register that is read, counted from 0 (Application Protocol §4.4).",
        ),
        C::new(
            "read_quantity",
            Kind::U64,
            |x| Value::some(x.read.map(|range| range.quantity)),
            "How many are read (Application Protocol §6).",
        ),
        C::new(
            "write_address",
            Kind::U64,
            |x| Value::some(x.write.map(|range| range.address)),
            "First coil or register that is written, counted from 0 (Application Protocol §4.4).",
        ),
        C::new(
            "write_quantity",
            Kind::U64,
            |x| Value::some(x.write.map(|range| range.quantity)),
            "How many are written (Application Protocol §6).",
        ),
        C::new(
            "value",
            Kind::U64,
            |x| Value::some(x.value),
            "Value that is written to a single coil, 65280 is on and 0 off, or register (Application Protocol §6.5, §6.6).",
        ),
        C::new(
            "sub_function",
            Kind::U64,
            |x| Value::some(x.sub_function),
            "Sub-function of a diagnosis, or type of an encapsulated interface (Application Protocol §6.8, §6.19).",
        ),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the request to its response, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("modbus", |x| x.ts)
};

type Members<'a> = Vec<(&'static str, Value<'a>)>;

/// What both messages have, and what one of them has.
fn message<'a>(x: &'a X, function: u8, members: Members<'a>) -> Value<'a> {
    let mut all = vec![
        ("transaction_id", x.transaction_id.into()),
        ("protocol_id", 0_u8.into()),
        ("unit_id", x.unit_id.into()),
        ("function_raw", function.into()),
        ("function_code", x.function.eve_name().unwrap_or("Unknown").into()),
        ("category", ModbusFunction::category(x.function).into()),
    ];
    all.extend(members);
    Value::object(all)
}

fn request(x: &X) -> Value<'_> {
    if !x.is_requested {
        return Value::Null;
    }
    let range = |range: ModbusRange| {
        vec![("address", range.address.into()), ("quantity", range.quantity.into())]
    };
    let write = x.write.map(|written| match x.value {
        Some(value) => vec![("address", written.address.into()), ("data", value.into())],
        None => range(written),
    });
    let raw = x.sub_function.map(|number| Value::object([("raw", number.into())]));
    let (diagnostic, mei) = if x.function.0 == 8 { (raw, None) } else { (None, raw) };
    let members = vec![
        ("read", Value::some(x.read.map(|it| Value::object(range(it))))),
        ("write", Value::some(write.map(Value::object))),
        ("diagnostic", Value::some(diagnostic)),
        ("mei", Value::some(mei)),
    ];
    message(x, x.function.0, members)
}

fn response(x: &X) -> Value<'_> {
    let code = |exception: ModbusException| exception.eve_name().unwrap_or("Unknown");
    match x.exception {
        _ if !x.is_answered => Value::Null,
        Some(exception) => {
            let of_it =
                Value::object([("raw", exception.0.into()), ("code", code(exception).into())]);
            message(x, x.function.0 | 0x80, vec![("exception", of_it)])
        }
        None => message(x, x.function.0, Vec::new()),
    }
}

/// A line for the request, and one for the response.
fn messages(x: &X, row: &mut dyn FnMut(&X)) {
    if x.is_requested {
        row(&X { is_answered: false, exception: None, ..x.clone() });
    }
    if x.is_answered {
        let ts = x.latency.map_or(x.ts, |latency| x.ts.saturating_add(latency));
        row(&X { ts, ..x.clone() });
    }
}

/// `unit 17 READ_HOLDING_REGISTERS 107, 3 → ILLEGAL_DATA_ADDRESS`, for tables.
fn summary(x: &ModbusExchange, out: &mut String) {
    out.push_str(&format!("unit {} {}", x.unit_id, x.function));
    for range in [x.read, x.write].into_iter().flatten() {
        out.push_str(&format!(" {}, {}", range.address, range.quantity));
    }
    match (x.exception, x.is_answered) {
        (Some(exception), _) => out.push_str(&format!(" → {exception}")),
        (None, true) => out.push_str(" → done"),
        (None, false) => out.push_str(" → (no response)"),
    }
}
