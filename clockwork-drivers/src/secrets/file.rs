//! [`SecretFileProbe`]: whether a file holds a secret.

use std::path::PathBuf;

use clockwork_core::{CheckError, Context, ExposeSecret, Fault, Probe, SecretString};

use super::SecretSight;
use crate::file::{FileBytes, FileContentProbe, FileType, Found, Missing, show_path};

/// Larger files than this are not read: whatever they hold, it is no placeholder.
const LIMIT: usize = 64 << 10;

/// Reads a file and forgets it again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretFileProbe {
    /// The path.
    pub path: PathBuf,
    /// How many characters it should have at least.
    pub min_length: usize,
}

/// What can be told of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretFile {
    /// It was read. The line break at its end does not count.
    Read(SecretSight),
    /// Nothing is there.
    Missing(Missing),
    /// Something else is there.
    NotRegular(FileType),
}

impl Probe for SecretFileProbe {
    type Observation = SecretFile;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<SecretFile, CheckError> {
        // Not shared: what is shared is kept.
        let content = cx.measure(FileContentProbe::up_to(LIMIT, &self.path)).await?;
        let sight = match &*content {
            Found::Missing(missing) => return Ok(SecretFile::Missing(missing.clone())),
            Found::NotRegular(what) => return Ok(SecretFile::NotRegular(*what)),
            Found::There(FileBytes::Larger(bytes)) => {
                // A character has at most four bytes.
                let long_enough = *bytes / 4 >= self.min_length as u64;
                SecretSight::Set { placeholder: false, long_enough }
            }
            Found::There(FileBytes::Whole(bytes)) => {
                let text = SecretString::from(String::from_utf8_lossy(bytes).into_owned());
                let text = text.expose_secret();
                let text =
                    text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
                let name = self.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
                SecretSight::of(text, &name, self.min_length)
            }
        };
        Ok(SecretFile::Read(sight))
    }

    fn describe(&self) -> String {
        format!("reading {}", show_path(&self.path))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}
