//! A regex over a stream of chunks, with the meaning that it has over the whole: anchors, and classes that span two
//! chunks. A lazy DFA needs one state and a bounded cache, whatever the length of the text.

use regex_automata::{
    Input,
    hybrid::{
        LazyStateID,
        dfa::{Cache, DFA},
    },
    nfa::thompson,
};

/// This regex cannot be stepped over this text: the caller needs the whole text in memory.
#[derive(Debug)]
pub(super) struct Unsupported;

/// What is known after a chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More text is needed.
    Undecided,
    /// There is a match, which ends about here (counted in bytes from the start of the text).
    Matched(u64),
    /// No text can make it match any more.
    Hopeless,
}

/// How large the compiled program of a regex may be; as in the `regex` crate.
const PROGRAM_LIMIT: usize = 10 << 20;

/// How far a search got.
#[derive(Debug)]
pub(super) struct Stream {
    dfa: DFA,
    cache: Cache,
    state: LazyStateID,
    position: u64,
}

impl Stream {
    pub(super) fn new(pattern: &str) -> Result<Self, Unsupported> {
        let config = DFA::config().unicode_word_boundary(true).skip_cache_capacity_check(true);
        let dfa = DFA::builder()
            .configure(config)
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(PROGRAM_LIMIT)))
            .build(pattern)
            .map_err(|_| Unsupported)?;
        let mut cache = dfa.create_cache();
        let state = dfa.start_state_forward(&mut cache, &Input::new("")).map_err(|_| Unsupported)?;
        Ok(Self { dfa, cache, state, position: 0 })
    }

    pub(super) fn step(&mut self, chunk: &[u8]) -> Result<Progress, Unsupported> {
        let mut state = self.state;
        for (offset, &byte) in chunk.iter().enumerate() {
            state = self.dfa.next_state(&mut self.cache, state, byte).map_err(|_| Unsupported)?;
            if state.is_tagged() {
                if state.is_match() {
                    // A match shows one byte after its end.
                    return Ok(Progress::Matched(self.position + offset as u64));
                }
                if state.is_dead() {
                    return Ok(Progress::Hopeless);
                }
                if state.is_quit() {
                    return Err(Unsupported);
                }
            }
        }
        self.state = state;
        self.position += chunk.len() as u64;
        Ok(Progress::Undecided)
    }

    /// Whether it matches, now that the text is over: where, if so.
    pub(super) fn end(mut self) -> Result<Option<u64>, Unsupported> {
        let state = self.dfa.next_eoi_state(&mut self.cache, self.state).map_err(|_| Unsupported)?;
        if state.is_quit() {
            return Err(Unsupported);
        }
        Ok(state.is_match().then_some(self.position))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    /// What stepping over chunks of `size` bytes says; `None` where it says nothing.
    fn stepped(pattern: &str, text: &[u8], size: usize) -> Option<bool> {
        let mut stream = Stream::new(pattern).ok()?;
        for chunk in text.chunks(size) {
            match stream.step(chunk).ok()? {
                Progress::Undecided => {}
                Progress::Matched(_) => return Some(true),
                Progress::Hopeless => return Some(false),
            }
        }
        Some(stream.end().ok()?.is_some())
    }

    #[test]
    fn chunks_mean_the_same_as_the_whole() {
        let patterns = [
            "^a",
            "a$",
            "^$",
            "",
            "^abc$",
            "(?m)^b",
            "(?m)a$",
            "(?m)^abc$",
            "b.d",
            "(?s)b.d",
            r"\bcat\b",
            r"(?-u:\b)cat(?-u:\b)",
            "é+",
            r"\p{Greek}",
            "[^x]z",
            r"\x00",
            "a{3,}",
            r"(?i)STRASSE",
            r"(?R)a$",
            r"\z",
            r"\A\z",
            r"x\z",
            r"\d{4}-\d\d",
            "(foo|foobar)baz",
            r"\Bat",
            "[^a]$",
        ];
        let texts: [&[u8]; 22] = [
            b"",
            b"a",
            b"abc",
            b"xabc",
            b"abc\n",
            b"\n",
            b"x\nabc\ny",
            b"a\r\nb",
            b"b\nd",
            b"cat",
            b"concat cat",
            "é".as_bytes(),
            "xéééz".as_bytes(),
            "αβγ".as_bytes(),
            b"\xff\xfeabc",
            b"a\x00b",
            b"aaa",
            b"strasse",
            b"2026-01-31",
            b"foobarbaz",
            b"x\xffz",
            b"\xc3",
        ];
        let mut compared = 0;
        for pattern in patterns {
            let whole = regex::bytes::Regex::new(pattern).unwrap();
            for text in texts {
                for size in [1, 2, 3, 100] {
                    let Some(found) = stepped(pattern, text, size) else {
                        assert!(
                            !text.is_ascii() && pattern.to_lowercase().contains(r"\b"),
                            "{pattern:?} quits on {text:?}"
                        );
                        continue;
                    };
                    assert_eq!(found, whole.is_match(text), "{pattern:?} on {text:?} in chunks of {size}");
                    compared += 1;
                }
            }
        }
        assert!(compared > 2000, "{compared}");
    }
}
