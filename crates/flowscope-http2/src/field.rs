/// A header field that a record shows, or that is needed to read one.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) enum Field {
    /// One that was named by an index, whose entry was not captured.
    Unknown,
    /// Any that is not kept.
    #[default]
    Other,
    Method,
    Scheme,
    Authority,
    Path,
    Protocol,
    Status,
    Host,
    UserAgent,
    Referer,
    Origin,
    ContentType,
    /// Kept as a number.
    ContentLength,
    Location,
    GrpcStatus,
    GrpcMessage,
}

impl Field {
    /// Those whose values are kept.
    #[cfg(test)]
    pub(crate) const KEPT: [Field; 15] = [
        Field::Method,
        Field::Scheme,
        Field::Authority,
        Field::Path,
        Field::Protocol,
        Field::Status,
        Field::Host,
        Field::UserAgent,
        Field::Referer,
        Field::Origin,
        Field::ContentType,
        Field::ContentLength,
        Field::Location,
        Field::GrpcStatus,
        Field::GrpcMessage,
    ];

    /// The field of this name. Names are in lower case (RFC 9113 §8.2).
    pub(crate) fn of(name: &[u8]) -> Field {
        match name {
            b":method" => Field::Method,
            b":scheme" => Field::Scheme,
            b":authority" => Field::Authority,
            b":path" => Field::Path,
            b":protocol" => Field::Protocol,
            b":status" => Field::Status,
            b"host" => Field::Host,
            b"user-agent" => Field::UserAgent,
            b"referer" => Field::Referer,
            b"origin" => Field::Origin,
            b"content-type" => Field::ContentType,
            b"content-length" => Field::ContentLength,
            b"location" => Field::Location,
            b"grpc-status" => Field::GrpcStatus,
            b"grpc-message" => Field::GrpcMessage,
            _ => Field::Other,
        }
    }

    pub(crate) fn is_kept(self) -> bool {
        !matches!(self, Field::Unknown | Field::Other)
    }

    /// How many bytes of a value are kept.
    pub(crate) fn max_len(self) -> usize {
        match self {
            Field::Unknown | Field::Other => 0,
            Field::Method | Field::Scheme | Field::Protocol => 32,
            Field::Status | Field::GrpcStatus | Field::ContentLength => 32,
            Field::Path => 2048,
            Field::UserAgent | Field::Referer | Field::Location => 512,
            Field::Authority | Field::Host | Field::Origin => 256,
            Field::ContentType | Field::GrpcMessage => 256,
        }
    }
}

/// The fields of a header block that are kept: of each name the first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Fields {
    kept: Vec<(Field, Box<[u8]>)>,
    /// The first Content-Length, if it is a number (RFC 9110 §8.6).
    content_length: Option<u64>,
    /// What all of them count, those included that are not kept (RFC 9113 §6.5.2).
    pub(crate) size: u64,
    /// Whether there are fields that are not known.
    pub(crate) is_partial: bool,
}

impl Fields {
    /// Adds a field whose name and value count `size`.
    pub(crate) fn add(&mut self, field: Field, value: &[u8], size: u32) {
        self.size += u64::from(size);
        self.is_partial |= field == Field::Unknown;
        if field == Field::ContentLength {
            self.content_length = self.content_length.or(length(value));
        } else if field.is_kept() && self.get(field).is_none() {
            self.kept.push((field, value.into()));
        }
    }

    pub(crate) fn get(&self, field: Field) -> Option<&[u8]> {
        self.kept.iter().find(|(of, _)| *of == field).map(|(_, value)| &**value)
    }

    pub(crate) fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.kept.capacity() * size_of::<(Field, Box<[u8]>)>()
            + self.kept.iter().map(|(_, value)| value.len()).sum::<usize>()
    }
}

/// A length in decimal digits, at most 19 of them.
fn length(digits: &[u8]) -> Option<u64> {
    let is_number = (1..20).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0')))
}
