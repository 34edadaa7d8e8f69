//! [`merge`]: two sides that are sorted by one key, read once, with no more than a row of each in hand.
//!
//! It believes no side: a key that comes out of order, a NULL in a key, and a key that comes more than once are seen, and
//! each is told, so that none of them can pass for agreement.

use std::cmp::Ordering;

use clockwork_core::CheckError;
use serde_json::{Map, Value as Json};

use super::{
    Compared, Difference, DifferenceKind, Incomparable, Side,
    number::Number,
    stream::{Row, RowStream, Stopped},
    value::Value,
};

/// How many differences of each kind are told.
const EXAMPLES: usize = 5;

/// How many columns of a row are told.
const COLUMNS: usize = 8;

/// How often it is told how far it got, in rows.
const TOLD: u64 = 1 << 16;

/// Where the columns of both sides are.
pub(super) struct Layout {
    /// The columns' names, the left side's.
    pub(super) columns: Vec<String>,
    /// Where each of them is on the right.
    pub(super) right: Vec<usize>,
    /// Which of them are the key.
    pub(super) key: Vec<usize>,
    /// How far apart numbers may be, by column.
    pub(super) tolerance: Vec<Option<Number>>,
}

impl Layout {
    fn place(&self, side: Side, column: usize) -> usize {
        match side {
            Side::Left => column,
            Side::Right => self.right[column],
        }
    }

    fn key(&self, side: Side, row: &Row) -> Vec<Value> {
        self.key.iter().filter_map(|&column| row.get(self.place(side, column)).cloned()).collect()
    }

    fn named<'a>(&'a self, side: Side, row: &'a Row) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let rest = (0..self.columns.len()).filter(|column| !self.key.contains(column));
        rest.filter_map(move |column| {
            row.get(self.place(side, column)).map(|value| (self.columns[column].as_str(), value))
        })
    }
}

/// One side, of which the next row is in hand.
struct Reader<'a> {
    side: Side,
    stream: &'a mut RowStream,
    layout: &'a Layout,
    rows: u64,
    /// The next row, with its key.
    head: Option<(Vec<Value>, Row)>,
}

/// The outer error is ours, the inner one says why there is nothing to compare.
type Step<T> = Result<Result<T, Incomparable>, CheckError>;

/// What both errors of a step are at once.
enum Halt {
    Ours(CheckError),
    Theirs(Incomparable),
}

impl Reader<'_> {
    fn halt(&self, incomparable: Incomparable) -> Halt {
        Halt::Theirs(incomparable)
    }

    /// Takes the row in hand, and the next one into it.
    async fn advance(&mut self) -> Result<Option<(Vec<Value>, Row)>, Halt> {
        let row = match self.stream.next().await.map_err(Halt::Ours)? {
            Ok(row) => row,
            Err(Stopped::Failed(failure)) => return Err(self.halt(Incomparable::Failed(self.side, failure))),
            Err(Stopped::Incomplete(what)) => return Err(self.halt(Incomparable::Columns(self.side, what))),
        };
        let next = row.map(|row| (self.layout.key(self.side, &row), row));
        if let Some((key, _)) = &next {
            self.rows += 1;
            if let Some(at) = key.iter().position(|value| *value == Value::Null) {
                let column = self.layout.columns[self.layout.key[at]].clone();
                return Err(self.halt(Incomparable::NullKey { side: self.side, column }));
            }
            if let Some((before, _)) = &self.head
                && before > key
            {
                let keys = [show_key(self.layout, before), show_key(self.layout, key)];
                return Err(self.halt(Incomparable::Unsorted { side: self.side, keys }));
            }
        }
        Ok(std::mem::replace(&mut self.head, next))
    }

    /// Takes all rows that have the key of the row in hand: the first, and how many there are.
    async fn group(&mut self) -> Result<Option<(Vec<Value>, Row, u64)>, Halt> {
        let Some((key, row)) = self.advance().await? else { return Ok(None) };
        let mut count = 1;
        while self.head.as_ref().is_some_and(|(next, _)| *next == key) {
            self.advance().await?;
            count += 1;
        }
        Ok(Some((key, row, count)))
    }
}

/// `id 5, region "eu"`.
pub(super) fn show_key(layout: &Layout, key: &[Value]) -> String {
    let shown = layout.key.iter().zip(key);
    let shown: Vec<_> = shown
        .map(|(&column, value)| {
            format!("{} {value}", clockwork_core::text::harmless(&layout.columns[column]))
        })
        .collect();
    clockwork_core::text::bounded(shown.join(", "), 512)
}

/// Compares both sides; `progress` hears how many rows were read.
pub(super) async fn merge(
    layout: &Layout,
    left: &mut RowStream,
    right: &mut RowStream,
    progress: impl Fn(u64, u64),
) -> Step<Compared> {
    match compare(layout, left, right, progress).await {
        Ok(compared) => Ok(Ok(compared)),
        Err(Halt::Theirs(incomparable)) => Ok(Err(incomparable)),
        Err(Halt::Ours(error)) => Err(error),
    }
}

