//! What stands in examples where a secret belongs.
//!
//! | a value that | for example |
//! | --- | --- |
//! | is one of some words, however it is written | `changeme`, `Change-Me`, `password`, `secret`, `example`, `todo`, `none` |
//! | has one of some phrases in it | `please-change-me-now`, `YOUR_API_KEY_HERE`, `my-placeholder-2` |
//! | says the name of what it should hold | `DB_PASSWORD=db_password` |
//! | is in brackets | `<your token>`, `{{ token }}`, `[token]`, `%TOKEN%` |
//! | has a variable in it that nobody put in | `${TOKEN}`, `$TOKEN`, `$(cat token)`, `postgres://u:${PASS}@db` |
//! | is one character, again and again | `xxx`, `******`, `0000` |
//! | counts | `123456`, `abcdef` |

/// Words that are no secret; compared without case, and without anything but letters and digits.
const WORDS: &[&str] = &[
    "admin",
    "admin123",
    "adminadmin",
    "apikey",
    "changed",
    "changeit",
    "default",
    "dummy",
    "empty",
    "example",
    "fake",
    "fixme",
    "foo",
    "foobar",
    "guest",
    "hunter2",
    "letmein",
    "master",
    "mypassword",
    "mysecret",
    "mysecretpassword",
    "na",
    "nil",
    "none",
    "nopassword",
    "notset",
    "null",
    "p4ssw0rd",
    "pass",
    "passw0rd",
    "passwd",
    "password",
    "password1",
    "password12",
    "password123",
    "postgres",
    "private",
    "pwd",
    "qwerty",
    "qwerty123",
    "root",
    "s3cr3t",
    "sample",
    "secret",
    "secret123",
    "secretkey",
    "secretpassword",
    "supersecret",
    "tbd",
    "test",
    "test123",
    "testing",
    "testpassword",
    "testtest",
    "tobedefined",
    "todo",
    "token",
    "topsecret",
    "undefined",
    "unset",
    "user",
    "verysecret",
    "welcome",
    "welcome1",
];

/// Phrases that no secret has in it; compared in the same way.
const PHRASES: &[&str] = &[
    "changeme",
    "changethis",
    "enteryour",
    "examplekey",
    "examplepassword",
    "insertyour",
    "placeholder",
    "putyour",
    "replaceme",
    "replacethis",
    "replacewith",
    "secrethere",
    "passwordhere",
    "tokenhere",
    "keyhere",
    "yourapikey",
    "yourkey",
    "yourpassword",
    "yoursecret",
    "yourtoken",
];

const BRACKETS: &[(&str, &str)] =
    &[("<", ">"), ("{{", "}}"), ("[", "]"), ("%", "%"), ("__", "__"), ("$(", ")")];

/// Whether `value` looks like what stands in an example, to be replaced. `name` is what it is called.
pub fn is_placeholder(value: &str, name: &str) -> bool {
    let value = value.trim().trim_matches(['"', '\'', '`']).trim();
    let plain: String = value.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let name: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    value.is_empty()
        || WORDS.contains(&plain.as_str())
        || PHRASES.iter().any(|phrase| plain.contains(phrase))
        || (!plain.is_empty() && plain == name)
        || is_bracketed(value)
        || has_variable(value)
        || is_one_character(value)
        || counts(&plain)
}

/// Words in brackets. What is no words (JSON, a certificate) is no placeholder.
fn is_bracketed(value: &str) -> bool {
    BRACKETS.iter().any(|(open, close)| {
        let inside = value.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inside.is_some_and(|words| {
            words.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '/' | ':'))
                && words.chars().any(char::is_alphabetic)
        })
    })
}

/// `${NAME}` anywhere, or `$NAME` and nothing else.
fn has_variable(value: &str) -> bool {
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
    };
    let mut braced = value.split("${").skip(1);
    // `${NAME:-default}` has a name, too.
    let named = |rest: &str| {
        let inside = rest.split_once('}').map(|(inside, _)| inside);
        inside.is_some_and(|inside| is_name(inside.split([':', '-', '?', '+']).next().unwrap_or_default()))
    };
    // A password may begin with a dollar sign; the name of a variable is in capitals.
    let bare = value.strip_prefix('$');
    braced.any(named) || bare.is_some_and(|name| is_name(name) && name.to_ascii_uppercase() == name)
}

fn is_one_character(value: &str) -> bool {
    let mut characters = value.chars();
    let first = characters.next();
    characters.all(|c| Some(c) == first)
}

fn counts(plain: &str) -> bool {
    plain.len() >= 3
        && ["12345678901234567890", "01234567890123456789", "abcdefghijklmnopqrstuvwxyz"]
            .iter()
            .any(|row| row.starts_with(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_told_from_secrets() {
        for value in [
            "changeme",
            "Change-Me!",
            "CHANGE_ME",
            "please_change_me_2",
            "password",
            "Password1",
            "secret",
            "s3cr3t",
            "example",
            "xxx",
            "XXXXXX",
            "******",
            "0000",
            "TODO",
            "tbd",
            "none",
            "null",
            "<token>",
            "<your token>",
            "{{ token }}",
            "%TOKEN%",
            "__TOKEN__",
            "[token]",
            "${TOKEN}",
            "${TOKEN:-x}",
            "$TOKEN",
            "$(cat token)",
            "postgres://u:${DB_PASS}@db/x",
            "YOUR_API_KEY_HERE",
            "your-secret-here",
            "123456",
            "1234567890",
            "abcdef",
            "\"\"",
            "'changeme'",
            " changeme ",
            "DB_PASSWORD",
            "db-password",
            "my-placeholder",
        ] {
            assert!(is_placeholder(value, "DB_PASSWORD"), "{value}");
        }
        for value in [
            "Tr0ub4dor&3",
            "correct horse battery staple",
            "9f86d081884c7d65",
            "eyJhbGciOiJIUzI1NiJ9.e30.x",
            "$2b$10$N9qo8uLO",
            "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----",
            "{\"type\":\"service_account\"}",
            "[\"a\",1]",
            "postgres://u:pw-81hf@db/x",
            "$ecret-81hf",
            "$mix3d",
            "hunter3xz",
            "testament-of-rust",
            "sk_live_51H8xy",
            "1357",
            "<xml attr=\"1\"/>",
            "%a%20b%",
            "äöü-81hf",
            "changed-my-mind",
        ] {
            assert!(!is_placeholder(value, "DB_PASSWORD"), "{value}");
        }
    }
}
