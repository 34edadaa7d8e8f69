//! Django's files: Python, of which the name is what matters, and what a squashed one replaces.

use std::sync::LazyLock;

use regex::Regex;

use super::Migration;

#[expect(clippy::unwrap_used, reason = "constants, which the tests compile")]
static REPLACES: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^\s+replaces\s*=\s*\[([^\]]*)\]").unwrap());
#[expect(clippy::unwrap_used, reason = "constants, which the tests compile")]
static PAIR: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"\(\s*["']([^"'\n]+)["']\s*,\s*["']([^"'\n]+)["']\s*,?\s*\)"#).unwrap());

/// The migration of this name (without `.py`) of an app; `None` for a file that is none.
pub(super) fn read(app: &str, name: &str, content: &str) -> Option<Migration> {
    if name.starts_with(['_', '~']) || !content.contains("Migration") {
        return None;
    }
    let replaces =
        REPLACES.captures(content).map_or("", |found| found.get(1).map_or("", |list| list.as_str()));
    let replaces = PAIR.captures_iter(replaces).map(|pair| format!("{}.{}", &pair[1], &pair[2])).collect();
    Some(Migration { version: format!("{app}.{name}"), replaces, ..Migration::default() })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn a_squashed_one_says_what_it_replaces() {
        let content = "class Migration(migrations.Migration):\n    replaces = [('shop', '0001_initial'), (\"shop\", \"0002_x\",)]\n";
        let read_one = read("shop", "0001_squashed", content).unwrap();
        assert_eq!(read_one.version, "shop.0001_squashed");
        assert_eq!(read_one.replaces, ["shop.0001_initial", "shop.0002_x"]);
        assert_eq!(read("shop", "__init__", ""), None);
        assert_eq!(read("shop", "helpers", "def f(): pass\n"), None);
    }
}
