//! [`TableComparison`]: what two queries bring, compared row by row, each in one snapshot and held to reading by its
//! server, in memory that does not grow with the rows.
//!
//! Each server sorts its side by the key, as values are compared here (texts by their bytes, whatever the collation), so
//! that both can be merged while they come. Nothing is kept but a row of each side and the first differences.

mod merge;
mod number;
mod stream;
mod value;

use std::time::Duration;

use clockwork_core::{CheckError, Context, Probe};
use serde_json::{Map, Value as Json};
use tokio::time::Instant;

use self::{
    merge::{Layout, merge},
    stream::{RowStream, place},
};
use super::{Connection, both::both, failure::SqlFailure, statement::patience};

pub use number::{Decimal, Number};
pub use stream::Incomplete;
pub(in crate::sql) use stream::{Pump, Sorted, Stopped};
pub use value::Value;

/// Which side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that is compared with.
    Left,
    /// The one that has to be the same.
    Right,
}

impl Side {
    /// `left` or `right`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// What is asked of one side.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SideOf {
    /// The database.
    pub connection: Connection,
    /// A query.
    pub sql: String,
    /// What stands for `$1` or `?`.
    pub params: Vec<Json>,
}

/// Compares what two queries bring.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableComparison {
    left: SideOf,
    right: SideOf,
    key: Vec<String>,
    /// How far apart numbers may be, as text: in all columns (an empty name), or in one.
    tolerance: Vec<(String, String)>,
    /// How long the servers let the queries run, in seconds.
    patience: Option<u64>,
}

impl TableComparison {
    /// Compares these two by this key, exactly.
    pub fn new(left: SideOf, right: SideOf, key: Vec<String>, cx: &Context) -> Self {
        Self { left, right, key, tolerance: Vec::new(), patience: patience(cx) }
    }

    /// Numbers of this column may be this far apart (`0.01`); those of all columns, where no name is given.
    #[must_use]
    pub fn tolerance(mut self, column: Option<&str>, distance: &str) -> Self {
        self.tolerance.push((column.unwrap_or_default().to_owned(), distance.to_owned()));
        self
    }

    fn sorted(&self, side: &SideOf) -> Sorted {
        let sql = side.sql.trim_end_matches(|c: char| c.is_whitespace() || c == ';').to_owned();
        Sorted { sql, params: side.params.clone(), key: self.key.clone(), patience: self.patience }
    }

    /// Where both sides' columns are, by name.
    fn layout(&self, left: Vec<String>, right: &[String]) -> Result<Layout, Incomparable> {
        let in_left =
            |name: &String| place(name, &left).map_err(|what| Incomparable::Columns(Side::Left, what));
        let missing = |one: &[String], other: &[String]| -> Vec<String> {
            let known = |name: &String| other.iter().any(|other| other.eq_ignore_ascii_case(name));
            one.iter().filter(|name| !known(name)).cloned().collect()
        };
        let (only_left, only_right) = (missing(&left, right), missing(right, &left));
        if !only_left.is_empty() || !only_right.is_empty() {
            return Err(Incomparable::OtherColumns { only_left, only_right });
        }
        let places: Result<Vec<_>, _> = left.iter().map(|name| place(name, right)).collect();
        let places = places.map_err(|what| Incomparable::Columns(Side::Right, what))?;
        left.iter().try_for_each(|name| in_left(name).map(drop))?;
        let key: Result<Vec<_>, _> = self.key.iter().map(in_left).collect();
        let mut tolerance = vec![None; left.len()];
        for (name, distance) in &self.tolerance {
            let distance = Number::parse(distance);
            match name.as_str() {
                "" => tolerance.iter_mut().for_each(|each| each.clone_from(&distance)),
                name => tolerance[in_left(&name.to_owned())?] = distance,
            }
        }
        Ok(Layout { right: places, key: key?, tolerance, columns: left })
    }
}

