use proptest::prelude::*;

use super::*;

/// Decodes blocks one after the other, each cut into bytes.
fn decode(decoder: &mut Decoder, block: &[u8]) -> Result<Fields, ParseError> {
    let mut fields = Fields::default();
    for byte in block {
        decoder.feed(&[*byte], &mut fields)?;
    }
    decoder.end().map(|()| fields)
}

#[track_caller]
fn check(decoder: &mut Decoder, block: &[u8], expected: &[(Field, &str)]) {
    let fields = decode(decoder, block).unwrap();
    for (field, value) in expected {
        assert_eq!(fields.get(*field), Some(value.as_bytes()), "{field:?}");
    }
}

/// RFC 7541 §C.4: three requests with Huffman codes, which share a table.
#[test]
fn the_requests_of_the_rfc_are_decoded() {
    let mut decoder = Decoder::default();
    let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
    let authority = (Field::Authority, "www.example.com");
    check(&mut decoder, first, &[(Field::Method, "GET"), (Field::Path, "/"), authority]);
    check(&mut decoder, b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf", &[authority]);
    let third = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
    let expected = [(Field::Scheme, "https"), (Field::Path, "/index.html"), authority];
    check(&mut decoder, third, &expected);
}

/// RFC 7541 §C.5: responses whose table has 256 bytes, so that entries are evicted.
#[test]
fn evicted_entries_are_those_of_the_rfc() {
    let mut decoder = Decoder::default();
    decoder.table.resize(256);
    let first = b"\x48\x03302\x58\x07private\x61\x1dMon, 21 Oct 2013 20:13:21 GMT\
        \x6e\x17https://www.example.com";
    let location = (Field::Location, "https://www.example.com");
    check(&mut decoder, first, &[(Field::Status, "302"), location]);
    check(&mut decoder, b"\x48\x03307\xc1\xc0\xbf", &[(Field::Status, "307"), location]);
    // `302` was evicted; what the RFC counts of all fields is 222.
    assert_eq!(decode(&mut decoder, b"\x88\xc1\x61\x01x\xc0").unwrap().size, 42 + 52 + 37 + 63);
    assert_eq!(decode(&mut decoder, b"\xc4").map(|_| ()), Err(INVALID));
}

#[test]
fn blocks_that_are_no_blocks_are_invalid() {
    for block in [
        // Index 0, and one that nothing is at.
        &b"\x80"[..],
        b"\xbe",
        b"\x7e\x01a",
        // Integers that are too long, or too large.
        b"\xff\x80\x80\x80\x80\x80\x01",
        b"\xff\xff\xff\xff\xff\x7f",
        // Ends within a field.
        b"\x41",
        b"\x41\x02a",
        b"\xff\x80",
        b"\x40\x01a",
        // A Huffman code that ends in zeros.
        b"\x41\x81\x00",
    ] {
        let decoded = decode(&mut Decoder::default(), block);
        assert_eq!(decoded.map(|_| ()), Err(INVALID), "{block:x?}");
    }
}

#[test]
fn what_is_known_behind_a_loss_is_right_and_the_rest_is_said_to_be_unknown() {
    let mut decoder = Decoder::default();
    check(&mut decoder, b"\x44\x02/a", &[(Field::Path, "/a")]);
    decoder.lose();
    // Static entries and literals are known, an entry from before is not.
    let fields = decode(&mut decoder, b"\x82\xbe\x41\x01h").unwrap();
    assert_eq!(fields.get(Field::Method), Some(&b"GET"[..]));
    assert_eq!(fields.get(Field::Authority), Some(&b"h"[..]));
    assert_eq!((fields.get(Field::Path), fields.is_partial), (None, true));
    // The authority is the newest entry.
    let fields = decode(&mut decoder, b"\xbe").unwrap();
    assert_eq!((fields.get(Field::Authority), fields.is_partial), (Some(&b"h"[..]), false));
    // A literal whose name is unknown takes a place.
    assert!(decode(&mut decoder, b"\x7f\x00\x01x").unwrap().is_partial);
    assert_eq!(decode(&mut decoder, b"\xbf").unwrap().get(Field::Authority), Some(&b"h"[..]));
}

/// A small block may stand for very many large fields.
#[test]
fn a_bomb_costs_no_memory() {
    let mut decoder = Decoder::default();
    let entry = [&b"\x44\x7f\xa1\x1e"[..], &[b'p'; 4000]].concat();
    assert!(decode(&mut decoder, &entry).unwrap().heap_bytes() < 4096);
    let mut fields = Fields::default();
    for _ in 0..1000 {
        decoder.feed(&[0xbe; 1000], &mut fields).unwrap();
    }
    assert_eq!(fields.size, 1_000_000 * 4037);
    assert!(fields.heap_bytes() + decoder.heap_bytes() < 16 * 1024);
    // A name of any length, and a value of any length, without an end.
    for start in [&b"\x40\xff\xff\xff\xff\x0f"[..], b"\x44\x7f\xff\xff\xff\x0f"] {
        let mut decoder = Decoder::default();
        decoder.feed(start, &mut fields).unwrap();
        for _ in 0..1000 {
            decoder.feed(&[0x1c; 1000], &mut fields).unwrap();
        }
        assert!(decoder.heap_bytes() <= 8 * 1024, "{}", decoder.heap_bytes());
    }
}

/// What another decoder reads: the kept fields, each the first of its name.
fn other(decoder: &mut loona_hpack::Decoder<'_>, block: &[u8]) -> Option<Fields> {
    let mut fields = Fields::default();
    let decoded = decoder.decode_with_cb(block, |name, value| {
        let field = Field::of(&name);
        let kept = &value[..value.len().min(field.max_len())];
        fields.add(field, kept, size_of(name.len() as u32, value.len() as u32));
    });
    decoded.is_ok().then_some(fields)
}

/// Pieces of blocks: fields that are kept, others, indexes, sizes of the table, and any bytes.
fn block() -> impl Strategy<Value = Vec<u8>> {
    let text = || {
        let plain =
            "[a-z:/-]{0,40}".prop_map(|text| [&[text.len() as u8][..], text.as_bytes()].concat());
        let coded = prop::collection::vec(any::<u8>(), 0..6)
            .prop_map(|bytes| [&[0x80 | bytes.len() as u8][..], &bytes].concat());
        prop_oneof![4 => plain, 1 => coded]
    };
    let named = (prop_oneof![Just(0x40_u8), Just(0), Just(0x10)], text(), text())
        .prop_map(|(kind, name, value)| [&[kind][..], &name, &value].concat());
    let indexed =
        (0x41..0x7e_u8, text()).prop_map(|(index, value)| [&[index][..], &value].concat());
    let piece = prop_oneof![
        3 => named,
        4 => indexed,
        6 => (0x81..0xc8_u8).prop_map(|index| vec![index]),
        1 => (0x20..0x40_u8).prop_map(|size| vec![size, 3]),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    // The other decoder takes no size at the end of a block.
    prop::collection::vec(piece, 0..8).prop_map(|pieces| [&pieces.concat()[..], &[0x82]].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Where another decoder reads a block, this one reads the same.
    #[test]
    fn another_decoder_agrees(blocks in prop::collection::vec(block(), 1..6)) {
        let (mut own, mut theirs) = (Decoder::default(), loona_hpack::Decoder::new());
        for block in blocks {
            let (own, theirs) = (decode(&mut own, &block), other(&mut theirs, &block));
            let Some(theirs) = theirs else { break };
            prop_assert_eq!(own, Ok(theirs));
        }
    }

    /// Behind a loss, every field that is read is one that the encoder wrote.
    #[test]
    fn a_loss_makes_no_value_a_wrong_one(blocks in prop::collection::vec(block(), 2..8), at in 0..8_usize) {
        let (mut whole, mut lossy) = (Decoder::default(), Decoder::default());
        for (nth, block) in blocks.iter().enumerate() {
            let Ok(expected) = decode(&mut whole, block) else { break };
            if nth == at % blocks.len() {
                lossy.lose();
                continue;
            }
            let found = decode(&mut lossy, block).unwrap();
            for field in Field::KEPT {
                if let Some(value) = found.get(field).filter(|_| !found.is_partial) {
                    prop_assert_eq!(Some(value), expected.get(field));
                }
            }
            prop_assert!(found.is_partial || found == expected);
        }
    }
}
