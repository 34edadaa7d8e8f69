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

    /// The values of the key.
    fn key<'a>(&'a self, side: Side, row: &'a Row) -> impl Iterator<Item = &'a Value> {
        // A row has as many values as there are columns, or else it is a broken one, which is equal to none.
        self.key.iter().map(move |&column| row.get(self.place(side, column)).unwrap_or(&Value::Null))
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
    /// The next row.
    head: Option<Row>,
}

/// The outer error is ours, the inner one says why there is nothing to compare.
type Step<T> = Result<Result<T, Incomparable>, CheckError>;

/// What both errors of a step are at once.
enum Halt {
    Ours(CheckError),
    Theirs(Incomparable),
}

impl Reader<'_> {
    /// Takes the row in hand, and the next one into it.
    async fn advance(&mut self) -> Result<Option<Row>, Halt> {
        let (side, layout) = (self.side, self.layout);
        let next = match self.stream.next().await.map_err(Halt::Ours)? {
            Ok(next) => next,
            Err(Stopped::Failed(failure)) => return Err(Halt::Theirs(Incomparable::Failed(side, failure))),
            Err(Stopped::Incomplete(what)) => return Err(Halt::Theirs(Incomparable::Columns(side, what))),
        };
        if let Some(row) = &next {
            self.rows += 1;
            if let Some(at) = layout.key(side, row).position(|value| *value == Value::Null) {
                let column = layout.columns[layout.key[at]].clone();
                return Err(Halt::Theirs(Incomparable::NullKey { side, column }));
            }
            if let Some(before) = &self.head
                && layout.key(side, before).gt(layout.key(side, row))
            {
                let keys = [show_key(layout, side, before), show_key(layout, side, row)];
                return Err(Halt::Theirs(Incomparable::Unsorted { side, keys }));
            }
        }
        Ok(std::mem::replace(&mut self.head, next))
    }

    /// Takes all rows that have the key of the row in hand: the first, and how many there are.
    async fn group(&mut self) -> Result<Option<(Row, u64)>, Halt> {
        let Some(row) = self.advance().await? else { return Ok(None) };
        let mut count = 1;
        let (side, layout) = (self.side, self.layout);
        while self.head.as_ref().is_some_and(|next| layout.key(side, next).eq(layout.key(side, &row))) {
            self.advance().await?;
            count += 1;
        }
        Ok(Some((row, count)))
    }
}

/// `id 5, region "eu"`.
fn show_key(layout: &Layout, side: Side, row: &Row) -> String {
    let shown = layout.key.iter().zip(layout.key(side, row));
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
    first?;
    second?;
    loop {
        let ordering = match (&left.head, &right.head) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => layout.key(Side::Left, one).cmp(layout.key(Side::Right, other)),
        };
        let on_left = if ordering.is_le() { left.group().await? } else { None };
        let on_right = if ordering.is_ge() { right.group().await? } else { None };
        match (on_left, on_right) {
            (Some((row, 1)), Some((other, 1))) => seen.pair(layout, &row, &other),
            (Some(left), Some(right)) => seen.several(layout, &left, &right),
            (Some(row), None) => seen.alone(layout, Side::Left, &row),
            (None, Some(row)) => seen.alone(layout, Side::Right, &row),
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
    fn example(
        &mut self,
        layout: &Layout,
        kind: DifferenceKind,
        (side, row): (Side, &Row),
        told: impl FnOnce() -> Told,
    ) {
        if self.examples.iter().filter(|example| example.kind == kind).count() >= EXAMPLES {
            return;
        }
        let Told { message, columns } = told();
        let named = layout.key.iter().zip(layout.key(side, row));
        let key = named.map(|(&column, value)| (layout.columns[column].clone(), value.json())).collect();
        let message = format!("{}{message}", show_key(layout, side, row));
        self.examples.push(Difference { kind, message, key, columns });
    }

    /// One row on each side.
    fn pair(&mut self, layout: &Layout, left: &Row, right: &Row) {
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
        self.example(layout, DifferenceKind::Differing, (Side::Left, left), || {
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
    fn alone(&mut self, layout: &Layout, side: Side, (row, count): &(Row, u64)) {
        let kind = match side {
            Side::Left => DifferenceKind::Missing,
            Side::Right => DifferenceKind::Extra,
        };
        *self.count_of(kind) += count;
        self.example(layout, kind, (side, row), || {
            let told = values(layout, side, row);
            match count {
                1 => told,
                count => Told { message: format!(" ({count} rows){}", told.message), ..told },
            }
        });
    }

    /// A key that a side has more than once.
    fn several(&mut self, layout: &Layout, (left, count): &(Row, u64), (right, others): &(Row, u64)) {
        let (kind, side, row, apart) = match count.cmp(others) {
            Ordering::Equal => (DifferenceKind::Repeated, Side::Left, left, *count),
            Ordering::Greater => (DifferenceKind::Missing, Side::Left, left, count - others),
            Ordering::Less => (DifferenceKind::Extra, Side::Right, right, others - count),
        };
        *self.count_of(kind) += apart;
        self.example(layout, kind, (side, row), || Told {
            message: format!(": {count} rows on the left, {others} on the right"),
            columns: values(layout, side, row).columns,
        });
    }

    fn count_of(&mut self, kind: DifferenceKind) -> &mut u64 {
        match kind {
            DifferenceKind::Missing => &mut self.missing,
            DifferenceKind::Extra => &mut self.extra,
            DifferenceKind::Differing => &mut self.differing,
            DifferenceKind::Repeated => &mut self.repeated,
        }
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
