//! The display on a terminal: redrawn in place, a few lines high.

use std::{fmt::Write, time::Instant};

use clockwork_core::{Palette, duration::show, text::bounded};

use super::state::{Open, State};
use crate::format::one_line;

/// How many lines the display has at most.
const HEIGHT: usize = 12;

/// How many of them say who waits for whom.
const WAITING: usize = 3;

/// What is drawn.
#[derive(Debug)]
pub(super) struct Screen {
    palette: Palette,
    lines: usize,
}

impl Screen {
    pub(super) fn new(palette: Palette) -> Self {
        Self { palette, lines: 0 }
    }

    /// Draws over what was drawn before.
    pub(super) fn draw(
        &mut self,
        out: &mut String,
        state: &State,
        now: Instant,
        columns: usize,
        rows: usize,
    ) {
        self.clear(out);
        // Lines must not wrap: what is drawn is taken away by counting them. Wide characters count as one here, so the
        // terminal is told as well.
        out.push_str("\x1b[?7l");
        for line in lines(state, now, &self.palette, rows.saturating_sub(1).min(HEIGHT)) {
            let Line { colour, text } = line;
            let text: String = text.chars().take(columns.saturating_sub(1)).collect();
            let reset = if colour.is_empty() { "" } else { self.palette.reset };
            let _ = writeln!(out, "{colour}{text}{reset}");
            self.lines += 1;
        }
        out.push_str("\x1b[?7h");
    }

    pub(super) fn clear(&mut self, out: &mut String) {
        if self.lines > 0 {
            let _ = write!(out, "\x1b[{}F\x1b[J", self.lines);
            self.lines = 0;
        }
    }
}

struct Line {
    colour: &'static str,
    text: String,
}

fn lines(state: &State, now: Instant, palette: &Palette, height: usize) -> Vec<Line> {
    let mut head = format!("{} of {} judged", state.judged, state.total);
    for (count, what) in [(state.failed, "failed"), (state.warnings, "warnings")] {
        if count > 0 {
            let _ = write!(head, ", {count} {what}");
        }
    }
    let _ = write!(head, " ({})", show(now.saturating_duration_since(state.began)));
    let colour = if state.failed > 0 { palette.bad } else { "" };
    let mut lines = vec![Line { colour, text: head }];

    let (open, waiting) = (state.by_age(), state.waiting());
    let for_waiting = waiting.len().min(WAITING);
    let for_open = height.saturating_sub(2 + for_waiting).max(1);
    let shown = if open.len() > for_open { for_open.saturating_sub(1).max(1) } else { open.len() };
    let open_lines =
        open[..shown].iter().map(|(id, open)| Line { colour: "", text: looked_at(id, open, now) });
    lines.extend(open_lines);
    if open.len() > shown {
        lines.push(Line { colour: palette.dim, text: format!("  … and {} more", open.len() - shown) });
    }
    let waits = waiting.iter().take(for_waiting);
    lines.extend(waits.map(|(name, blockers)| {
        let text = format!("  {} waits for {}", one_line(name), one_line(&blockers.join(", ")));
        Line { colour: palette.dim, text }
    }));
    if waiting.len() > for_waiting {
        let text = format!("  … and {} more wait", waiting.len() - for_waiting);
        lines.push(Line { colour: palette.dim, text });
    }
    lines.truncate(height.max(1));
    lines
}

fn looked_at(id: &str, open: &Open, now: Instant) -> String {
    let mut text = format!("  {} {}", one_line(id), show(now.saturating_duration_since(open.began)));
    if let Some((outcome, message)) = &open.last {
        let first = message.lines().next().unwrap_or_default();
        let said = if first.is_empty() { outcome.as_str() } else { first };
        let _ = write!(text, ", attempt {}: {}", open.attempts + 1, one_line(&bounded(said.to_owned(), 500)));
    }
    text
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use std::time::Duration;

    use clockwork_core::{Event, Graph, Outcome, prelude::*};

    use super::*;

    #[test]
    fn shows_what_is_looked_at_and_what_waits_and_takes_it_away_again() {
        let holds = || assertion("holds", async |_: Context| true);
        let database = BlankResource::new("database").assert(holds());
        let api = BlankResource::new("api").depends_on("database").assert(holds());
        let project = Project::new("shop").with(api).with(database);
        let graph = Graph::new(&project).unwrap();
        let mut state = State::new(project, &graph);
        let began = state.began;
        let id = graph.check_ids(Some("database"))[0];
        state.fold(&graph, began, Event::Started { id: id.into() });
        let attempt = Event::Attempt {
            id: id.into(),
            number: 2,
            outcome: Outcome::Failed,
            message: "refused\x1b[2J\nsecond line".to_owned(),
            again_in: Duration::from_millis(100),
        };
        state.fold(&graph, began, attempt);
        let mut screen = Screen::new(Palette::default());
        let mut drawn = String::new();
        screen.draw(&mut drawn, &state, began + Duration::from_millis(1500), 200, 24);
        assert_eq!(
            drawn,
            "\x1b[?7l0 of 2 judged (1.5 s)\n  database/FunctionAssertion/holds 1.5 s, attempt 3: refused\\u{1b}[2J\n  api \
             waits for database\n\x1b[?7h"
        );
        let mut cleared = String::new();
        screen.clear(&mut cleared);
        assert_eq!(cleared, "\x1b[3F\x1b[J");
        screen.clear(&mut cleared);
        assert_eq!(cleared.len(), "\x1b[3F\x1b[J".len(), "what is gone is not taken away again");
    }

    #[test]
    fn fits_into_the_smallest_terminal() {
        let holds = || assertion("holds", async |_: Context| true);
        let resource = (0..50).fold(BlankResource::new("many"), |resource, _| resource.assert(holds()));
        let project = Project::new("shop").with(resource);
        let graph = Graph::new(&project).unwrap();
        let mut state = State::new(project, &graph);
        for id in graph.check_ids(Some("many")) {
            state.fold(&graph, state.began, Event::Started { id: id.into() });
        }
        for rows in 0..30 {
            let mut drawn = String::new();
            let mut screen = Screen::new(Palette::default());
            screen.draw(&mut drawn, &state, state.began, 10, rows);
            assert!(screen.lines <= rows.saturating_sub(1).clamp(1, HEIGHT), "{rows}");
            assert_eq!(drawn.lines().filter(|line| !line.starts_with("\x1b[?7h")).count(), screen.lines);
        }
    }
}
