//! Live progress on standard error: a fold over the run's events.
//!
//! While nobody has looked for a while, events are only put aside, so that ten thousand quick checks cost next to
//! nothing and a run that is over at once shows nothing at all.

mod lines;
mod state;
mod terminal;

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use clockwork_core::{CheckResult, Event, Graph, Project};

use crate::{
    cli::Color,
    format::{Stream, palette, stderr_is_watched},
    runner::for_the_log,
};
use lines::Lines;
use state::State;
use terminal::Screen;

/// Shows what is going on.
#[derive(Debug)]
pub(crate) struct Progress(Option<Shown>);

#[derive(Debug)]
struct Shown {
    state: State,
    aside: Vec<(Instant, Noted)>,
    view: View,
}

/// An event. There are two of each check, so these are small.
#[derive(Debug)]
enum Noted {
    Judged(Arc<CheckResult>),
    Started(Arc<str>),
    Other(Box<Event>),
}

impl Noted {
    fn new(event: Event) -> Self {
        match event {
            Event::Judged(result) => Self::Judged(result),
            Event::Started { id } => Self::Started(id),
            other => Self::Other(Box::new(other)),
        }
    }

    fn event(self) -> Event {
        match self {
            Self::Judged(result) => Event::Judged(result),
            Self::Started(id) => Event::Started { id },
            Self::Other(event) => *event,
        }
    }
}

#[derive(Debug)]
enum View {
    Terminal(Screen),
    Lines(Lines),
}

impl Progress {
    /// Runs that are shorter than this show nothing.
    pub(crate) const QUIET_FOR: Duration = Duration::from_millis(200);

    /// On a terminal, a display that is redrawn; elsewhere a line for what takes its time; nothing if `quiet`.
    pub(crate) fn new(quiet: bool, color: Color, project: &Project, graph: &Graph) -> Self {
        if quiet {
            return Self(None);
        }
        let view = if stderr_is_watched() {
            View::Terminal(Screen::new(palette(color, Stream::Stderr)))
        } else {
            View::Lines(Lines::default())
        };
        // Lines tell of what is looked at, not of what waits.
        let project = matches!(view, View::Terminal(_)).then(|| project.clone());
        // Large ones are not to be copied as they grow.
        let aside = Vec::with_capacity(2 * graph.len());
        Self(Some(Shown { state: State::new(project, graph), aside, view }))
    }

    /// How often to show it; `None` if never.
    pub(crate) fn tick(&self) -> Option<Duration> {
        self.0.as_ref().map(|shown| match shown.view {
            View::Terminal(_) => Duration::from_millis(100),
            View::Lines(_) => Duration::from_millis(250),
        })
    }

    /// Something happened.
    pub(crate) fn note(&mut self, at: Instant, event: Event) {
        if let Some(shown) = &mut self.0 {
            shown.aside.push((at, Noted::new(event)));
        }
    }

    /// Shows where things stand.
    pub(crate) fn show(&mut self, graph: &Graph) {
        let Some(Shown { state, aside, view }) = &mut self.0 else { return };
        let now = Instant::now();
        let mut text = String::new();
        for (at, noted) in aside.drain(..) {
            let event = noted.event();
            if let View::Lines(lines) = view {
                lines.note(&mut text, state, &event, at);
            }
            state.fold(graph, at, event);
        }
        match view {
            View::Terminal(screen) => {
                let size = terminal_size::terminal_size_of(io::stderr());
                let (columns, rows) = size.map_or((80, 24), |(columns, rows)| (columns.0, rows.0));
                screen.draw(&mut text, state, now, usize::from(columns), usize::from(rows));
            }
            View::Lines(lines) => lines.show(&mut text, state, now),
        }
        put(&text);
    }

    /// Ends it, before the result is shown: what is drawn is taken away, and what was told to be slow is told to be over.
    pub(crate) fn finish(&mut self) {
        let Some(Shown { state, aside, view }) = &mut self.0 else { return };
        let mut text = String::new();
        match view {
            View::Terminal(screen) => screen.clear(&mut text),
            View::Lines(lines) => {
                aside.drain(..).for_each(|(at, noted)| lines.note(&mut text, state, &noted.event(), at));
            }
        }
        put(&text);
    }
}

fn put(text: &str) {
    if !text.is_empty() {
        // Progress is no reason to fail.
        let _ = io::stderr().lock().write_all(for_the_log(text).as_bytes());
    }
}
