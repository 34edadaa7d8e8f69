//! [`TableName`]: a table's name as people write it, by each engine's rules for case and quotes.

use clockwork_core::text::quote;

use super::DatabaseEngine;

/// A table's name, with its schema (for MySQL its database) if one was given, as the engine stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableName {
    engine: DatabaseEngine,
    /// The schema, if one was given.
    pub schema: Option<String>,
    /// The name itself.
    pub name: String,
}

impl TableName {
    /// Reads `users`, `app.users`, `"Users"`, `` `order` ``. Without quotes PostgreSQL makes all letters small; the
    /// others keep them.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(engine: DatabaseEngine, text: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("{} is not a table's name: {what}", quote(text));
        let (mut parts, mut rest) = (Vec::new(), text);
        loop {
            let (part, after) = part(engine, rest).map_err(wrong)?;
            parts.push(part);
            match after.strip_prefix('.') {
                Some(after) => rest = after,
                None if after.is_empty() => break,
                None => return Err(wrong("put a name with blanks or signs in it into quotes")),
            }
        }
        let (schema, name) = match <[String; 1]>::try_from(parts) {
            Ok([name]) => (None, name),
            Err(parts) => match <[String; 2]>::try_from(parts) {
                Ok([schema, name]) => (Some(schema), name),
                Err(_) => return Err(wrong("write `table` or `schema.table`")),
            },
        };
        Ok(Self { engine, schema, name })
    }

    /// As it stands in a statement, quoted, so that a name that is also a keyword is a name.
    pub fn quoted(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", self.identifier(schema), self.identifier(&self.name)),
            None => self.identifier(&self.name),
        }
    }

    /// A name of this engine, quoted.
    pub(crate) fn identifier(&self, name: &str) -> String {
        identifier(self.engine, name)
    }
}

/// A name, quoted as this engine has it.
pub(crate) fn identifier(engine: DatabaseEngine, name: &str) -> String {
    match engine {
        DatabaseEngine::Mysql | DatabaseEngine::Mariadb => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// One part of a name, and what stands behind it.
fn part(engine: DatabaseEngine, text: &str) -> Result<(String, &str), &'static str> {
    let quotes: &[(char, char)] = match engine {
        DatabaseEngine::Postgresql => &[('"', '"')],
        DatabaseEngine::Mysql | DatabaseEngine::Mariadb => &[('`', '`'), ('"', '"')],
        DatabaseEngine::Sqlite => &[('"', '"'), ('`', '`'), ('[', ']')],
    };
    let first = text.chars().next().ok_or("a part of it is empty")?;
    if text.contains('\0') {
        return Err("it holds a NUL character");
    }
    if let Some((_, close)) = quotes.iter().find(|(open, _)| *open == first) {
        let (mut name, mut chars) = (String::new(), text.char_indices().skip(1).peekable());
        while let Some((at, c)) = chars.next() {
            if c != *close {
                name.push(c);
            } else if chars.peek().is_some_and(|(_, next)| next == close) {
                name.push(c);
                chars.next();
            } else {
                let rest = &text[at + close.len_utf8()..];
                return if name.is_empty() { Err("a part of it is empty") } else { Ok((name, rest)) };
            }
        }
        return Err("a quote is not closed");
    }
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii();
    let end = text.find(|c| !plain(c)).unwrap_or(text.len());
    match &text[..end] {
        "" => Err("a part of it is empty, or begins with a sign"),
        // ASCII alone, as the server does it in all encodings that matter.
        name if engine == DatabaseEngine::Postgresql => Ok((name.to_ascii_lowercase(), &text[end..])),
        name => Ok((name.to_owned(), &text[end..])),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn names_are_read_by_each_engines_rules() {
        use DatabaseEngine::{Mysql, Postgresql, Sqlite};
        for (engine, text, quoted) in [
            (Postgresql, "users", r#""users""#),
            (Postgresql, "Users", r#""users""#),
            (Postgresql, r#""Users""#, r#""Users""#),
            (Postgresql, r#"App."my ""table""""#, r#""app"."my ""table""""#),
            (Postgresql, "größe", r#""größe""#),
            (Mysql, "Users", "`Users`"),
            (Mysql, "shop.`order`", "`shop`.`order`"),
            (Sqlite, "[my table]", r#""my table""#),
            (Sqlite, "main.Users", r#""main"."Users""#),
        ] {
            assert_eq!(TableName::parse(engine, text).unwrap().quoted(), quoted, "{text}");
        }
        for text in ["", ".", "a.", ".a", "a b", "a;b", "\"a", "\"\"", "a.b.c", "users; drop table x", "a--"]
        {
            let told = TableName::parse(Postgresql, text).unwrap_err();
            assert!(told.contains("is not a table's name: "), "{told}");
        }
    }
}
