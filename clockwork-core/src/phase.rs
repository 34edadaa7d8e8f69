//! [`Phase`]: what a look is doing right now, so that whoever runs out of time can say what it waited for.

use std::{
    borrow::Cow,
    fmt,
    net::SocketAddr,
    sync::{Mutex, PoisonError},
};

/// What a look is doing right now. Most looks end well, and nobody reads it: what is put together of more than a text is
/// put together when somebody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    words: Words,
    whose: Whose,
}

/// Who takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// The target.
    Target,
    /// Somebody who has to be asked before it.
    Other,
    /// We.
    Ours,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Words {
    Text(Cow<'static, str>),
    Waiting(SocketAddr, &'static str),
}

impl Phase {
    /// `waiting for 127.0.0.1:80 to answer`, of an address and ` to answer`.
    pub fn waiting_for(address: SocketAddr, to: &'static str) -> Self {
        Words::Waiting(address, to).into()
    }

    /// What is done on this side, before the target is asked at all: when time runs out here, that is not the target's
    /// fault, whatever the probe's silence means otherwise.
    pub fn ours(text: impl Into<Cow<'static, str>>) -> Self {
        Self { words: Words::Text(text.into()), whose: Whose::Ours }
    }

    /// What has to be asked of somebody else before the target, such as its address: when that does not answer, nothing
    /// was proven about the target.
    pub fn before(text: impl Into<Cow<'static, str>>) -> Self {
        Self { words: Words::Text(text.into()), whose: Whose::Other }
    }

    pub(crate) fn is_of_others(&self) -> bool {
        self.whose == Whose::Other
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.whose == Whose::Ours
    }
}

impl From<String> for Phase {
    fn from(text: String) -> Self {
        Words::Text(text.into()).into()
    }
}

impl From<Words> for Phase {
    fn from(words: Words) -> Self {
        Self { words, whose: Whose::Target }
    }
}

impl From<&'static str> for Phase {
    fn from(text: &'static str) -> Self {
        Words::Text(text.into()).into()
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.words {
            Words::Text(text) => f.write_str(text),
            Words::Waiting(address, to) => write!(f, "waiting for {address}{to}"),
        }
    }
}

/// Where a look says it, and where those who wait for it read it.
#[derive(Debug, Default)]
pub(crate) struct PhaseSlot(Mutex<Option<Phase>>);

impl PhaseSlot {
    pub(crate) fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(phase);
    }

    pub(crate) fn get(&self) -> Option<Phase> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A look, as its context sees it.
pub(crate) trait SaysPhase: Send + Sync {
    fn slot(&self) -> &PhaseSlot;
}

impl SaysPhase for PhaseSlot {
    fn slot(&self) -> &PhaseSlot {
        self
    }
}
