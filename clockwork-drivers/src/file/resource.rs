//! [`FileResource`]: a file that should be there, with this content, mode and owner; [`FileDriver`]: what looks at it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use clockwork_core::{
    Change, CheckError, Common, Context, Drift, Driver, Invalid, Observation, Resource, ResourceKind, Vantage,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    Account, AccountProbe, AccountRef, FileMode, FileSha256Probe, FileStatProbe, FileType, Found, check_path,
    scan::hex, show_path,
};

/// A file that should be there. Only what is declared is looked at: without `mode`, any mode will do.
///
/// ```
/// use clockwork_drivers::file::FileResource;
///
/// let config = FileResource::new("config", "/etc/app/app.conf").content("port = 8080\n").mode("0640".parse()?);
/// # Ok::<(), clockwork_drivers::file::ModeError>(())
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileResource {
    #[serde(skip)]
    common: Common,
    /// Where the file is. A relative path is relative to the working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<PathBuf>,
    /// The directory that holds it: together with `file_name`, another way to write `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    directory: Option<PathBuf>,
    /// Its name in `directory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file_name: Option<String>,
    /// All that is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// A file on this machine that it has to equal, instead of `content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<PathBuf>,
    /// Its permissions: "0644" or "u=rw,go=r".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<FileMode>,
    /// The user that it belongs to, by name or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<AccountRef>,
    /// The group that it belongs to, by name or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<AccountRef>,
}

impl FileResource {
    /// A file at this path.
    pub fn new(name: impl AsRef<str>, path: impl Into<PathBuf>) -> Self {
        Self { common: Common::new(name), path: Some(path.into()), ..Self::default() }
    }

    /// A file of this name in this directory.
    pub fn in_directory(
        name: impl AsRef<str>,
        directory: impl Into<PathBuf>,
        file_name: impl Into<String>,
    ) -> Self {
        let (directory, file_name) = (Some(directory.into()), Some(file_name.into()));
        Self { common: Common::new(name), directory, file_name, ..Self::default() }
    }

    /// All that is in it.
    #[must_use]
    pub fn content(mut self, content: impl Into<String>) -> Self {
        self.content = Some(content.into());
        self
    }

    /// A file on this machine that it has to equal.
    #[must_use]
    pub fn source(mut self, source: impl Into<PathBuf>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Its permissions.
    #[must_use]
    pub fn mode(mut self, mode: FileMode) -> Self {
        self.mode = Some(mode);
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

    /// Where the file is.
    pub fn location(&self) -> PathBuf {
        match (&self.path, &self.directory, &self.file_name) {
            (Some(path), _, _) => path.clone(),
            (None, Some(directory), Some(file_name)) => directory.join(file_name),
            (None, _, _) => PathBuf::new(), // `validate` refuses it
        }
    }
}

impl Resource for FileResource {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn spec(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }

    fn driver(&self) -> Option<Arc<dyn Driver>> {
        Some(Arc::new(FileDriver))
    }

    fn validate(&self) -> Vec<Invalid> {
        let mut problems = Vec::new();
        match (&self.path, &self.directory, &self.file_name) {
            (Some(path), None, None) => {
                problems.extend(check_path(path).map(|problem| Invalid::field("path", problem)));
            }
            (None, Some(directory), Some(name)) => {
                problems.extend(check_path(directory).map(|problem| Invalid::field("directory", problem)));
                if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
                    let problem = format!("{} is no file name", clockwork_core::text::quote(name));
                    problems.push(Invalid::field("file_name", problem));
                }
            }
            (Some(_), _, _) => {
                problems.push(Invalid::field("path", "give either `path`, or `directory` and `file_name`"));
            }
            (None, Some(_), None) => {
                problems.push(Invalid::field("file_name", "is missing: `directory` needs it"));
            }
            (None, None, Some(_)) => {
                problems.push(Invalid::field("directory", "is missing: `file_name` needs it"));
            }
            (None, None, None) => {
                problems.push(Invalid::field("path", "is missing: say where the file is"));
            }
        }
        if self.content.is_some() && self.source.is_some() {
            problems.push(Invalid::field("source", "give either `content` or `source`"));
        }
        if let Some(source) = &self.source {
            problems.extend(check_path(source).map(|problem| Invalid::field("source", problem)));
        }
        for (field, account) in [("owner", &self.owner), ("group", &self.group)] {
            let problem = account.as_ref().and_then(AccountRef::problem);
            problems.extend(problem.map(|problem| Invalid::field(field, problem)));
        }
        problems
    }
}

impl ResourceKind for FileResource {
    const NAME: &'static str = "FileResource";
}

/// What looks at a [`FileResource`].
#[derive(Debug, Clone, Copy, Default)]
pub struct FileDriver;

/// What is at a [`FileResource`]'s path, in the words of its spec.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FileObservation {
    /// Where.
    pub path: PathBuf,
    /// What is there, with its article: `a regular file`.
    pub file_type: String,
    /// Its permissions: `0644`.
    pub mode: String,
    /// The name of the user that it belongs to, or the number where that has no name.
    pub owner: String,
    /// The name of the group that it belongs to, or the number where that has no name.
    pub group: String,
    /// Its size in bytes.
    pub size: u64,
    /// The SHA-256 of what is in it; only where the resource declares a content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The SHA-256 of what should be in it.
    #[serde(skip)]
    wanted_sha256: Option<String>,
    #[serde(skip)]
    bits: u32,
    #[serde(skip)]
    ids: (u32, u32),
}

