//! Alembic's files: Python, of which two assignments matter.

use std::sync::LazyLock;

use regex::Regex;

use super::Migration;

#[expect(clippy::unwrap_used, reason = "constants, which the tests compile")]
static REVISION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?m)^revision\s*(?::[^=\n]+)?=\s*["']([^"'\n]+)["']"#).unwrap());
#[expect(clippy::unwrap_used, reason = "constants, which the tests compile")]
static DOWN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^down_revision\s*(?::[^=\n]+)?=\s*(\([^)]*\)|\[[^\]]*\]|[^\n#]*)").unwrap()
});
#[expect(clippy::unwrap_used, reason = "constants, which the tests compile")]
static QUOTED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"["']([^"'\n]+)["']"#).unwrap());

/// The migration in a file; `None` for a file that is none.
pub(super) fn read(file: &str, content: &str) -> Option<Migration> {
    let version = REVISION.captures(content)?[1].to_owned();
    let down = DOWN.captures(content)?;
    let after = QUOTED.captures_iter(&down[1]).map(|found| found[1].to_owned()).collect();
    Some(Migration { version, name: file.to_owned(), after, ..Migration::default() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn revisions_are_read_as_alembic_writes_them() {
        for (content, version, after) in [
            ("revision = 'ae10'\ndown_revision = None\n", "ae10", &[][..]),
            (
                "revision: str = \"b2\"\ndown_revision: Union[str, Sequence[str], None] = \"ae10\"\n",
                "b2",
                &["ae10"],
            ),
            ("revision = 'm'\ndown_revision = ('a', 'b')\n", "m", &["a", "b"]),
            ("revision = 'm'\ndown_revision = (\n    'a',\n    'b',\n)\n", "m", &["a", "b"]),
            ("revision = 'm'\ndown_revision = 'a'  # not 'b'\n", "m", &["a"]),
        ] {
            let read = read("f.py", content).unwrap();
            assert_eq!(
                (read.version.as_str(), read.after.as_slice()),
                (version, &*to_owned(after)),
                "{content}"
            );
        }
        assert_eq!(read("env.py", "import x\n"), None);
    }

    fn to_owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}
