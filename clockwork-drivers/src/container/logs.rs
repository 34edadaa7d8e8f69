//! [`ContainerLogs`]: the last lines of a container's log, both streams.

use std::{collections::VecDeque, time::Duration};

use clockwork_core::{CheckError, Context, Fault, Probe};

use super::{
    EngineRef,
    client::{self, segment},
};

/// How much of a log is held. What does not fit makes it [`Log::incomplete`].
const HELD: usize = 8 << 20;

/// The engine cuts longer lines into pieces of this length, and counts pieces where it is asked for lines.
const PIECE: usize = 16 << 10;

/// How many pieces are asked for at most.
const MOST: u32 = 8 << 20;

/// The last lines of a container's log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContainerLogs {
    /// The engine that runs it.
    pub engine: EngineRef,
    /// Its id, or its name.
    pub name: String,
    /// How many lines, at most.
    pub lines: u32,
    /// Only what was written in this time before now, by the engine's clock.
    pub since: Option<Duration>,
}

/// The last lines of a log, oldest first, without their line ends; what is no UTF-8 is replaced by `\u{fffd}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    /// The lines.
    pub lines: Vec<String>,
    /// Whether older lines that were asked for did not fit into memory.
    pub incomplete: bool,
}

impl Probe for ContainerLogs {
    type Observation = Log;

    async fn look(&self, cx: &Context) -> Result<Log, CheckError> {
        let engine = client::engine(&self.engine, cx).await?;
        cx.phase(format!("waiting for the log from {}", engine.describe()));
        let since = match self.since {
            None => String::new(),
            Some(since) => {
                let from =
                    cx.now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().saturating_sub(since);
                format!("&since={}.{:09}", from.as_secs(), from.subsec_nanos())
            }
        };
        // One more than are wanted: the first that comes may be the end of a line that is longer than a piece.
        let wanted = self.lines as usize;
        let (mut tail, mut before) = (self.lines.saturating_add(1), None);
        loop {
            let path =
                format!("/containers/{}/logs?stdout=1&stderr=1&tail={tail}{since}", segment(&self.name));
            let mut reader = None;
            let found = engine
                .stream(&path, |headers, bytes| {
                    let reader = reader.get_or_insert_with(|| {
                        let kind = headers.get(http::header::CONTENT_TYPE).map_or(&b""[..], |v| v.as_bytes());
                        let framed = match engine.says_how_logs_are_framed() {
                            _ if kind == b"application/vnd.docker.multiplexed-stream" => Some(true),
                            true if kind == b"application/vnd.docker.raw-stream" => Some(false),
                            _ => None,
                        };
                        Reader::new(framed, wanted + 1)
                    });
                    reader.take(bytes);
                    true
                })
                .await?;
            if found.is_none() {
                return Err(CheckError::target(format!("there is no container {}", self.name)));
            }
            let reader = reader.unwrap_or_else(|| Reader::new(None, 0));
            // Where lines are several pieces, fewer lines came than were meant; the whole log, when more brings no more.
            let complete = reader.lines.complete();
            let cut = complete <= wanted && reader.lines.longest >= PIECE && before != Some(complete);
            if cut && !reader.lines.overflown && tail < MOST {
                (tail, before) = (tail.saturating_mul(8), Some(complete));
                continue;
            }
            let mut log = reader.finish();
            log.incomplete |= cut;
            log.lines.drain(..log.lines.len().saturating_sub(wanted));
            return Ok(log);
        }
    }

    fn describe(&self) -> String {
        format!("reading the log of the container {}", self.name)
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(seen: &Log) -> usize {
        seen.lines.iter().map(|line| line.len() + 24).sum()
    }
}

/// Takes a log as it comes: raw (of a container with a terminal), or in frames of either stream.
struct Reader {
    framed: Option<bool>,
    head: Vec<u8>,
    /// The stream of the frame that is being read, and what of it is still to come.
    frame: (usize, usize),
    lines: Lines,
}

impl Reader {
    fn new(framed: Option<bool>, lines: usize) -> Self {
        Self { framed, head: Vec::with_capacity(8), frame: (0, 0), lines: Lines::new(lines) }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.framed == Some(false) {
                return self.lines.take(0, bytes);
            }
            let (stream, left) = self.frame;
            if left > 0 {
                let (now, rest) = bytes.split_at(left.min(bytes.len()));
                self.lines.take(stream, now);
                self.frame.1 -= now.len();
                bytes = rest;
                continue;
            }
            let (now, rest) = bytes.split_at((8 - self.head.len()).min(bytes.len()));
            self.head.extend_from_slice(now);
            bytes = rest;
            if self.head.len() == 8 {
                self.frame_begins();
            }
        }
    }