impl FileDriver {
    async fn look(resource: &FileResource, cx: &Context) -> Result<Option<FileObservation>, CheckError> {
        let cx = &cx.from_vantage(Vantage::Host);
        let path = resource.location();
        let stat = cx.observe(FileStatProbe::new(&path)).await?;
        let Ok(meta) = &*stat else { return Ok(None) };
        let rights = meta.has_rights();
        let (owner, group) = match &rights {
            Ok(()) => {
                let owner = cx.observe(AccountProbe::User(meta.uid)).await?;
                let group = cx.observe(AccountProbe::Group(meta.gid)).await?;
                let name = |account: &Option<Account>, id: u32| match account {
                    Some(account) => account.name.clone(),
                    None => id.to_string(),
                };
                (name(&owner, meta.uid), name(&group, meta.gid))
            }
            Err(_) if resource.mode.is_none() && resource.owner.is_none() && resource.group.is_none() => {
                (String::from("unknown"), String::from("unknown"))
            }
            Err(error) => return Err(error.clone()),
        };
        let wanted_sha256 = match (&resource.content, &resource.source) {
            (Some(content), _) => Some(hex(&Sha256::digest(content.as_bytes()))),
            (None, Some(source)) => Some(sha256(source, cx).await?.ok_or_else(|| {
                CheckError::unobservable(format!("the source {} cannot be read", show_path(source)))
                    .hint("`source` names a regular file on this machine")
            })?),
            (None, None) => None,
        };
        Ok(Some(FileObservation {
            file_type: meta.file_type.to_string(),
            mode: rights.map_or_else(|_| String::from("unknown"), |()| format!("{:04o}", meta.mode)),
            owner,
            group,
            size: meta.size,
            sha256: match (&wanted_sha256, meta.file_type) {
                (Some(_), FileType::Regular) => sha256(&path, cx).await?,
                _ => None,
            },
            wanted_sha256,
            bits: meta.mode,
            ids: (meta.uid, meta.gid),
            path,
        }))
    }
}

async fn sha256(path: &Path, cx: &Context) -> Result<Option<String>, CheckError> {
    match &*cx.observe(FileSha256Probe { path: path.to_owned() }).await? {
        Found::There(sha256) => Ok(Some(sha256.clone())),
        Found::NotRegular(_) | Found::Missing(_) => Ok(None),
    }
}

#[async_trait]
impl Driver for FileDriver {
    fn kinds(&self) -> &'static [&'static str] {
        &[FileResource::NAME]
    }

    async fn observe(
        &self,
        resource: &dyn Resource,
        cx: &Context,
    ) -> Result<Option<Box<dyn Observation>>, CheckError> {
        let Some(file) = resource.downcast_ref::<FileResource>() else {
            return Err(CheckError::unobservable(format!("{} is no FileResource", resource.common().name())));
        };
        let seen = Self::look(file, cx).await?;
        Ok(seen.map(|seen| Box::new(seen) as Box<dyn Observation>))
    }

    /// By meaning: `u=rw,go=r` is no drift from `0644`, nor user 33 from `www-data`.
    fn plan(
        &self,
        resource: &dyn Resource,
        observed: Option<&dyn Observation>,
    ) -> Result<Vec<Change>, CheckError> {
        let observed = observed.map(|seen| seen as &dyn std::any::Any);
        let (Some(file), observed) = (
            resource.downcast_ref::<FileResource>(),
            observed.map(|seen| seen.downcast_ref::<FileObservation>()),
        ) else {
            return Err(CheckError::unobservable(format!("{} is no FileResource", resource.common().name())));
        };
        let Some(seen) = observed.flatten() else { return Ok(vec![Change::Create]) };
        let drift = file.drift(seen);
        Ok(if drift.is_empty() { Vec::new() } else { vec![Change::Update(drift)] })
    }
}

impl FileResource {
    fn drift(&self, seen: &FileObservation) -> Vec<Drift> {
        let mut found = Vec::new();
        let mut differs = |path: &str, declared: Value, observed: Value| {
            found.push(Drift { path: path.to_owned(), declared, observed });
        };
        if seen.file_type != FileType::Regular.to_string() {
            differs("file_type", json!(FileType::Regular.to_string()), json!(seen.file_type));
        }
        if seen.wanted_sha256 != seen.sha256 {
            let field = if self.content.is_some() { "content" } else { "source" };
            let digest =
                |sha256: &Option<String>| json!(sha256.as_ref().map(|sha256| format!("sha256:{sha256}")));
            differs(field, digest(&seen.wanted_sha256), digest(&seen.sha256));
        }
        if let Some(mode) = self.mode.as_ref().filter(|mode| !mode.matches(seen.bits)) {
            differs("mode", json!(mode), json!(seen.mode));
        }
        let accounts = [
            ("owner", &self.owner, &seen.owner, seen.ids.0),
            ("group", &self.group, &seen.group, seen.ids.1),
        ];
        for (field, declared, name, id) in accounts {
            let same = match declared {
                Some(AccountRef::Name(declared)) => declared == name,
                Some(AccountRef::Id(declared)) => *declared == id,
                None => true,
            };
            if !same {
                differs(field, json!(declared), json!(name));
            }
        }
        found
    }
}
