//! [`FilePermissionsAssert`]: a file's mode, owner and group.
//!
//! It compares all twelve permission bits (setuid, setgid and sticky too), following links, and fails where they are
//! in vain: where the directory that holds the file, or a link on the way to it, is world-writable without the sticky
//! bit, so that anybody may put another file in its place. It does not see access control lists and attributes.
//!
//! Mode, owner and group judge the property. A file that is missing does not, nor does a user that does not exist, nor
//! the directory around it: `not: true` makes those `errored`.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Evidence, Invalid, Resource, Verdict, async_trait,
};
use clockwork_drivers::file::{
    Account, AccountProbe, AccountRef, FileMeta, FileStatProbe, show_path, shown_path,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{file_mode::ModeLimit, file_path};

/// A file or directory has this mode, this owner, this group. Windows has no such thing: there the verdict is `errored`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilePermissionsAssert {
    /// Where. A relative path is relative to the working directory; inside a container, to its root. Left out on a
    /// `FileResource`, it is the resource's own.
    #[serde(default)]
    path: Option<PathBuf>,
    /// Its permissions: "0644" (all twelve bits), "u=rw,go=r" (the named classes), or `{ at_most: "0640" }`
    /// (no bit beyond these).
    #[serde(default)]
    mode: Option<ModeLimit>,
    /// Another name for `mode`.
    #[serde(default)]
    expected_perms: Option<ModeLimit>,
    /// The user that it belongs to, by name or number.
    #[serde(default)]
    owner: Option<AccountRef>,
    /// The group that it belongs to, by name or number.
    #[serde(default)]
    group: Option<AccountRef>,
    /// Accept that the directory around it is world-writable without the sticky bit, so that anybody may replace it.
    #[serde(default)]
    writable_parent_ok: bool,
}

impl FilePermissionsAssert {
    /// About the file at this path. (`default()` means the path of the `FileResource` that it is asserted of.)
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..Self::default() }
    }

    /// Its permissions: `"0644".parse()?`, `ModeLimit::at_most("0640".parse()?)`.
    #[must_use]
    pub fn mode(mut self, mode: impl Into<ModeLimit>) -> Self {
        self.mode = Some(mode.into());
        self
    }

    /// The user that it belongs to, by name or number.
    #[must_use]
    pub fn owner(mut self, owner: impl Into<AccountRef>) -> Self {
        self.owner = Some(owner.into());
        self
    }

    /// The group that it belongs to, by name or number.
    #[must_use]
    pub fn group(mut self, group: impl Into<AccountRef>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Accepts that the directory around it lets anybody replace it.
    #[must_use]
    pub fn writable_parent_ok(mut self, ok: bool) -> Self {
        self.writable_parent_ok = ok;
        self
    }

    fn wanted_mode(&self) -> Option<&ModeLimit> {
        self.mode.as_ref().or(self.expected_perms.as_ref())
    }

    fn expected(&self) -> String {
        let mode = self.wanted_mode().map(|mode| ["mode ", &mode.to_string()].concat());
        let owner = self.owner.as_ref().map(|owner| ["owner ", &owner.to_string()].concat());
        let group = self.group.as_ref().map(|group| ["group ", &group.to_string()].concat());
        [mode, owner, group].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    fn judge(&self, path: &Path, meta: &FileMeta, owner: &Belongs, group: &Belongs) -> Verdict {
        let mut wrong: Vec<String> = Vec::new();
        let mut actual = Vec::new();
        if let Some(mode) = self.wanted_mode() {
            wrong.extend(mode.problem(meta.mode));
            actual.push(["mode ", &octal(meta.mode)].concat());
        }
        let mut unknown = Vec::new();
        for (word, belongs) in [("owner", owner), ("group", group)] {
            match belongs {
                Belongs::NotAsked => {}
                Belongs::Right(there) => actual.push([word, " ", &there.to_string()].concat()),
                Belongs::Wrong { wanted, there } => {
                    wrong.push(format!("the {word} is {there}, not {wanted}"));
                    actual.push(format!("{word} {there}"));
                }
                Belongs::NoSuch { wanted, there } => {
                    let kind = if word == "owner" { "user" } else { "group" };
                    unknown.push(format!("the {word} is {there}, and there is no {kind} {wanted}"));
                    actual.push(format!("{word} {there}"));
                }
            }
        }
        let open = match meta.open_parents.first() {
            Some((directory, mode)) if !self.writable_parent_ok => {
                let directory = show_path(directory);
                vec![format!(
                    "anybody may replace it: {directory} has mode {mode:04o}, world-writable without the sticky bit \
                     (`chmod o-w` or `chmod +t` it, or accept it with `writable_parent_ok: true`)"
                )]
            }
            _ => Vec::new(),
        };
        let judged = !wrong.is_empty() && unknown.is_empty();
        let told = [wrong, unknown, open].concat();
        let actual = actual.join(", ");
        let verdict = match (told.is_empty(), judged) {
            (true, _) => Verdict::passed().message([&shown_path(path), " has ", &*actual].concat()),
            (false, true) => Verdict::failed(format!("{}: {}", show_path(path), told.join("; "))),
            (false, false) => Verdict::unjudged(format!("{}: {}", show_path(path), told.join("; "))),
        };
        let FileMeta { mode, uid, gid, .. } = *meta;
        let seen = Seen { mode, uid, gid, world_writable_parent: !meta.open_parents.is_empty() };
        verdict.actual(actual).expected(self.expected()).evidence_of(seen)
    }
}

/// What is seen of every file, for `details`.
struct Seen {
    mode: u32,
    uid: u32,
    gid: u32,
    world_writable_parent: bool,
}

impl Evidence for Seen {
    fn members(&self) -> String {
        let Self { mode, uid, gid, world_writable_parent } = self;
        format!(
            r#""mode":"{mode:04o}","uid":{uid},"gid":{gid},"world_writable_parent":{world_writable_parent}"#
        )
    }
}

/// The twelve bits of a mode, as four digits.
fn octal(mode: u32) -> String {
    [9, 6, 3, 0].map(|shift| char::from(b'0' + (mode >> shift & 7) as u8)).iter().collect()
}

/// Whether a file belongs to whom it should.
#[derive(Debug, PartialEq)]
enum Belongs {
    NotAsked,
    Right(Who),
    Wrong { wanted: AccountRef, there: Who },
    NoSuch { wanted: AccountRef, there: Who },
}

/// An account, or the bare number of one that has no name.
#[derive(Debug, PartialEq)]
enum Who {
    Known(Account),
    Number(u32),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(account) => write!(f, "{account}"),
            Self::Number(id) => write!(f, "{id}"),
        }
    }
}