    /// A header: which stream, three zeros, and the length. Older engines do not say whether a log has them, so what
    /// does not look like one is the log itself.
    fn frame_begins(&mut self) {
        let head = std::mem::take(&mut self.head);
        match head[..] {
            [stream @ 0..=2, 0, 0, 0, a, b, c, d] => {
                self.framed = Some(true);
                self.frame = (stream as usize, u32::from_be_bytes([a, b, c, d]) as usize);
            }
            _ => {
                self.framed = Some(false);
                self.lines.take(0, &head);
            }
        }
    }

    fn finish(mut self) -> Log {
        let head = std::mem::take(&mut self.head);
        self.lines.take(0, &head);
        self.lines.finish()
    }
}

/// Puts lines together, and keeps the last ones.
struct Lines {
    wanted: usize,
    kept: VecDeque<Vec<u8>>,
    /// Beginnings of lines, one for each stream.
    open: [Vec<u8>; 3],
    held: usize,
    longest: usize,
    overflown: bool,
}

impl Lines {
    fn new(wanted: usize) -> Self {
        Self {
            wanted,
            kept: VecDeque::new(),
            open: Default::default(),
            held: 0,
            longest: 0,
            overflown: false,
        }
    }

    fn complete(&self) -> usize {
        self.kept.len()
    }

    fn take(&mut self, stream: usize, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let open = &mut self.open[stream];
            open.extend_from_slice(piece);
            self.held += piece.len();
            self.longest = self.longest.max(open.len());
            if piece.last() == Some(&b'\n') {
                let line = std::mem::take(open);
                self.keep(line);
            } else if open.len() > HELD {
                // A line that alone is more than we hold: its beginning goes, and with it the claim to completeness.
                self.held -= open.len();
                open.clear();
                self.overflown = true;
            }
            self.make_room();
        }
    }

    fn keep(&mut self, line: Vec<u8>) {
        self.kept.push_back(line);
        if self.kept.len() > self.wanted
            && let Some(oldest) = self.kept.pop_front()
        {
            self.held -= oldest.len();
        }
    }

    fn make_room(&mut self) {
        while self.held > HELD
            && let Some(oldest) = self.kept.pop_front()
        {
            self.held -= oldest.len();
            self.overflown = true;
        }
    }

    fn finish(mut self) -> Log {
        for open in std::mem::take(&mut self.open) {
            if !open.is_empty() {
                self.keep(open);
            }
        }
        let text = |line: Vec<u8>| {
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line); // as a terminal has it
            String::from_utf8_lossy(line).into_owned()
        };
        Log { lines: self.kept.into_iter().map(text).collect(), incomplete: self.overflown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
        [&[stream, 0, 0, 0], &length[..], text].concat()
    }

    fn read(bytes: &[u8], step: usize, lines: usize) -> Log {
        let mut reader = Reader::new(None, lines);
        bytes.chunks(step).for_each(|chunk| reader.take(chunk));
        reader.finish()
    }

    #[test]
    fn both_framings_come_out_alike_however_the_bytes_arrive() {
        let framed = [
            frame(1, b"one\n"),
            frame(2, b"a beginning, "),
            frame(1, b"two \xff\n"),
            frame(2, b"and its end\n"),
            frame(1, b"no newline"),
        ]
        .concat();
        let raw = b"one\r\ntwo \xff\r\na beginning, and its end\r\nno newline";
        let expected = ["one", "two \u{fffd}", "a beginning, and its end", "no newline"];
        for step in [1, 3, 7, 8, 9, 1000] {
            assert_eq!(read(&framed, step, 100).lines, expected, "framed, {step}");
            assert_eq!(read(raw, step, 100).lines, expected, "raw, {step}");
        }
        assert_eq!(read(&framed, 5, 2).lines, expected[2..]);
        assert_eq!(read(b"", 1, 10), Log::default());
        assert_eq!(read(b"short", 1, 10).lines, ["short"]);
    }

    #[test]
    fn memory_is_bounded_and_says_when_something_is_missing() {
        let mut reader = Reader::new(Some(false), usize::MAX);
        let line = [&[b'x'; 1023][..], b"\n"].concat();
        for _ in 0..20 << 10 {
            reader.take(&line);
            assert!(reader.lines.held <= HELD);
        }
        let log = reader.finish();
        assert!(log.incomplete && log.lines.len() == HELD / 1024);

        let mut endless = Reader::new(Some(false), 10);
        for _ in 0..40 {
            endless.take(&[b'x'; 1 << 20]);
            assert!(endless.lines.held <= HELD + (1 << 20));
        }
        assert!(endless.finish().incomplete);
    }
}
