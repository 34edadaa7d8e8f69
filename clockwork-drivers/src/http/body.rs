//! The body of an HTTP/1 answer, taken out of what comes over the connection.

/// How much of what comes beside a chunked body is read: extensions of chunks, and headers after the last one.
const MAX_BESIDE: usize = 16 << 10;
const MAX_TRAILERS: usize = 100;

/// How a body ends, and how much of it is still to come.
#[derive(Debug)]
pub(super) enum Body {
    /// After so many bytes more.
    Length(u64),
    /// With a chunk of no bytes.
    Chunked(Chunks),
    /// With the connection.
    UntilTheEnd,
}

/// As much of a body as is to be kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    /// How many bytes came.
    pub(super) came: u64,
    /// There was more than was to be kept.
    pub(super) truncated: bool,
    limit: usize,
}

impl Kept {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), came: 0, truncated: false, limit }
    }

    pub(super) fn add(&mut self, data: &[u8]) {
        self.came += data.len() as u64;
        let room = self.limit - self.bytes.len();
        self.truncated |= data.len() > room;
        self.bytes.extend_from_slice(&data[..data.len().min(room)]);
    }
}

impl Body {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunks { at: At::Size { digits: 0 }, left: 0, beside: 0, trailers: Vec::new() })
    }

    /// Whether it has come to its end.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunks) => chunks.at == At::End,
            Self::UntilTheEnd => false,
        }
    }

    /// Whether the end of the connection is its end.
    pub(super) fn ends_with_connection(&self) -> bool {
        matches!(self, Self::UntilTheEnd)
    }

    /// Takes what belongs to the body from the beginning of these bytes; returns how many they were. They are all of
    /// them, unless the body is complete.
    ///
    /// # Errors
    /// What is wrong with the chunks.
    pub(super) fn take(&mut self, bytes: &[u8], kept: &mut Kept) -> Result<usize, &'static str> {
        match self {
            Self::Length(left) => {
                let taken = usize::try_from(*left).map_or(bytes.len(), |left| bytes.len().min(left));
                if kept.bytes.is_empty() {
                    // What a server announces is not yet what it sends.
                    let announced = usize::try_from(*left).unwrap_or(usize::MAX);
                    kept.bytes.reserve_exact(announced.min(kept.limit).min(64 << 10));
                }
                *left -= taken as u64;
                kept.add(&bytes[..taken]);
                Ok(taken)
            }
            Self::Chunked(chunks) => chunks.take(bytes, kept),
            Self::UntilTheEnd => {
                kept.add(bytes);
                Ok(bytes.len())
            }
        }
    }
}

/// A body that comes in chunks (RFC 9112, section 7.1).
#[derive(Debug)]
pub(super) struct Chunks {
    at: At,
    /// How many bytes of the chunk are still to come.
    left: u64,
    /// How many bytes of extensions there were.
    beside: usize,
    /// The headers after the last chunk.
    trailers: Vec<u8>,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Size { digits: u32 },
    SizeEnd,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailer { lines: usize },
    TrailerLf { lines: usize },
    TrailerStart { lines: usize },
    EndLf,
    End,
}

impl Chunks {
    fn take(&mut self, bytes: &[u8], kept: &mut Kept) -> Result<usize, &'static str> {
        let mut taken = 0;
        while self.at != At::End
            && !kept.truncated
            && let Some(&byte) = bytes.get(taken)
        {
            if self.at == At::Data {
                let rest = &bytes[taken..];
                let data = usize::try_from(self.left).map_or(rest, |left| &rest[..rest.len().min(left)]);
                kept.add(data);
                taken += data.len();
                self.left -= data.len() as u64;
                if self.left == 0 {
                    self.at = At::DataCr;
                }
                continue;
            }
            self.at = self.next(byte)?;
            taken += 1;
        }
        Ok(taken)
    }

    fn next(&mut self, byte: u8) -> Result<At, &'static str> {
        Ok(match (self.at, byte) {
            (At::Size { digits }, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                let left = self.left.checked_mul(16).and_then(|left| left.checked_add(digit.into()));
                self.left = left.ok_or("a chunk's size is larger than any body")?;
                At::Size { digits: digits.saturating_add(1) }
            }
            (At::Size { digits: 0 }, _) => return Err("a chunk has no size"),
            (At::Size { .. } | At::SizeEnd, b'\t' | b' ') => At::SizeEnd,
            (At::Size { .. } | At::SizeEnd, b';') => At::Extension,
            (At::Size { .. } | At::SizeEnd | At::Extension, b'\r') => At::SizeLf,
            (At::Size { .. } | At::SizeEnd, _) => return Err("a chunk's size is no number"),
            (At::Extension, b'\n') => return Err("a line ends within a chunk's extension"),
            (At::Extension, _) => {
                self.beside += 1;
                if self.beside >= MAX_BESIDE {
                    return Err("the extensions of its chunks are larger than is read");
                }
                At::Extension
            }
            (At::SizeLf, b'\n') if self.left == 0 => At::TrailerStart { lines: 0 },
            (At::SizeLf, b'\n') => At::Data,
            (At::SizeLf, _) => return Err("the line with a chunk's size does not end"),
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Size { digits: 0 },
            (At::DataCr | At::DataLf, _) => return Err("a chunk is longer than its size"),
            (At::TrailerStart { .. }, b'\r') => At::EndLf,
            (At::TrailerStart { lines } | At::Trailer { lines }, _) => {
                self.trailer(byte)?;
                if byte == b'\r' { At::TrailerLf { lines } } else { At::Trailer { lines } }
            }
            (At::TrailerLf { lines }, b'\n') if lines < MAX_TRAILERS => {
                self.trailer(byte)?;
                At::TrailerStart { lines: lines + 1 }
            }
            (At::TrailerLf { .. }, b'\n') => {
                return Err("there are more headers after its last chunk than are read");
            }
            (At::TrailerLf { .. }, _) => return Err("a header after its last chunk does not end"),
            (At::EndLf, b'\n') => {
                self.check_trailers()?;
                At::End
            }
            (At::EndLf, _) => return Err("its last chunk does not end"),
            (At::Data | At::End, _) => self.at,
        })
    }

    fn trailer(&mut self, byte: u8) -> Result<(), &'static str> {
        self.trailers.push(byte);
        match self.trailers.len() < MAX_BESIDE {
            true => Ok(()),
            false => Err("the headers after its last chunk are larger than is read"),
        }
    }

    /// Nobody asks for them, but what is no header does not belong there.
    fn check_trailers(&mut self) -> Result<(), &'static str> {
        if self.trailers.is_empty() {
            return Ok(());
        }
        self.trailers.extend_from_slice(b"\r\n");
        let mut room = [httparse::EMPTY_HEADER; MAX_TRAILERS];
        match httparse::parse_headers(&self.trailers, &mut room) {
            Ok(httparse::Status::Complete(_)) => Ok(()),
            _ => Err("what follows its last chunk is no header"),
        }
    }
}