async fn compare(
    layout: &Layout,
    left: &mut RowStream,
    right: &mut RowStream,
    progress: impl Fn(u64, u64),
) -> Result<Compared, Halt> {
    let reader = |side, stream| Reader { side, stream, layout, rows: 0, head: None };
    let (mut left, mut right) = (reader(Side::Left, left), reader(Side::Right, right));
    let mut seen = Compared::default();
    let mut told = 0;
    // Both servers sort at the same time.
    let (first, second) = tokio::join!(left.advance(), right.advance());
    (first?, second?);
    loop {
        let ordering = match (&left.head, &right.head) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((left, _)), Some((right, _))) => left.cmp(right),
        };
        let on_left = if ordering.is_le() { left.group().await? } else { None };
        let on_right = if ordering.is_ge() { right.group().await? } else { None };
        match (on_left, on_right) {
            (Some((key, row, 1)), Some((_, other, 1))) => seen.pair(layout, &key, &row, &other),
            (Some((key, row, count)), Some((_, other, others))) => {
                seen.several(layout, &key, (&row, count), (&other, others));
            }
            (Some((key, row, count)), None) => {
                seen.alone(layout, DifferenceKind::Missing, Side::Left, &key, &row, count);
            }
            (None, Some((key, row, count))) => {
                seen.alone(layout, DifferenceKind::Extra, Side::Right, &key, &row, count);
            }
            (None, None) => break,
        }
        if (left.rows + right.rows) / TOLD > told {
            told = (left.rows + right.rows) / TOLD;
            progress(left.rows, right.rows);
        }
    }
    (seen.left_rows, seen.right_rows) = (left.rows, right.rows);
    Ok(seen)
}

impl Compared {
    fn example(&mut self, layout: &Layout, kind: DifferenceKind, key: &[Value], told: impl FnOnce() -> Told) {
        if self.examples.iter().filter(|example| example.kind == kind).count() >= EXAMPLES {
            return;
        }
        let Told { message, columns } = told();
        let named = layout.key.iter().zip(key);
        let named = named.map(|(&column, value)| (layout.columns[column].clone(), value.json())).collect();
        self.examples.push(Difference {
            kind,
            message: format!("{}{message}", show_key(layout, key)),
            key: named,
            columns,
        });
    }

    /// One row on each side.
    fn pair(&mut self, layout: &Layout, key: &[Value], left: &Row, right: &Row) {
        let mut differ = Vec::new();
        for (column, value) in left.iter().enumerate() {
            let other = layout.right.get(column).and_then(|&at| right.get(at));
            let same = other.is_some_and(|other| value.is_same(other, layout.tolerance[column].as_ref()));
            if !same {
                differ.push((column, value, other));
            }
        }
        if differ.is_empty() {
            self.equal += 1;
            return;
        }
        self.differing += 1;
        self.example(layout, DifferenceKind::Differing, key, || {
            let (mut messages, mut columns) = (Vec::new(), Map::new());
            for (column, value, other) in differ.iter().take(COLUMNS) {
                let name = &layout.columns[*column];
                let other = (*other).unwrap_or(&Value::Null);
                let (one, two) = match value.type_name() == other.type_name() || **value == Value::Null {
                    true => (value.to_string(), other.to_string()),
                    false if *other == Value::Null => (value.to_string(), other.to_string()),
                    false => (
                        format!("the {} {value}", value.type_name()),
                        format!("the {} {other}", other.type_name()),
                    ),
                };
                messages.push(format!("{} is {one} and {two}", clockwork_core::text::harmless(name)));
                let sides = Json::from_iter([("left", value.json()), ("right", other.json())]);
                columns.insert(name.clone(), sides);
            }
            if differ.len() > COLUMNS {
                messages.push(format!("{} more columns", differ.len() - COLUMNS));
            }
            Told { message: format!(": {}", messages.join(", ")), columns }
        });
    }

    /// A key that only one side has.
    fn alone(
        &mut self,
        layout: &Layout,
        kind: DifferenceKind,
        side: Side,
        key: &[Value],
        row: &Row,
        count: u64,
    ) {
        match kind {
            DifferenceKind::Extra => self.extra += count,
            _ => self.missing += count,
        }
        self.example(layout, kind, key, || {
            let told = values(layout, side, row);
            match count {
                1 => told,
                count => Told { message: format!(" ({count} rows){}", told.message), ..told },
            }
        });
    }

    /// A key that a side has more than once.
    fn several(
        &mut self,
        layout: &Layout,
        key: &[Value],
        (left, count): (&Row, u64),
        (right, others): (&Row, u64),
    ) {
        let (kind, side, row) = match count.cmp(&others) {
            Ordering::Equal => {
                self.repeated += count;
                (DifferenceKind::Repeated, Side::Left, left)
            }
            Ordering::Greater => {
                self.missing += count - others;
                (DifferenceKind::Missing, Side::Left, left)
            }
            Ordering::Less => {
                self.extra += others - count;
                (DifferenceKind::Extra, Side::Right, right)
            }
        };
        self.example(layout, kind, key, || Told {
            message: format!(": {count} rows on the left, {others} on the right"),
            columns: values(layout, side, row).columns,
        });
    }
}

/// A difference in words and as data.
struct Told {
    message: String,
    columns: Map<String, Json>,
}

/// ` (email "a@b", age 5)`.
fn values(layout: &Layout, side: Side, row: &Row) -> Told {
    let shown: Vec<_> = layout.named(side, row).take(COLUMNS).collect();
    let columns = shown.iter().map(|(name, value)| ((*name).to_owned(), value.json())).collect();
    let message: Vec<_> = shown
        .iter()
        .map(|(name, value)| format!("{} {value}", clockwork_core::text::harmless(name)))
        .collect();
    let message = if message.is_empty() { String::new() } else { format!(" ({})", message.join(", ")) };
    Told { message: clockwork_core::text::bounded(message, 600), columns }
}
