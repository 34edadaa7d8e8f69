//! Messages as bytes: the question, whether something is an answer to it, and what the answer says.
//!
//! Of an answer only what the question needs is decoded (by hickory-proto): a strange record elsewhere in the message
//! must not spoil a good answer.

use std::hash::{BuildHasher, RandomState};

use hickory_proto::{
    rr::{Name, RData, RecordType as WireType},
    serialize::binary::{BinDecodable, BinDecoder, DecodeError, Restrict},
};

use super::RecordType;

/// How large an answer over UDP may be: what passes every network in one piece (DNS flag day 2020).
const UDP_SIZE: u16 = 1232;
const HEADER: usize = 12;

/// A question as it is sent.
pub(super) struct Question {
    bytes: Vec<u8>,
    /// Where the question section ends.
    end: usize,
}

impl Question {
    pub(super) fn new(name: &Name, record_type: RecordType, edns: bool) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + 64);
        bytes.extend(random_id().to_be_bytes());
        bytes.extend([0x01, 0x00]); // a query; recursion desired
        bytes.extend([0, 1, 0, 0, 0, 0, 0, u8::from(edns)]);
        for label in name.iter() {
            bytes.push(label.len() as u8); // a label has at most 63 bytes
            bytes.extend(label);
        }
        bytes.push(0);
        bytes.extend(u16::from(record_type.on_the_wire()).to_be_bytes());
        bytes.extend([0, 1]); // the class IN
        let end = bytes.len();
        if edns {
            bytes.extend([0, 0, 41]);
            bytes.extend(UDP_SIZE.to_be_bytes());
            bytes.extend([0; 6]);
        }
        Self { bytes, end }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether this is an answer to this question, and not to another or from somebody who guesses. An error may leave
    /// the question out.
    pub(super) fn is_answered_by(&self, answer: &[u8]) -> bool {
        let [first, second, flags, code, questions @ ..] = answer else { return false };
        if [*first, *second] != self.bytes[..2] || flags & 0xf8 != 0x80 || answer.len() < HEADER {
            return false;
        }
        match questions[..2] {
            [0, 0] => code & 0x0f != 0,
            [0, 1] => {
                let (ours, theirs) = (&self.bytes[HEADER..self.end], answer.get(HEADER..self.end));
                let Some(theirs) = theirs else { return false };
                let name = ours.len() - 4;
                ours[..name].eq_ignore_ascii_case(&theirs[..name]) && ours[name..] == theirs[name..]
            }
            _ => false,
        }
    }
}

/// An id that nobody can guess: the standard library's hasher is a keyed one, and its keys come from the system.
fn random_id() -> u16 {
    (RandomState::new().hash_one(()) >> 24) as u16
}

/// Why an answer cannot be understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("a record of type {0} is longer than its data")]
    Length(WireType),
}

/// What an answer says.
#[derive(Debug)]
pub(super) struct Reply {
    /// The response code, its upper bits included.
    pub(super) code: u16,
    pub(super) truncated: bool,
    pub(super) authoritative: bool,
    /// Whether the server asks others for this client.
    pub(super) recursive: bool,
    /// The records of the type that was asked for, and the aliases, in the order in which they came.
    pub(super) answers: Vec<Answer>,
    /// Whether the authority section holds the beginning of a zone, and name servers.
    pub(super) zone: bool,
    pub(super) name_servers: bool,
    pub(super) extended_error: Option<(u16, String)>,
}

/// A record of the answer section.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) owner: Name,
    pub(super) ttl: u32,
    pub(super) data: RData,
}

