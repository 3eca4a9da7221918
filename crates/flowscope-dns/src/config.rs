/// What a DNS parser is told when it is made. Every default is documented on its setter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DnsConfig {
    pub(crate) max_records: usize,
    pub(crate) max_strangers: u32,
}

impl Default for DnsConfig {
    fn default() -> Self {
        DnsConfig { max_records: 4096, max_strangers: 4 }
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

    /// How many datagrams or messages of a flow may be something else before the first that is DNS;
    /// default 4. One more, and the parser gives the flow up. A single stray datagram, or a single
    /// garbled body, is no reason to.
    #[must_use]
    pub fn max_strangers(mut self, strangers: u32) -> Self {
        self.max_strangers = strangers;
        self
    }
}
