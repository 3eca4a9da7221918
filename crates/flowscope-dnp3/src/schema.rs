use flowscope_core::FlowSide;
use flowscope_record::{Column, Kind, Schema, Value, ZeekService, ZeekType};

use crate::{Dnp3Application, Dnp3Exchange, Dnp3Function, Dnp3Indications};

type C = Column<Dnp3Exchange>;
type X = Dnp3Exchange;

/// The columns of an exchange. EVE has an event of Suricata's `dnp3` for the request and one for the response, Zeek's
/// `dnp3.log` a line for each exchange.
pub static DNP3: Schema<Dnp3Exchange> = Schema {
    zeek_service: Some(ZeekService { tcp: "dnp3_tcp", udp: "dnp3_udp" }),
    sender: Some(sender),
    eve_rows: Some(messages),
    summary,
    columns: &[
        C::new(
            "request",
            Kind::Text,
            |x| Value::some(x.request.and_then(Dnp3Function::name)),
            "Function of the request by name; none: it was not captured, or there was none (IEEE 1815 §4.4). In EVE the type of \
             the event: request, response or unsolicited_response.",
        )
        .eve_as("dnp3.type", |x| match x.response {
            None => "request".into(),
            Some(Dnp3Function::UNSOLICITED_RESPONSE) => "unsolicited_response".into(),
            Some(_) => "response".into(),
        })
        .zeek(0, "fc_request", ZeekType::String),
        C::new(
            "response",
            Kind::Text,
            |x| Value::some(x.response.and_then(Dnp3Function::name)),
            "Function of the response by name; none: no response (IEEE 1815 §4.4). EVE has an object of the frame's control.",
        )
        .eve_as("dnp3.control", control)
        .zeek(1, "fc_reply", ZeekType::String),
        C::new(
            "master",
            Kind::U64,
            |x| x.master.into(),
            "Address of the master (IEEE 1815 §9.2). In EVE that of the sender.",
        )
        .eve_as("dnp3.src", |x| if x.response.is_some() { x.outstation } else { x.master }.into()),
        C::new(
            "outstation",
            Kind::U64,
            |x| x.outstation.into(),
            "Address of the outstation (IEEE 1815 §9.2). In EVE that of the receiver.",
        )
        .eve_as("dnp3.dst", |x| if x.response.is_some() { x.master } else { x.outstation }.into()),
        C::new(
            "objects",
            Kind::List(&Kind::Text),
            objects,
            "Group and variation of what a request is about: of one that reads the first 16, of others the first (IEEE 1815 \
             §4.2.2). EVE has an object of the application's control, its function and the objects.",
        )
        .eve_as("dnp3.application", application),
        C::new(
            "indications",
            Kind::List(&Kind::Text),
            |x| match x.indications {
                Some(indications) => Value::list(indications.names()),
                None => Value::Null,
            },
            "Internal indications of the outstation by name (IEEE 1815 §4.5). EVE has them in an object; in Zeek's log the number of \
             both bytes, the first one the higher.",
        )
        .eve_as("dnp3.iin", |x| match x.indications {
            Some(indications) => {
                Value::Object(vec![("indicators", Value::list(indications.names()))])
            }
            None => Value::Null,
        })
        .zeek_as(2, "iin", ZeekType::Count, |x| Value::some(x.indications.map(|it| it.0))),
        C::new(
            "fragments",
            Kind::U64,
            |x| x.fragments.into(),
            "Fragments of the response (IEEE 1815 §4.2.2).",
        ),
        C::new(
            "latency",
            Kind::Duration,
            |x| Value::some(x.latency),
            "From the request to the first fragment of its response, in seconds.",
        )
        .eve("flowscope.latency"),
    ],
    ..Schema::new("dnp3", |x| x.ts)
};

/// Of an exchange who asked, of a response alone who sent it.
fn sender(x: &X) -> FlowSide {
    if x.request.is_none() && x.response.is_some() { !x.side } else { x.side }
}

/// The header of the message that an event of EVE is about.
fn header(x: &X) -> Option<&Dnp3Application> {
    x.responded.as_ref().or(x.requested.as_ref())
}

/// The request, and the response.
fn messages(x: &X, row: &mut dyn FnMut(&X)) {
    if x.request.is_some() {
        row(&X { response: None, responded: None, indications: None, latency: None, ..x.clone() });
    }
    if x.response.is_some() {
        let ts = x.latency.map_or(x.ts, |latency| x.ts.saturating_add(latency));
        let objects = Vec::new();
        row(&X { ts, request: None, requested: None, objects, ..x.clone() });
    }
}

fn control(x: &X) -> Value<'_> {
    let Some(header) = header(x) else { return Value::Null };
    let bit = |mask: u8| Value::Bool(header.link.0 & mask != 0);
    Value::Object(vec![
        ("dir", bit(0x80)),
        ("pri", bit(0x40)),
        ("fcb", bit(0x20)),
        ("fcv", bit(0x10)),
        ("function_code", (header.link.0 & 0xf).into()),
    ])
}

fn application(x: &X) -> Value<'_> {
    let (Some(header), Some(function)) = (header(x), x.response.or(x.request)) else {
        return Value::Null;
    };
    let control = vec![
        ("con", Value::Bool(header.wants_confirmation())),
        ("fir", Value::Bool(header.is_first())),
        ("fin", Value::Bool(header.is_final())),
        ("sequence", header.sequence().into()),
        ("uns", Value::Bool(header.is_unsolicited())),
    ];
    let object = |group: u8, variation: u8| {
        Value::Object(vec![("group", group.into()), ("variation", variation.into())])
    };
    let mut members =
        vec![("control", Value::Object(control)), ("function_code", function.0.into())];
    if !x.objects.is_empty() {
        let objects = x.objects.iter().map(|it| object(it.group, it.variation)).collect();
        members.push(("objects", Value::List(objects)));
    }
    Value::Object(members)
}

/// `60.1` and so on.
fn objects(x: &X) -> Value<'_> {
    match &x.objects[..] {
        [] => Value::Null,
        objects => Value::list(
            objects.iter().map(|it| Value::short(format_args!("{}.{}", it.group, it.variation))),
        ),
    }
}

/// `2 READ 60.1 of 1 → RESPONSE device_restart`, for tables.
fn summary(x: &Dnp3Exchange, out: &mut String) {
    if let Some(request) = x.request {
        out.push_str(&format!("{} {request}", x.master));
        for object in &x.objects {
            out.push_str(&format!(" {}.{}", object.group, object.variation));
        }
        out.push_str(&format!(" of {}", x.outstation));
    } else {
        out.push_str(&format!("{} to {}", x.outstation, x.master));
    }
    match x.response {
        Some(response) => out.push_str(&format!(" → {response}")),
        None if x.request.is_some_and(Dnp3Function::is_answered) => {
            out.push_str(" → (no response)");
        }
        None => {}
    }
    for name in x.indications.into_iter().flat_map(Dnp3Indications::names) {
        out.push_str(&format!(" {name}"));
    }
}