impl Reply {
    /// Reads an answer to a question for this type. One that was cut off is not read beyond its header.
    pub(super) fn read(bytes: &[u8], asked: RecordType) -> Result<Self, Malformed> {
        let mut decoder = BinDecoder::new(bytes);
        let mut number = || decoder.read_u16().map(Restrict::unverified);
        let (_id, flags) = (number()?, number()?);
        let [questions, answers, authorities, additionals] = [number()?, number()?, number()?, number()?];
        let mut reply = Self {
            code: flags & 0x0f,
            truncated: flags & 0x0200 != 0,
            authoritative: flags & 0x0400 != 0,
            recursive: flags & 0x0080 != 0,
            answers: Vec::new(),
            zone: false,
            name_servers: false,
            extended_error: None,
        };
        if reply.truncated {
            return Ok(reply);
        }
        for _ in 0..questions {
            Name::read(&mut decoder)?;
            decoder.read_slice(4)?;
        }
        let asked = asked.on_the_wire();
        for _ in 0..answers {
            let (head, data) = Head::read(&mut decoder)?;
            if head.class == 1 && (head.record_type == asked || head.record_type == WireType::CNAME) {
                reply.answers.push(head.decode(bytes, data)?);
            }
        }
        // What is wrong from here on takes nothing from the answer.
        let _ = reply.read_rest(&mut decoder, authorities, additionals);
        Ok(reply)
    }

    fn read_rest(
        &mut self,
        decoder: &mut BinDecoder<'_>,
        authorities: u16,
        additionals: u16,
    ) -> Result<(), DecodeError> {
        for _ in 0..authorities {
            match Head::read(decoder)?.0.record_type {
                WireType::SOA => self.zone = true,
                WireType::NS => self.name_servers = true,
                _ => {}
            }
        }
        for _ in 0..additionals {
            let (head, data) = Head::read(decoder)?;
            if head.record_type == WireType::OPT {
                self.code |= (head.ttl >> 24 << 4) as u16;
                self.extended_error = extended_error(data.bytes);
            }
        }
        Ok(())
    }
}

/// A record without its data.
struct Head {
    owner: Name,
    record_type: WireType,
    class: u16,
    ttl: u32,
}

/// Where a record's data is.
#[derive(Clone, Copy)]
struct Data<'a> {
    bytes: &'a [u8],
    start: usize,
}

impl Head {
    fn read<'a>(decoder: &mut BinDecoder<'a>) -> Result<(Self, Data<'a>), DecodeError> {
        let owner = Name::read(decoder)?;
        let record_type = decoder.read_u16()?.unverified().into();
        let class = decoder.read_u16()?.unverified();
        let ttl = decoder.read_u32()?.unverified();
        let length = decoder.read_u16()?.unverified();
        let start = decoder.index();
        let bytes = decoder.read_slice(length.into())?.unverified();
        Ok((Self { owner, record_type, class, ttl }, Data { bytes, start }))
    }

    /// Names in the data may point to anywhere before it, so that the whole message is needed.
    fn decode(self, message: &[u8], data: Data<'_>) -> Result<Answer, Malformed> {
        let end = data.start + data.bytes.len();
        let mut decoder = BinDecoder::new(&message[..end]);
        decoder.read_slice(data.start)?;
        let length = data.bytes.len() as u16; // it was read as one
        let read = RData::read(&mut decoder, self.record_type, Restrict::new(length))?;
        if decoder.index() != end {
            return Err(Malformed::Length(self.record_type));
        }
        // RFC 2181, section 8: with the top bit set it means zero.
        let ttl = if self.ttl > i32::MAX as u32 { 0 } else { self.ttl };
        Ok(Answer { owner: self.owner, ttl, data: read })
    }
}

