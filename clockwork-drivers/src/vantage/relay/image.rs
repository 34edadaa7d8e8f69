//! The image that a helper container is made of: this program, and the libraries that it was loaded with, if any.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use clockwork_core::{CheckError, Context, Phase};

use crate::container::client::Engine;

/// A program and its libraries.
pub(super) struct Image {
    pub(super) name: String,
    /// The words that start it.
    pub(super) command: Vec<String>,
    program: PathBuf,
    /// By the names under which they are looked for.
    libraries: BTreeMap<String, PathBuf>,
    loader: Option<PathBuf>,
}

const REPOSITORY: &str = "clockwork/vantage";

impl Image {
    /// Of this program, which runs: what it needs is what is loaded.
    pub(super) fn of(program: &Path) -> io::Result<Self> {
        let (mut libraries, mut loader) = (BTreeMap::new(), None);
        for line in fs::read_to_string("/proc/self/maps")?.lines() {
            let Some(path) = line.find('/').map(|at| Path::new(&line[at..])) else { continue };
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            if name.starts_with("ld-") && name.contains(".so") {
                loader = Some(path.to_owned());
            } else if name.contains(".so") {
                libraries.insert(name, path.to_owned());
            }
        }
        let seen = fs::metadata(program)?;
        // Another build is another image.
        let tag =
            format!("{}-{:x}-{:x}", env!("CARGO_PKG_VERSION"), seen.size(), seen.mtime_nsec() ^ seen.mtime());
        let mut command = vec![String::from("/program")];
        if loader.is_some() {
            command.splice(0..0, ["/loader", "--library-path", "/lib"].map(String::from));
        }
        Ok(Self {
            name: format!("{REPOSITORY}:{tag}"),
            command,
            program: program.to_owned(),
            libraries,
            loader,
        })
    }

    fn tar(&self) -> io::Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut add = |name: &str, path: &Path| {
            let content = fs::read(path)?;
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o755);
            header.set_cksum();
            tar.append_data(&mut header, name, &content[..])
        };
        add("program", &self.program)?;
        self.loader.iter().try_for_each(|path| add("loader", path))?;
        self.libraries.iter().try_for_each(|(name, path)| add(&format!("lib/{name}"), path))?;
        let mut whole = tar.into_inner()?;
        whole.flush()?;
        Ok(whole)
    }

    /// Brings it to an engine that has it not. It stays there for the next run.
    pub(super) async fn bring(
        self: &std::sync::Arc<Self>,
        engine: &Engine,
        cx: &Context,
    ) -> Result<(), CheckError> {
        let known = format!("/images/{}/json", self.name);
        if engine.json::<serde::de::IgnoredAny>(&known, 4 << 20).await?.is_some() {
            return Ok(());
        }
        cx.phase(Phase::ours("making an image of this program for helper containers"));
        let image = std::sync::Arc::clone(self);
        let tar = tokio::task::spawn_blocking(move || image.tar()).await?.map_err(|error| {
            CheckError::unobservable("cannot read this program and its libraries").with_source(error)
        })?;
        let tag = self.name.strip_prefix(REPOSITORY).unwrap_or_default().trim_start_matches(':');
        let path = format!("/images/create?fromSrc=-&repo={REPOSITORY}&tag={tag}");
        let done = engine.act("POST", &path, "application/x-tar", &tar).await?;
        // An engine says that it succeeded before it begins.
        if !done.succeeded() || engine.json::<serde::de::IgnoredAny>(&known, 4 << 20).await?.is_none() {
            return Err(CheckError::unobservable(format!("the engine takes no image: {}", done.told())));
        }
        Ok(())
    }
}
