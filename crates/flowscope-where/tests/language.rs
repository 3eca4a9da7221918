//! Expressions as a whole: what is read prints as itself, and holds as a plain model says.

#![expect(clippy::unwrap_used, reason = "helpers of tests, in tests")]

use std::net::IpAddr;
use std::time::Duration;

use flowscope_core::Timestamp;
use flowscope_record::{Column, Kind, Record, Schema, Value, Visitor};
use flowscope_where::{
    Check, Comparison, Expr, Fields, Literal, MAX_DEPTH, MAX_LEN, Matcher, Test,
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
struct Ping {
    host: Option<String>,
    bytes: [u64; 2],
    rtt: Option<Duration>,
    hops: Vec<IpAddr>,
    lost: bool,
}

type C = Column<Ping>;

static PING: Schema<Ping> = Schema {
    columns: &[
        C::new("host", Kind::Text, |x| Value::some(x.host.as_deref()), "Who was asked.")
            .eve("ping.hostname"),
        C::new("bytes_to_server", Kind::U64, |x| x.bytes[0].into(), "Sent."),
        C::new("bytes_to_client", Kind::U64, |x| x.bytes[1].into(), "Received."),
        C::new("rtt", Kind::Duration, |x| Value::some(x.rtt), "Until the answer."),
        C::new(
            "hops",
            Kind::List(&Kind::Addr),
            |x| Value::list(x.hops.iter().copied()),
            "Who it went by.",
        ),
        C::new("lost", Kind::Bool, |x| Value::flag(x.lost), "Whether there was no answer."),
    ],
    ..Schema::new("ping", |_| Timestamp::ZERO)
};

impl Record for Ping {
    fn visit<V: Visitor>(&self, visitor: V) -> V::Output {
        visitor.record(&PING, self)
    }
}

/// When it was sent.
static HEADER: &[Column<Timestamp>] =
    &[Column::new("timestamp", Kind::Time, |x: &Timestamp| (*x).into(), "When it was sent.")];

fn fields() -> Fields {
    Fields::new(&[HEADER]).schema(&PING)
}

fn ping() -> Ping {
    Ping {
        host: Some("WWW.example".into()),
        bytes: [100, 2000],
        rtt: Some(Duration::from_millis(15)),
        hops: vec!["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        lost: false,
    }
}

fn holds(text: &str) -> bool {
    let expr = Expr::parse(text, &fields()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut matcher = Matcher::new(&expr, &[HEADER]);
    let at = Timestamp::from_secs(1_767_323_045);
    let unbound = matcher.matches(&at, &ping());
    matcher.bind(&PING);
    assert_eq!(matcher.matches(&at, &ping()), unbound, "{text}");
    unbound
}

#[test]
fn expressions_hold_or_do_not() {
    for text in [
        "host == www.example",
        "host == \"WWW.example\"",
        "host starts www && host ends '.example'",
        "ping.host contains w.ex",
        "bytes > 1K",
        "bytes == 100 and bytes == 2000",
        "bytes_to_client <= 2K && !(bytes_to_client < 2K)",
        "rtt > 10ms",
        "rtt < 0.1",
        "hops in 10.0.0.0/8",
        "hops in {192.0.2.1, 2001:db8::/32}",
        "hops == 10.0.0.1",
        "exists host",
        "not lost",
        "! exists lost",
        "!(lost == true)",
        "app_proto == ping",
        "timestamp >= 2026-01-02 && timestamp < 2026-01-03",
        "timestamp == \"2026-01-02 03:04:05\"",
        "lost or host == www.example and bytes > 1",
        "host in {a, www.example}",
        "bytes!=5&&host!=a",
    ] {
        assert!(holds(text), "{text}");
    }
    for text in [
        "host == WWW.EXAMPLE",
        "bytes != 100",
        "lost",
        "lost == false",
        "lost != true",
        "hops in 11.0.0.0/8",
        "(lost or bytes > 1) and host == b",
        "host in {a, b}",
    ] {
        assert!(!holds(text), "{text}");
    }
}

#[test]
fn errors_say_where_and_what_was_meant() {
    let check = |text: &str, at: &str, message: &str, hint: &str| {
        let error = Expr::parse(text, &fields()).expect_err(text);
        assert_eq!(&text[error.at()], at, "{text}: {error}");
        assert!(error.message().contains(message), "{text}: {error}");
        assert!(error.help().unwrap_or_default().contains(hint), "{text}: {:?}", error.help());
    };
    check("", "", "a field is expected", "");
    check("hsot == a", "hsot", "unknown field `hsot`", "did you mean `host`?");
    check("ping.hostname == a", "ping.hostname", "unknown", "is `ping.host` here");
    check("frame.time > 2026-01-01", "frame.time", "unknown", "`timestamp > 2026-01-01`");
    check("frame.len >= 3 && lost", "frame.len", "unknown", "`bytes >= 3`");
    check("port 53", "port", "unknown field", "`port == 53`");
    check("lost && tcp port 443", "tcp", "unknown", "`proto == tcp && port == 443`");
    check("host = a", "=", "an operator is expected", "`==`");
    check("host matches a", "matches", "an operator", "contains");
    check("bytes eq 1", "eq", "an operator", "`==`");
    check("host", "", "an operator", "exists host");
    check("lost & lost", "&", "`&&` or `||`", "twice");
    check("lost lost", "lost", "an operator is expected", "");
    check("bytes == many", "many", "`bytes` is a number", "1.5M");
    check("bytes > ", "", "a value is expected", "");
    check("rtt < 1w", "1w", "a span of time", "10ms");
    check("host < a", "<", "not for text", "");
    check("hops contains 10", "contains", "not for an address", "in 10.0.0.0/8");
    check("hops == 10.0.0.0/8", "10.0.0.0/8", "no address", "hops in 10.0.0.0/8");
    check("bytes in 5", "5", "`{` is expected", "");
    check("bytes in {5", "{", "not closed", "");
    check("bytes in {5 6}", "6", "`,` or `}`", "");
    check("bytes in {}", "}", "a value", "");
    check("(lost", "(", "not closed", "");
    check("lost)", ")", "no parenthesis is open", "");
    check("host == \"a", "\"a", "not closed", "");
    check("\"a\" == host", "\"a\"", "a field is expected", "quotes");
    check("lost && ", "", "a field is expected", "");
}

/// A place that is longer than what is shown around it is cut.
#[test]
fn of_a_long_text_the_place_alone_is_shown() {
    for (len, shown, dots) in [(180, 180, ""), (181, 180, "…"), (400, 180, "…")] {
        let error = Expr::parse(&"q".repeat(len), &fields()).unwrap_err();
        let lines = error.explanation();
        assert_eq!(lines[0], format!("{}{dots}", "q".repeat(shown)));
        assert_eq!(lines[1], "^".repeat(shown));
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let nested = |depth: usize| format!("{}lost{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Expr::parse(&nested(MAX_DEPTH), &fields()).is_ok());
    // Those that are closed count no more.
    for one in ["(lost)", "!lost"] {
        let beside = vec![one; MAX_DEPTH + 1].join(" && ");
        assert!(Expr::parse(&beside, &fields()).is_ok(), "{one}");
    }
    assert!(Expr::parse(&nested(MAX_DEPTH + 1), &fields()).is_err());
    assert!(Expr::parse(&format!("{}lost", "!".repeat(MAX_DEPTH + 1)), &fields()).is_err());
    let long = |len: usize| format!("host == {}", "a".repeat(len - 8));
    assert!(Expr::parse(&long(MAX_LEN), &fields()).is_ok());
    let error = Expr::parse(&long(MAX_LEN + 1), &fields()).unwrap_err();
    assert_eq!(error.explanation().len(), 2);
}

#[test]
fn fields_of_others_are_known_as_such() {
    static PONG: Schema<Ping> = Schema {
        columns: &[
            C::new("code", Kind::U64, |_| 7_u64.into(), "A number."),
            C::new("host", Kind::U64, |_| 7_u64.into(), "Another one."),
        ],
        ..Schema::new("pong", |_| Timestamp::ZERO)
    };
    let fields = fields().or(Fields::new(&[HEADER]).schema(&PONG));
    let known =
        ["host", "pong.host", "code", "timestamp", "port"].map(|name| fields.is_other(name));
    assert_eq!(known, [false, true, true, false, false]);
    assert_eq!(fields.kinds("host"), [Kind::Text]);
    assert!(fields.check("code").is_ok());
    assert_eq!(fields.check("cod").unwrap_err().help(), Some("did you mean `code`?"));
}

fn comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::*;
    prop::sample::select(vec![Equal, NotEqual, Less, AtMost, Greater, AtLeast])
}

fn test() -> impl Strategy<Value = Test> {
    let text = prop_oneof!["[a-cA-C.]{0,4}", any::<String>()].prop_map(Literal::Text);
    let texts = prop::sample::select(vec![
        Comparison::Equal,
        Comparison::NotEqual,
        Comparison::Contains,
        Comparison::Starts,
        Comparison::Ends,
    ]);
    let number = prop_oneof![
        (0..3_u64).prop_map(Literal::Number),
        any::<u64>().prop_map(Literal::Number),
        (1..1000_u32).prop_map(|n| Literal::Decimal(f64::from(n) + 0.25)),
    ];
    let span = prop_oneof![
        any::<u64>().prop_map(|nanos| Literal::Duration(Duration::from_nanos(nanos))),
        (0..3_u64).prop_map(|secs| Literal::Duration(Duration::from_secs(secs))),
    ];
    let time = any::<u64>().prop_map(|nanos| Literal::Time(Timestamp::from_nanos(nanos)));
    let addr = any::<IpAddr>().prop_map(Literal::Addr);
    let net =
        (0..=32_u8).prop_map(|bits| format!("10.0.0.0/{bits}").parse().map(Literal::Net).unwrap());
    let named = |field: &'static str| move |check| Test { field: field.to_owned(), check };
    prop_oneof![
        (texts, text.clone()).prop_map(|(c, l)| Check::Compare(c, l)).prop_map(named("host")),
        prop::collection::vec(text, 1..4).prop_map(Check::In).prop_map(named("host")),
        (comparison(), number.clone())
            .prop_map(|(c, l)| Check::Compare(c, l))
            .prop_map(named("bytes")),
        prop::collection::vec(number, 1..4)
            .prop_map(Check::In)
            .prop_map(named("ping.bytes_to_server")),
        (comparison(), span).prop_map(|(c, l)| Check::Compare(c, l)).prop_map(named("rtt")),
        (comparison(), time).prop_map(|(c, l)| Check::Compare(c, l)).prop_map(named("timestamp")),
        prop::collection::vec(prop_oneof![addr, net], 1..4)
            .prop_map(Check::In)
            .prop_map(named("hops")),
        any::<bool>()
            .prop_map(|flag| Check::Compare(Comparison::Equal, Literal::Bool(flag)))
            .prop_map(named("lost")),
        prop::sample::select(vec!["host", "rtt", "hops", "lost"])
            .prop_map(|field| Test { field: field.to_owned(), check: Check::Exists }),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    test().prop_map(Expr::Test).prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::And),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expr::Or),
            inner.prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    })
}

prop_compose! {
    fn any_ping()(
        host in prop::option::of("[a-cA-C.]{0,6}"),
        bytes in any::<[u64; 2]>().prop_map(|[a, b]| [a % 4, b]),
        rtt in prop::option::of((0..3_000_u64).prop_map(Duration::from_millis)),
        hops in prop::collection::vec(any::<u32>().prop_map(|n| IpAddr::from((n % 0x0b00_0000).to_be_bytes())), 0..3),
        lost in any::<bool>(),
    ) -> Ping {
        Ping { host, bytes, rtt, hops, lost }
    }
}

/// What the documentation says, without the crate's evaluation.
fn model(expr: &Expr, at: Timestamp, ping: &Ping) -> bool {
    match expr {
        Expr::And(parts) => !parts.iter().any(|part| !model(part, at, ping)),
        Expr::Or(parts) => parts.iter().any(|part| model(part, at, ping)),
        Expr::Not(inner) => !model(inner, at, ping),
        Expr::Test(test) => model_test(test, at, ping),
    }
}

fn model_test(test: &Test, at: Timestamp, ping: &Ping) -> bool {
    let texts = || ping.host.iter().cloned().map(Literal::Text).collect::<Vec<_>>();
    let numbers = |of: &[u64]| of.iter().copied().map(Literal::Number).collect::<Vec<_>>();
    let values = match test.field.as_str() {
        "host" => texts(),
        "bytes" => numbers(&ping.bytes),
        "ping.bytes_to_server" => numbers(&ping.bytes[..1]),
        "rtt" => ping.rtt.into_iter().map(Literal::Duration).collect(),
        "timestamp" => vec![Literal::Time(at)],
        "hops" => ping.hops.iter().copied().map(Literal::Addr).collect(),
        "lost" => ping.lost.then_some(Literal::Bool(true)).into_iter().collect(),
        other => panic!("{other}"),
    };
    let any = |holds: &dyn Fn(&Literal) -> bool| values.iter().any(holds);
    match &test.check {
        Check::Exists => !values.is_empty(),
        Check::In(literals) => any(&|value| literals.iter().any(|literal| equal(value, literal))),
        Check::Compare(Comparison::Equal, literal) => any(&|value| equal(value, literal)),
        Check::Compare(Comparison::NotEqual, literal) => {
            !values.is_empty() && !any(&|value| equal(value, literal))
        }
        Check::Compare(Comparison::Less, literal) => any(&|value| less(value, literal)),
        Check::Compare(Comparison::AtLeast, literal) => any(&|value| !less(value, literal)),
        Check::Compare(Comparison::AtMost, literal) => {
            any(&|value| less(value, literal) || equal(value, literal))
        }
        Check::Compare(Comparison::Greater, literal) => {
            any(&|value| !less(value, literal) && !equal(value, literal))
        }
        Check::Compare(text, literal) => any(&|value| {
            let (Literal::Text(value), Literal::Text(literal)) = (value, literal) else {
                return false;
            };
            let (value, literal) = cased(value, literal);
            match text {
                Comparison::Contains => value.contains(&literal),
                Comparison::Starts => value.starts_with(&literal),
                _ => value.ends_with(&literal),
            }
        }),
    }
}

fn cased(value: &str, literal: &str) -> (String, String) {
    if literal.contains(|c: char| c.is_ascii_uppercase()) {
        (value.to_owned(), literal.to_owned())
    } else {
        (value.to_ascii_lowercase(), literal.to_owned())
    }
}

fn equal(value: &Literal, literal: &Literal) -> bool {
    match (value, literal) {
        (Literal::Text(value), Literal::Text(literal)) => {
            let (value, literal) = cased(value, literal);
            value == literal
        }
        (Literal::Addr(value), Literal::Net(net)) => net.contains(*value),
        _ => value == literal,
    }
}

fn less(value: &Literal, literal: &Literal) -> bool {
    match (value, literal) {
        (Literal::Number(value), Literal::Number(literal)) => value < literal,
        (Literal::Number(value), Literal::Decimal(literal)) => (*value as f64) < *literal,
        (Literal::Duration(value), Literal::Duration(literal)) => value < literal,
        (Literal::Time(value), Literal::Time(literal)) => value < literal,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn what_prints_is_read_as_the_same(expr in expr()) {
        let printed = expr.to_string();
        prop_assume!(printed.len() <= MAX_LEN);
        prop_assert_eq!(Expr::parse(&printed, &fields()), Ok(expr), "{}", printed);
    }

    #[test]
    fn expressions_hold_as_the_model_says(expr in expr(), ping in any_ping(), nanos in any::<u64>()) {
        let at = Timestamp::from_nanos(nanos);
        let mut matcher = Matcher::new(&expr, &[HEADER]);
        matcher.bind(&PING);
        prop_assert_eq!(matcher.matches(&at, &ping), model(&expr, at, &ping), "{}", expr);
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        if let Err(error) = Expr::parse(&text, &fields()) {
            prop_assert!(error.explanation().len() >= 2);
        }
    }

    #[test]
    fn no_words_panic(words in prop::collection::vec(prop::sample::select(vec![
        "host", "bytes", "rtt", "hops", "lost", "lsot", "==", "!=", "<", "in", "{", "}", ",", "(", ")", "!", "not",
        "&&", "and", "||", "or", "exists", "contains", "10", "10.0.0.0/8", "\"x", "'y'", "tcp", "port", "é", "=", "&",
    ]), 0..12)) {
        let text = words.join(" ");
        match Expr::parse(&text, &fields()) {
            Ok(expr) => prop_assert_eq!(Expr::parse(&expr.to_string(), &fields()), Ok(expr)),
            Err(error) => {
                prop_assert!(error.at().end <= text.len());
                prop_assert!(error.explanation().len() >= 2);
            }
        }
    }
}