/// The option in which a server says what went wrong (RFC 8914).
fn extended_error(mut options: &[u8]) -> Option<(u16, String)> {
    const EXTENDED_ERROR: u16 = 15;
    while let [a, b, c, d, rest @ ..] = options {
        let (code, length) = (u16::from_be_bytes([*a, *b]), usize::from(u16::from_be_bytes([*c, *d])));
        let (value, rest) = rest.split_at_checked(length)?;
        if let (EXTENDED_ERROR, [a, b, text @ ..]) = (code, value) {
            return Some((u16::from_be_bytes([*a, *b]), String::from_utf8_lossy(text).into_owned()));
        }
        options = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    fn question(name: &str) -> Question {
        Question::new(&Name::from_ascii(name).unwrap(), RecordType::A, true)
    }

    /// A header with an id, flags and counts, the question, and the rest.
    fn reply(question: &Question, flags: [u8; 2], counts: [u8; 3], rest: &[u8]) -> Vec<u8> {
        let mut bytes = question.bytes[..2].to_vec();
        bytes.extend(flags);
        bytes.extend([0, 1, 0, counts[0], 0, counts[1], 0, counts[2]]);
        bytes.extend(&question.bytes[HEADER..question.end]);
        bytes.extend(rest);
        bytes
    }

    const ADDRESS: &[u8] = &[0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 10, 0, 0, 1];

    #[test]
    fn only_an_answer_to_the_question_is_one() {
        let asked = question("a.example.");
        let good = reply(&asked, [0x80, 0], [1, 0, 0], ADDRESS);
        let changed = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            asked.is_answered_by(&bytes)
        };
        assert!(asked.is_answered_by(&good));
        assert!(changed(13, b'A'), "case means nothing in a name");
        assert!(!changed(0, good[0] ^ 1), "another id");
        assert!(!changed(2, 0), "a question");
        assert!(!changed(2, 0xa8), "another kind of message");
        assert!(!changed(5, 2), "two questions");
        assert!(!changed(13, b'b'), "another name");
        assert!(!changed(asked.end - 3, 28), "another type");
        assert!(!changed(asked.end - 1, 3), "another class");
        assert!(!changed(5, 0), "no question");
        let mut refused = good[..HEADER].to_vec();
        refused[3] = 5;
        refused[5] = 0;
        assert!(asked.is_answered_by(&refused), "an error may leave the question out");
        for length in 0..asked.end {
            assert!(!asked.is_answered_by(&good[..length]), "{length} bytes");
        }
        let ids: std::collections::HashSet<_> = (0..64).map(|_| random_id()).collect();
        assert!(ids.len() > 48, "{ids:?}");
    }

    #[test]
    fn an_answer_is_read_as_far_as_it_is_needed() {
        let asked = question("a.example.");
        let read = |bytes: &[u8]| Reply::read(bytes, RecordType::A);
        let good = read(&reply(&asked, [0x84, 0x80], [1, 0, 0], ADDRESS)).unwrap();
        assert_eq!(
            (good.code, good.authoritative, good.answers.len(), good.answers[0].ttl),
            (0, true, 1, 300)
        );
        // What is broken after the answer is no part of it; what is broken in it is.
        let more = [ADDRESS, &[0xc0]].concat();
        assert_eq!(read(&reply(&asked, [0x80, 0], [1, 1, 0], &more)).unwrap().answers.len(), 1);
        assert!(read(&reply(&asked, [0x80, 0], [2, 0, 0], &more)).is_err());
        // An address of five bytes, of three, of none, and a name that points to itself.
        for (length, data) in [(5, &[1; 5][..]), (3, &[1; 3]), (0, &[])] {
            let record = [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, length], data].concat();
            assert!(read(&reply(&asked, [0x80, 0], [1, 0, 0], &record)).is_err(), "{length}");
        }
        let itself = [&[0xc0, asked.end as u8, 0, 1, 0, 1][..], &[0; 10]].concat();
        assert!(read(&reply(&asked, [0x80, 0], [1, 0, 0], &itself)).is_err());
        // A type that was not asked for is passed over, whatever is in it.
        let other = [&[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 1, 0, 2, 9, 9], ADDRESS].concat();
        assert_eq!(read(&reply(&asked, [0x80, 0], [2, 0, 0], &other)).unwrap().answers.len(), 1);
        // The code's upper bits, and what the server says of it.
        let opt = [0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 8, 0, 15, 0, 4, 0, 6, b'h', b'i'];
        let bad = read(&reply(&asked, [0x80, 0], [0, 0, 1], &opt)).unwrap();
        assert_eq!((bad.code, bad.extended_error), (16, Some((6, String::from("hi")))));
        // Eternity is none.
        let mut eternal = ADDRESS.to_vec();
        eternal[6] = 0x80;
        assert_eq!(read(&reply(&asked, [0x80, 0], [1, 0, 0], &eternal)).unwrap().answers[0].ttl, 0);
    }
}
