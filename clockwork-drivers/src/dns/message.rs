//! Messages as bytes: the question, whether something is an answer to it, and what the answer says.
//!
//! Of an answer only what the question needs is decoded: a strange record elsewhere in the message must not spoil a good
//! answer. hickory-proto does that, but for what nearly all answers are made of, addresses of the name that was asked for.

use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
};

use hickory_proto::{
    rr::{Name, RData, RecordType as WireType},
    serialize::binary::{BinDecodable, BinDecoder, DecodeError, Restrict},
};

use super::{DnsName, DnsRecord, RecordType, record};
use crate::address;

/// How large an answer over UDP may be: what passes every network in one piece (DNS flag day 2020).
const UDP_SIZE: u16 = 1232;
const HEADER: usize = 12;
/// What says that we understand EDNS: a record of the root, without any option.
const EDNS: [u8; 11] = {
    let [high, low] = UDP_SIZE.to_be_bytes();
    [0, 0, 41, high, low, 0, 0, 0, 0, 0, 0]
};
/// Points to the name of the question, which is the first one in a message.
const SAME_NAME: [u8; 2] = [0xc0, HEADER as u8];

/// A question as it is sent.
pub(super) struct Question {
    name: DnsName,
    record_type: RecordType,
    bytes: Vec<u8>,
    /// Where the question section ends.
    end: usize,
}

impl Question {
    pub(super) fn new(name: &DnsName, record_type: RecordType, edns: bool) -> Self {
        let end = HEADER + name.wire().len() + 4;
        let mut bytes = Vec::with_capacity(end + EDNS.len());
        bytes.extend_from_slice(&random_id().to_be_bytes());
        bytes.extend_from_slice(&[0x01, 0x00]); // a query; recursion desired
        bytes.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, u8::from(edns)]);
        bytes.extend_from_slice(name.wire());
        bytes.extend_from_slice(&u16::from(record_type.on_the_wire()).to_be_bytes());
        bytes.extend_from_slice(&[0, 1]); // the class IN
        if edns {
            bytes.extend_from_slice(&EDNS);
        }
        Self { name: name.clone(), record_type, bytes, end }
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
    pub(super) owner: DnsName,
    pub(super) told: Told,
}

/// What a record says.
#[derive(Debug, PartialEq)]
pub(super) enum Told {
    /// What was asked for, until it is taken.
    Record(Option<DnsRecord>),
    /// That its owner is an alias of this one, and how long that may be kept, where an alias is not what was asked for.
    Alias(DnsName, u32),
}

impl Reply {
    /// Reads what is an answer to this question. One that was cut off is not read beyond its header.
    pub(super) fn read(message: &[u8], question: &Question) -> Result<Self, Malformed> {
        let mut reader = Reader { message, at: 0, asked: None };
        let [_id, flags, questions, answers, authorities, additionals] = numbers(reader.bytes::<HEADER>()?);
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
        if questions > 0 {
            reader.slice(question.end - HEADER)?; // ours, or it would be no answer to it
            reader.asked = Some(&question.name);
        }
        let asked = question.record_type.on_the_wire();
        // As many as there may be, and not as many as somebody says that there are.
        reply.answers.reserve_exact(usize::from(answers).min(16));
        for _ in 0..answers {
            let (head, data) = reader.record()?;
            if head.class == 1 && (head.record_type == asked || head.record_type == WireType::CNAME) {
                reply.answers.push(head.decode(message, data, question)?);
            }
        }
        // What is wrong from here on takes nothing from the answer.
        let _ = reply.read_rest(&mut reader, authorities, additionals);
        Ok(reply)
    }

    fn read_rest(
        &mut self,
        reader: &mut Reader<'_>,
        authorities: u16,
        additionals: u16,
    ) -> Result<(), DecodeError> {
        for _ in 0..authorities {
            match reader.record()?.0.record_type {
                WireType::SOA => self.zone = true,
                WireType::NS => self.name_servers = true,
                _ => {}
            }
        }
        for _ in 0..additionals {
            let (head, data) = reader.record()?;
            if head.record_type == WireType::OPT {
                self.code |= (head.ttl >> 24 << 4) as u16;
                self.extended_error = extended_error(data.bytes);
            }
        }
        Ok(())
    }
}

/// Reads a message from its beginning to its end.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
    /// The name that the question in it is about.
    asked: Option<&'a DnsName>,
}

/// A record without its data.
struct Head {
    /// `None`: the name that was asked for.
    owner: Option<Name>,
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

impl<'a> Reader<'a> {
    fn slice(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let rest = self.message.get(self.at..).unwrap_or_default();
        let slice = rest.get(..length).ok_or(DecodeError::InsufficientBytes)?;
        self.at += length;
        Ok(slice)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.slice(N)?.try_into().map_err(|_| DecodeError::InsufficientBytes)
    }

