/// DNS parser configuration. Each setter documents its default.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DnsConfig {
    pub(crate) max_records: usize,
    pub(crate) max_invalid_messages: u32,
}

impl Default for DnsConfig {
    fn default() -> Self {
        DnsConfig { max_records: 4096, max_invalid_messages: 32 }
    }
}

impl DnsConfig {
    /// How many records, and how many questions, of one message are read; default 4096. Of address
    /// records, sixteen bytes each, 4095 fit into the 65 535 that a message can have. What comes
    /// after them is left out, as [`DnsDefect::TooManyRecords`](crate::DnsDefect::TooManyRecords).
    #[must_use]
    pub fn max_records(mut self, records: usize) -> Self {
        self.max_records = records;
        self
    }

    /// The most datagrams or messages that may be invalid before the first valid one; default 32.
    ///
    /// With one more the parser fails. After the first valid message there is no bound.
    #[must_use]
    pub fn max_invalid_messages(mut self, messages: u32) -> Self {
        self.max_invalid_messages = messages;
        self
    }
}
