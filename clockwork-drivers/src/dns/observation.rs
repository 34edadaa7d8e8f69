//! [`DnsObservation`]: what a name server said.

use std::net::{IpAddr, SocketAddr};

/// What was said to one question, and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsObservation {
    /// Who said it.
    pub server: SocketAddr,
    /// What it came to.
    pub outcome: DnsOutcome,
    /// The records, where there are any, in the order in which they came.
    pub records: Vec<DnsRecord>,
    /// The aliases that were followed, in order.
    pub aliases: Vec<Alias>,
    /// Whether the answer came over TCP, because it was too large for UDP.
    pub over_tcp: bool,
    /// Whether the server said that it speaks for the zone itself.
    pub authoritative: bool,
    /// The server's own words about what went wrong (RFC 8914), as they came.
    pub extended_error: Option<(u16, String)>,
}

impl DnsObservation {
    /// An answer that nobody gave, for the tests of those who judge answers.
    pub fn of(server: SocketAddr, outcome: DnsOutcome, records: &[(&str, u32)]) -> Self {
        let records = records.iter().map(|(data, ttl)| DnsRecord {
            data: (*data).to_owned(),
            address: data.parse().ok(),
            ttl: *ttl,
        });
        Self {
            server,
            outcome,
            records: records.collect(),
            aliases: Vec::new(),
            over_tcp: false,
            authoritative: true,
            extended_error: None,
        }
    }
}

/// What an answer came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DnsOutcome {
    /// There are records.
    Found,
    /// The name is there, and has none of this type (NODATA).
    NoData,
    /// There is no such name (NXDOMAIN).
    NoSuchName,
    /// The server knows only who else may know, and does not ask for others.
    Referral,
    /// A code that is no answer to the question: 1 FORMERR, 2 SERVFAIL, 4 NOTIMP, 5 REFUSED, …
    Code(u16),
    /// The aliases lead back to one of them.
    AliasLoop,
    /// There are more aliases than anybody follows.
    TooManyAliases,
    /// It cannot be understood, or could not be had as a whole: why.
    Broken(String),
}

impl DnsOutcome {
    /// The word for reports: `NOERROR`, `NXDOMAIN`, `SERVFAIL`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Found => "NOERROR",
            Self::NoData => "NODATA",
            Self::NoSuchName => "NXDOMAIN",
            Self::Referral => "REFERRAL",
            Self::AliasLoop => "ALIAS LOOP",
            Self::TooManyAliases => "TOO MANY ALIASES",
            Self::Broken(_) => "BROKEN",
            Self::Code(code) => match code {
                0 => "NOERROR",
                1 => "FORMERR",
                2 => "SERVFAIL",
                3 => "NXDOMAIN",
                4 => "NOTIMP",
                5 => "REFUSED",
                6 => "YXDOMAIN",
                7 => "YXRRSET",
                8 => "NXRRSET",
                9 => "NOTAUTH",
                10 => "NOTZONE",
                16 => "BADVERS",
                23 => "BADCOOKIE",
                _ => "UNKNOWN CODE",
            },
        }
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsRecord {
    /// Its data as zone files write it, names in small letters and with the dot at their end: `10 mail.example.`. A text
    /// (TXT) is itself, its parts joined, without quotation marks.
    pub data: String,
    /// The address that it is, if it is a record of one.
    pub address: Option<IpAddr>,
    /// How long it may be kept, in seconds.
    pub ttl: u32,
}

/// One alias that was followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alias {
    /// The name that is an alias.
    pub name: String,
    /// What it stands for.
    pub target: String,
    /// How long that may be kept, in seconds.
    pub ttl: u32,
}