/// Compares by number, since several names may share one; names are looked up only where something has to be named.
async fn belongs(
    wanted: Option<&AccountRef>,
    id: u32,
    by_id: fn(u32) -> AccountProbe,
    by_ref: fn(&AccountRef) -> AccountProbe,
    cx: &Context,
) -> Result<Belongs, CheckError> {
    let Some(wanted) = wanted else { return Ok(Belongs::NotAsked) };
    let meant = match wanted {
        AccountRef::Id(meant) => Some(Account { name: String::new(), id: *meant }),
        AccountRef::Name(_) => (*cx.observe(by_ref(wanted)).await?).clone(),
    };
    match &meant {
        Some(account) if account.id == id => {
            return Ok(Belongs::Right(match wanted {
                AccountRef::Id(id) => Who::Number(*id),
                AccountRef::Name(_) => Who::Known(account.clone()),
            }));
        }
        _ => {}
    }
    let there = match &*cx.observe(by_id(id)).await? {
        Some(account) => Who::Known(account.clone()),
        None => Who::Number(id),
    };
    let wanted = wanted.clone();
    Ok(if meant.is_some() { Belongs::Wrong { wanted, there } } else { Belongs::NoSuch { wanted, there } })
}

impl AssertionKind for FilePermissionsAssert {
    const NAME: &'static str = "FilePermissionsAssert";
}

#[async_trait]
impl Assertion for FilePermissionsAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        file_path::label(self.path.as_ref(), &self.expected())
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems: Vec<_> = file_path::problem(self.path.as_ref(), owner).into_iter().collect();
        if self.mode.is_some() && self.expected_perms.is_some() {
            problems.push(Invalid::field("expected_perms", "is another name for `mode`: give one of them"));
        }
        if self.wanted_mode().is_none() && self.owner.is_none() && self.group.is_none() {
            problems.push(Invalid::whole("give `mode`, `owner`, `group` or several of them"));
        }
        for (field, account) in [("owner", &self.owner), ("group", &self.group)] {
            let problem = account.as_ref().and_then(AccountRef::problem);
            problems.extend(problem.map(|problem| Invalid::field(field, problem)));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let path = file_path::meant(self.path.as_ref(), cx)?;
        let seen = cx.observe(FileStatProbe::new(&*path)).await?;
        let meta = match &*seen {
            Ok(meta) => meta,
            Err(missing) => return Ok(file_path::missing(&path, missing).expected(self.expected())),
        };
        meta.has_rights()?;
        let owner = belongs(self.owner.as_ref(), meta.uid, AccountProbe::User, AccountRef::user, cx).await?;
        let group =
            belongs(self.group.as_ref(), meta.gid, AccountProbe::Group, AccountRef::group, cx).await?;
        Ok(self.judge(&path, meta, &owner, &group))
    }
}