    /// Whose a record is; `None` for the name that was asked for.
    fn owner(&mut self) -> Result<Option<Name>, DecodeError> {
        if self.asked.is_some()
            && self.message.get(self.at..).is_some_and(|rest| rest.starts_with(&SAME_NAME))
        {
            self.at += SAME_NAME.len();
            return Ok(None);
        }
        let mut decoder = BinDecoder::new(self.message);
        decoder.read_slice(self.at)?;
        let name = Name::read(&mut decoder)?;
        self.at = decoder.index();
        Ok(Some(name))
    }

    fn record(&mut self) -> Result<(Head, Data<'a>), DecodeError> {
        let owner = self.owner()?;
        let [record_type, class, ttl_high, ttl_low, length] = numbers(self.bytes::<10>()?);
        let record_type = record_type.into();
        let ttl = u32::from(ttl_high) << 16 | u32::from(ttl_low);
        let start = self.at;
        let bytes = self.slice(length.into())?;
        Ok((Head { owner, record_type, class, ttl }, Data { bytes, start }))
    }
}

impl Head {
    fn decode(self, message: &[u8], data: Data<'_>, question: &Question) -> Result<Answer, Malformed> {
        // RFC 2181, section 8: with the top bit set it means zero.
        let ttl = if self.ttl > i32::MAX as u32 { 0 } else { self.ttl };
        let told = match (self.record_type, address_in(data.bytes)) {
            (WireType::A, Some(it @ IpAddr::V4(_))) | (WireType::AAAA, Some(it @ IpAddr::V6(_))) => {
                Told::Record(Some(DnsRecord { data: address::text(it), address: Some(it), ttl }))
            }
            _ => match self.data(message, data)? {
                RData::CNAME(target) if question.record_type != RecordType::CNAME => {
                    Told::Alias(DnsName::from(&target.0), ttl)
                }
                other => Told::Record(Some(DnsRecord { data: record::show(&other), address: None, ttl })),
            },
        };
        let owner = self.owner.map_or_else(|| question.name.clone(), |other| DnsName::from(&other));
        Ok(Answer { owner, told })
    }

    /// Names in the data may point to anywhere before it, so that the whole message is needed.
    fn data(&self, message: &[u8], data: Data<'_>) -> Result<RData, Malformed> {
        let end = data.start + data.bytes.len();
        let mut decoder = BinDecoder::new(&message[..end]);
        decoder.read_slice(data.start)?;
        let length = data.bytes.len() as u16; // it was read as one
        let read = RData::read(&mut decoder, self.record_type, Restrict::new(length))?;
        match decoder.index() == end {
            true => Ok(read),
            false => Err(Malformed::Length(self.record_type)),
        }
    }
}

/// Pairs of bytes as the numbers that they are.
fn numbers<const BYTES: usize, const N: usize>(bytes: [u8; BYTES]) -> [u16; N] {
    const { assert!(BYTES == N * 2) };
    std::array::from_fn(|at| u16::from_be_bytes([bytes[at * 2], bytes[at * 2 + 1]]))
}

/// The address that these bytes are, if it is their number.
fn address_in(bytes: &[u8]) -> Option<IpAddr> {
    let four = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    four().or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
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
        Question::new(&name.parse().unwrap(), RecordType::A, true)
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
        let read = |bytes: &[u8]| Reply::read(bytes, &asked);
        let good = read(&reply(&asked, [0x84, 0x80], [1, 0, 0], ADDRESS)).unwrap();
        assert_eq!((good.code, good.authoritative, good.answers.len()), (0, true, 1));
        let record =
            DnsRecord { data: String::from("10.0.0.1"), address: Some([10, 0, 0, 1].into()), ttl: 300 };
        assert_eq!(good.answers[0].told, Told::Record(Some(record)));
        assert_eq!(good.answers[0].owner, asked.name);
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
        // The same name in full, another name, and an alias.
        let in_full = [&asked.bytes[HEADER..asked.end - 4], &ADDRESS[2..]].concat();
        let other = [&[1, b'x', 0xc0, 14][..], &ADDRESS[2..]].concat();
        let alias = [&[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 7, 0, 4, 1, b'x', 0xc0, 14][..]].concat();
        let several = reply(&asked, [0x80, 0], [3, 0, 0], &[in_full, other, alias].concat());
        let several = read(&several).unwrap().answers;
        let owners: Vec<_> = several.iter().map(|answer| answer.owner.to_string()).collect();
        assert_eq!(owners, ["a.example.", "x.example.", "a.example."]);
        assert_eq!(several[2].told, Told::Alias("x.example".parse().unwrap(), 7));
        // The code's upper bits, and what the server says of it.
        let opt = [0, 0, 41, 4, 208, 1, 0, 0, 0, 0, 8, 0, 15, 0, 4, 0, 6, b'h', b'i'];
        let bad = read(&reply(&asked, [0x80, 0], [0, 0, 1], &opt)).unwrap();
        assert_eq!((bad.code, bad.extended_error), (16, Some((6, String::from("hi")))));
        // Eternity is none.
        let mut eternal = ADDRESS.to_vec();
        eternal[6] = 0x80;
        let eternal = read(&reply(&asked, [0x80, 0], [1, 0, 0], &eternal)).unwrap();
        assert!(matches!(&eternal.answers[0].told, Told::Record(Some(record)) if record.ttl == 0));
    }
}
