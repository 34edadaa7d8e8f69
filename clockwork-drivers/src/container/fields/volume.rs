//! [`Volume`]: `/host/path:/path:ro`, `name:/path`, `/path`.

use std::{fmt, str::FromStr};

use super::one_line;

/// What is mounted into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// A path of the host, or a volume's name; a volume without a name, if `None`.
    pub source: Option<String>,
    /// Where it is in the container.
    pub target: String,
    /// Whether the container may not write there.
    pub read_only: bool,
    /// The engine's further options: `z`, `nocopy`, `rshared`…
    pub options: Vec<String>,
}

one_line!(Volume, "`/host/path:/path:ro`, `name:/path`, or `/path`", r"^.*/.*$|\$\{");

const OPTIONS: [&str; 12] = [
    "z",
    "Z",
    "U",
    "nocopy",
    "cached",
    "delegated",
    "consistent",
    "private",
    "rprivate",
    "shared",
    "rshared",
    "rslave",
];

impl FromStr for Volume {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            let text = clockwork_core::text::quote(text);
            format!("{text} mounts nothing: {what}; write `/host/path:/path:ro`, `name:/path` or `/path`")
        };
        let mut parts = text.split(':');
        let (first, second, third) = (parts.next().unwrap_or(""), parts.next(), parts.next());
        if parts.next().is_some() {
            return Err(wrong("there are too many parts"));
        }
        let (source, target) = match second {
            Some(target) => (Some(first), target),
            None => (None, first),
        };
        if !target.starts_with('/') || target == "/" {
            return Err(wrong("the path in the container has to begin with `/`, and not to be `/` itself"));
        }
        let mut volume = Self {
            source: source.map(str::to_owned),
            target: target.trim_end_matches('/').to_owned(),
            read_only: false,
            options: Vec::new(),
        };
        match source {
            Some(path) if path.starts_with(['.', '~']) => {
                return Err(wrong("the host's path has to be absolute (`${env.PWD}/…` is)"));
            }
            Some(name) if !name.starts_with('/') && !super::super::reference::is_name(name) => {
                return Err(wrong("the part before `:` is no absolute path and no volume's name"));
            }
            _ => {}
        }
        for option in third.iter().flat_map(|options| options.split(',')) {
            match option {
                "ro" => volume.read_only = true,
                "rw" => volume.read_only = false,
                option if OPTIONS.contains(&option) => volume.options.push(option.to_owned()),
                _ => return Err(wrong("the last part is `ro`, `rw` or one of the engine's options")),
            }
        }
        Ok(volume)
    }
}

impl Volume {
    /// The one spelling that declared and observed ones share: `/host/path:/path:ro`.
    pub(crate) fn spell(&self) -> String {
        spell(self.source.as_deref(), &self.target, self.read_only)
    }
}

pub(crate) fn spell(source: Option<&str>, target: &str, read_only: bool) -> String {
    let source = source.map(|source| format!("{}:", source.trim_end_matches('/'))).unwrap_or_default();
    format!("{source}{}{}", target.trim_end_matches('/'), if read_only { ":ro" } else { "" })
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spell())?;
        for (index, option) in self.options.iter().enumerate() {
            let mark = if index == 0 && !self.read_only { ':' } else { ',' };
            write!(f, "{mark}{option}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn volumes_are_written_as_compose_has_them() {
        for (text, shown) in [
            ("/srv/www:/var/www", "/srv/www:/var/www"),
            ("/srv/www/:/var/www/:ro", "/srv/www:/var/www:ro"),
            ("data:/var/lib/postgresql/data:rw", "data:/var/lib/postgresql/data"),
            ("/cache", "/cache"),
            ("/a:/b:ro,z", "/a:/b:ro,z"),
            ("/a:/b:z", "/a:/b:z"),
        ] {
            assert_eq!(text.parse::<Volume>().unwrap().to_string(), shown);
        }
        for text in
            ["", "data", "/a:b", "./a:/b", "~/a:/b", "/a:/b:rx", "/a:/b:ro:x", ":/b", "a b:/c", "/a:/"]
        {
            let message = text.parse::<Volume>().unwrap_err();
            assert!(message.contains("write `/host/path:/path:ro`"), "{text}: {message}");
        }
    }
}
