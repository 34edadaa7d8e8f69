//! [`FileDocumentProbe`]: a file of structured data, parsed once for everybody who asks about a value in it.

use std::path::PathBuf;

use clockwork_core::{CheckError, Context, Fault, Probe, text};
use serde_json::Value;

use super::{DOCUMENT_LIMIT, FileBytes, FileContentProbe, Found, place::equal_by_the_letter, show_path};

/// Reads and parses a file of up to [`DOCUMENT_LIMIT`] bytes.
#[derive(Debug, Clone)]
pub struct FileDocumentProbe {
    /// The path; links are followed.
    pub path: PathBuf,
    /// The language that it is written in.
    pub format: DocumentFormat,
}

equal_by_the_letter!(FileDocumentProbe, format);

/// A language of structured data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DocumentFormat {
    /// JSON (RFC 8259).
    Json,
    /// YAML 1.2 as a manifest is read, with merge keys. Several documents in one file become an array.
    Yaml,
    /// TOML 1.1. Dates become strings.
    Toml,
}

/// What was parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The value; or what is wrong with the text, and where.
    pub value: Result<Value, String>,
    size: usize,
}

impl DocumentFormat {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Yaml => "YAML",
            Self::Toml => "TOML",
        }
    }

    fn parse(self, bytes: &[u8]) -> Result<Value, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            format!("it is not UTF-8: byte {} is part of no character", error.valid_up_to())
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self {
            Self::Json => {
                serde_json::from_str(text).map_err(|error| text::harmless(&error.to_string()).into_owned())
            }
            Self::Yaml => super::yaml::parse(text),
            Self::Toml => toml::from_str(text).map(of_table).map_err(|error| {
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                let line = before.matches('\n').count() + 1;
                format!("{} at line {line}", text::harmless(error.message()).trim_end())
            }),
        }
    }
}

fn of_table(table: toml::Table) -> Value {
    table.into_iter().map(|(key, value)| (key, of_toml(value))).collect::<serde_json::Map<_, _>>().into()
}

fn of_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        // JSON has no word for infinity; as a string it is at least not null.
        toml::Value::Float(number) if !number.is_finite() => number.to_string().into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(values) => values.into_iter().map(of_toml).collect::<Vec<_>>().into(),
        toml::Value::Table(table) => of_table(table),
    }
}

impl Probe for FileDocumentProbe {
    type Observation = Found<Document>;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let mut content = cx.observe(FileContentProbe::new(&self.path)).await?;
        if let Found::There(FileBytes::Larger(_)) = &*content {
            content = cx.observe(FileContentProbe::document(&self.path)).await?;
        }
        let bytes = match &*content {
            Found::There(FileBytes::Whole(bytes)) => bytes.clone(),
            Found::There(FileBytes::Larger(size)) => {
                let (path, limit) = (show_path(&self.path), DOCUMENT_LIMIT >> 20);
                let what = format!("{path} is too large to read as {}: {size} bytes", self.format.name());
                let hint =
                    format!("up to {limit} MiB are read; use `pattern` or `contains`, which have no limit");
                return Err(CheckError::unobservable(what).hint(hint));
            }
            Found::NotRegular(what) => return Ok(Found::NotRegular(*what)),
            Found::Missing(missing) => return Ok(Found::Missing(missing.clone())),
        };
        let format = self.format;
        super::scan::inline_or_not(bytes, move |bytes| {
            Found::There(Document { value: format.parse(bytes), size: bytes.len() })
        })
        .await
    }

    fn describe(&self) -> String {
        format!("reading {} as {}", show_path(&self.path), self.format.name())
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    /// A parsed value takes some times what its text took.
    fn weight(seen: &Self::Observation) -> usize {
        match seen {
            Found::There(document) => document.size * 4,
            _ => 256,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_format_says_the_same() {
        let said = json!({ "name": "api", "ports": [80, 443], "tls": { "on": true, "ratio": 0.5 } });
        let json = br#"{ "name": "api", "ports": [80, 443], "tls": { "on": true, "ratio": 0.5 } }"#;
        let yaml = b"\xef\xbb\xbfname: api\nports: [80, 443]\ntls:\n  on: true\n  ratio: 0.5\n";
        let toml = b"name = \"api\"\nports = [80, 443]\n[tls]\non = true\nratio = 0.5\n";
        assert_eq!(DocumentFormat::Json.parse(json), Ok(said.clone()));
        assert_eq!(DocumentFormat::Yaml.parse(yaml), Ok(said.clone()));
        assert_eq!(DocumentFormat::Toml.parse(toml), Ok(said));
        let date = DocumentFormat::Toml.parse(b"since = 2026-01-31T12:00:00Z");
        assert_eq!(date, Ok(json!({ "since": "2026-01-31T12:00:00Z" })));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place_and_without_the_text() {
        let table: [(DocumentFormat, &[u8], &str); 6] = [
            (DocumentFormat::Json, b"", "EOF while parsing a value at line 1 column 0"),
            (DocumentFormat::Json, b"{\n\"a\": 1,\n}", "trailing comma at line 3 column 1"),
            (DocumentFormat::Json, b"{} \xff", "it is not UTF-8: byte 3 is part of no character"),
            (DocumentFormat::Json, b"{} {}", "trailing characters at line 1 column 4"),
            (DocumentFormat::Toml, b"a = 1\nb = \x1b", "at line 2"),
            (DocumentFormat::Toml, b"a = 1\na = 2\n", "duplicate key at line 2"),
        ];
        for (format, text, problem) in table {
            let error = format.parse(text).expect_err("it is wrong");
            assert!(error.ends_with(problem), "{error:?} for {problem}");
            assert!(!error.contains(['\x1b', '\n']), "{error:?}");
        }
    }
}
