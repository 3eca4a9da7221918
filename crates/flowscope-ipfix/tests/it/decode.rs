//! `netflow_parser`, as a collector.

use std::collections::BTreeMap;

use netflow_parser::variable_versions::ipfix::FlowSetBody;
use netflow_parser::{NetflowPacket, NetflowParser};

/// A collector of one session.
#[derive(Default)]
pub(crate) struct Collector {
    parser: NetflowParser,
    /// Number and enterprise of the fields of each template.
    templates: BTreeMap<u16, Vec<(u16, u32)>>,
}

/// A message: its header, and its records in order.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) export_time: u32,
    pub(crate) sequence: u32,
    pub(crate) domain: u32,
    /// Ids of templates that it has.
    pub(crate) templates: Vec<u16>,
    pub(crate) records: Vec<Fields>,
}

/// Number and enterprise of an element, and its bytes.
pub(crate) type Fields = BTreeMap<(u16, u32), Vec<u8>>;

impl Collector {
    /// Reads one message, which must be whole and without error.
    pub(crate) fn read(&mut self, message: &[u8]) -> Decoded {
        let parsed = self.parser.parse_bytes(message);
        assert!(parsed.error.is_none(), "{:?}", parsed.error);
        let [NetflowPacket::IPFix(packet)] = &parsed.packets[..] else {
            panic!("not one message: {:?}", parsed.packets);
        };
        let header = packet.header;
        assert_eq!(usize::from(header.length), message.len());
        let mut decoded = Decoded {
            export_time: header.export_time,
            sequence: header.sequence_number,
            domain: header.observation_domain_id,
            ..Decoded::default()
        };
        for set in &packet.flowsets {
            let templates = match &set.body {
                FlowSetBody::Template(template) => std::slice::from_ref(template),
                FlowSetBody::Templates(templates) => templates,
                FlowSetBody::Data(data) => {
                    let fields = &self.templates[&set.header.header_id];
                    assert_eq!(data.padding, [0_u8; 0], "no padding");
                    decoded.records.extend(data.fields.iter().map(|values| {
                        assert_eq!(values.len(), fields.len());
                        let bytes = values.iter().map(|(_, value)| {
                            let mut bytes = Vec::new();
                            value.write_be_bytes(&mut bytes).unwrap();
                            bytes
                        });
                        fields.iter().copied().zip(bytes).collect()
                    }));
                    continue;
                }
                other => panic!("unexpected: {other:?}"),
            };
            for template in templates {
                let fields = template.fields.iter().map(|field| {
                    let number = field.field_type_number & 0x7fff;
                    (number, field.enterprise_number.unwrap_or(0))
                });
                decoded.templates.push(template.template_id);
                self.templates.insert(template.template_id, fields.collect());
            }
        }
        decoded
    }
}