/// What a comparison found.
#[derive(Debug, Clone, Default)]
pub struct Compared {
    /// How many rows the left side has.
    pub left_rows: u64,
    /// How many rows the right side has.
    pub right_rows: u64,
    /// How many rows are the same on both sides.
    pub equal: u64,
    /// How many rows of the left side the right side has not.
    pub missing: u64,
    /// How many rows the right side has that the left side has not.
    pub extra: u64,
    /// How many rows have the same key and other values.
    pub differing: u64,
    /// How many rows of the left side have a key that comes as often on both sides, and more than once: which of them
    /// belong together, nobody knows.
    pub repeated: u64,
    /// The first few differences of each kind.
    pub examples: Vec<Difference>,
    /// From asking to the last row.
    pub took: Duration,
}

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What kind of.
    pub kind: DifferenceKind,
    /// The key and the values, in words, bounded.
    pub message: String,
    /// The key: column → value.
    pub key: Map<String, Json>,
    /// The values of the row: column → value; where they differ, `left` and `right`.
    pub columns: Map<String, Json>,
}

/// What kind of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// Only on the left.
    Missing,
    /// Only on the right.
    Extra,
    /// With the same key and other values.
    Differing,
    /// With a key that is none.
    Repeated,
}

impl DifferenceKind {
    /// `missing`, `extra`, `differing`, `repeated`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Differing => "differing",
            Self::Repeated => "repeated",
        }
    }
}

/// Why two sides cannot be compared.
#[derive(Debug, Clone)]
pub enum Incomparable {
    /// A side's database did not answer, or not to this.
    Failed(Side, SqlFailure),
    /// A side lacks a column that was named, or has it twice.
    Columns(Side, Incomplete),
    /// The sides have other columns.
    OtherColumns {
        /// Those that only the left side has.
        only_left: Vec<String>,
        /// Those that only the right side has.
        only_right: Vec<String>,
    },
    /// A row has NULL for a key.
    NullKey {
        /// On which side.
        side: Side,
        /// In which column.
        column: String,
    },
    /// A server sorts otherwise than values are compared here.
    Unsorted {
        /// On which side.
        side: Side,
        /// Two keys that came in this order.
        keys: [String; 2],
    },
}

impl Incomparable {
    fn of(side: Side, stopped: Stopped) -> Self {
        match stopped {
            Stopped::Failed(failure) => Self::Failed(side, failure),
            Stopped::Incomplete(incomplete) => Self::Columns(side, incomplete),
        }
    }
}

impl Probe for TableComparison {
    type Observation = Result<Compared, Incomparable>;

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let began = Instant::now();
        let open = |side: &SideOf| RowStream::open(&side.connection, self.sorted(side), cx);
        let (mut left, mut right) = (open(&self.left), open(&self.right));
        let (on_left, on_right) = both(
            (self.left.connection.place(), left.columns()),
            (self.right.connection.place(), right.columns()),
            cx,
        )
        .await;
        let (on_left, on_right) = match (on_left?, on_right?) {
            (Ok(on_left), Ok(on_right)) => (on_left, on_right),
            (Err(stopped), _) => return Ok(Err(Incomparable::of(Side::Left, stopped))),
            (_, Err(stopped)) => return Ok(Err(Incomparable::of(Side::Right, stopped))),
        };
        let layout = match self.layout(on_left, &on_right) {
            Ok(layout) => layout,
            Err(incomparable) => return Ok(Err(incomparable)),
        };
        cx.phase("waiting for the first rows");
        let told = |left: u64, right: u64| {
            cx.phase(format!("after {left} rows of the left side and {right} of the right side"));
        };
        let merged = merge(&layout, &mut left, &mut right, told).await?;
        Ok(merged.map(|compared| Compared { took: began.elapsed(), ..compared }))
    }

    fn looks_inside(&self) -> bool {
        [&self.left, &self.right].iter().all(|side| side.connection.crosses_a_network())
    }

    fn describe(&self) -> String {
        format!("comparing {} with {}", self.left.connection.place(), self.right.connection.place())
    }

    fn weight(seen: &Self::Observation) -> usize {
        let examples = seen.as_ref().map_or(0, |compared| compared.examples.len());
        512 + examples * 2048
    }
}
