//! What the forked processes tell Clockwork, through a pipe: what of the sandbox they could build, at which stage they
//! failed, and in the end whether the program left something behind.

use std::{io, os::fd::BorrowedFd};

/// A stage at which something can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Stage {
    #[default]
    Session = 1,
    Users,
    Fork,
    Network,
    View,
    Directory,
    Groups,
    Limits,
    Rights,
    /// All of it is required, and not all of it can be had.
    Required,
}

const STAGES: [Stage; 10] = [
    Stage::Session,
    Stage::Users,
    Stage::Fork,
    Stage::Network,
    Stage::View,
    Stage::Directory,
    Stage::Groups,
    Stage::Limits,
    Stage::Rights,
    Stage::Required,
];

/// What could be built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Record {
    pub(super) namespaces: bool,
    /// A user namespace among them.
    pub(super) users: bool,
    pub(super) view: bool,
    /// Whether the view has a `/proc`.
    pub(super) proc: bool,
    pub(super) landlock: bool,
    /// Whether Landlock also restricts signals and abstract sockets.
    pub(super) scope: bool,
    pub(super) filtered: bool,
    /// Whether its processes are limited by number.
    pub(super) processes: bool,
    /// At which step of the view it failed.
    pub(super) step: u32,
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The sandbox stands.
    Ready(Record),
    /// It does not.
    Failed(Record, Stage, i32),
    /// The program has ended, with this status, and so has all that it started; whether something was left of that.
    Ended { status: i32, left: bool },
}

pub(super) const LENGTH: usize = 12;

impl Record {
    /// Whether everything that a sandbox is asked for is there, apart from the filter. `own_network` says that it needs a
    /// network of its own.
    pub(super) fn is_whole(&self, own_network: bool) -> bool {
        self.missing(own_network).is_empty()
    }

    /// What is not enforced.
    pub(super) fn missing(&self, own_network: bool) -> Vec<&'static str> {
        let mut missing = Vec::new();
        let mut lacks = |lacking: bool, what| missing.extend(lacking.then_some(what));
        lacks(
            !self.view && !self.landlock,
            "it may read and change all that Clockwork may (no mount namespace, no Landlock)",
        );
        lacks(
            !self.namespaces && !self.scope,
            "it may signal other processes (no pid namespace, and no Landlock of Linux 6.12)",
        );
        lacks(!self.namespaces, "it sees which other processes there are (no pid namespace)");
        lacks(
            own_network && !self.namespaces,
            "its network is not limited to the loopback interface (no network namespace)",
        );
        lacks(
            !self.view,
            "its temporary files are limited one by one, not all together (no mount namespace)",
        );
        lacks(!self.processes, "the number of its processes is not limited (no control group)");
        lacks(!self.filtered, "its system calls are not filtered (no seccomp)");
        missing
    }

    fn bits(&self) -> u8 {
        let all = [
            self.namespaces,
            self.users,
            self.view,
            self.proc,
            self.landlock,
            self.scope,
            self.filtered,
            self.processes,
        ];
        all.iter().enumerate().fold(0, |bits, (place, set)| bits | u8::from(*set) << place)
    }

    fn of(bits: u8, step: u32) -> Self {
        let bit = |place: u8| bits & 1 << place != 0;
        Self {
            namespaces: bit(0),
            users: bit(1),
            view: bit(2),
            proc: bit(3),
            landlock: bit(4),
            scope: bit(5),
            filtered: bit(6),
            processes: bit(7),
            step,
        }
    }
}

impl Told {
    pub(super) fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        match self {
            Self::Ready(record) => (bytes[0], bytes[1]) = (1, record.bits()),
            Self::Failed(record, stage, errno) => {
                (bytes[0], bytes[1], bytes[2]) = (2, record.bits(), *stage as u8);
                bytes[4..8].copy_from_slice(&record.step.to_ne_bytes());
                bytes[8..].copy_from_slice(&errno.to_ne_bytes());
            }
            Self::Ended { status, left } => {
                (bytes[0], bytes[1]) = (3, u8::from(*left));
                bytes[4..8].copy_from_slice(&status.to_ne_bytes());
            }
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8; LENGTH]) -> Option<Self> {
        let number = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        let record = Record::of(bytes[1], u32::from_ne_bytes(number(4)));
        match bytes[0] {
            1 => Some(Self::Ready(record)),
            2 => {
                let stage = STAGES.into_iter().find(|stage| *stage as u8 == bytes[2])?;
                Some(Self::Failed(record, stage, i32::from_ne_bytes(number(8))))
            }
            3 => Some(Self::Ended { status: i32::from_ne_bytes(number(4)), left: bytes[1] == 1 }),
            _ => None,
        }
    }
}

/// The writing end, in the forked processes.
pub(super) struct Report<'a> {
    pipe: BorrowedFd<'a>,
    pub(super) record: Record,
}

impl<'a> Report<'a> {
    pub(super) fn new(pipe: BorrowedFd<'a>) -> Self {
        Self { pipe, record: Record::default() }
    }

    /// Does it, and tells if it fails.
    pub(super) fn at<T, E: Into<io::Error>>(
        &mut self,
        stage: Stage,
        work: impl FnOnce() -> Result<T, E>,
    ) -> io::Result<T> {
        work().map_err(|error| self.failed(stage, error.into()))
    }

    pub(super) fn failed(&mut self, stage: Stage, error: io::Error) -> io::Error {
        let errno = error.raw_os_error().unwrap_or(0);
        let _ = self.tell(&Told::Failed(self.record, stage, errno));
        error
    }

    pub(super) fn ready(&mut self) -> io::Result<()> {
        self.tell(&Told::Ready(self.record))
    }

    fn tell(&self, told: &Told) -> io::Result<()> {
        nix::unistd::write(self.pipe, &told.encode())?; // a pipe takes so few bytes at once
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_arrives() {
        let record = Record { users: true, scope: true, step: 0, ..Record::default() };
        for told in [
            Told::Ready(record),
            Told::Failed(Record { step: 70_000, ..record }, Stage::Required, -5),
            Told::Ended { status: 7 << 8, left: true },
            Told::Ended { status: 9, left: false },
        ] {
            assert_eq!(Told::decode(&told.encode()), Some(told));
        }
        for stage in STAGES {
            let told = Told::Failed(record, stage, 1);
            assert_eq!(Told::decode(&told.encode()), Some(told));
        }
        assert_eq!(Told::decode(&[9; LENGTH]), None);
    }
}
