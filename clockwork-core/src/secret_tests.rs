#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use super::*;

const CANARY: &str = "canary-7f3a";

fn file(content: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    file
}

#[test]
fn a_file_gives_its_content_without_the_last_line_break() {
    for (content, expected) in [
        ("canary-7f3a", CANARY),
        ("canary-7f3a\n", CANARY),
        ("canary-7f3a\r\n", CANARY),
        (" a \n\n", " a \n"),
    ] {
        let file = file(content.as_bytes());
        assert_eq!(Secret::file(file.path()).reveal().unwrap().expose_secret(), expected);
    }
}

#[test]
fn what_cannot_be_read_names_the_place_and_never_the_value() {
    let not_text = file(b"canary-7f3a \xff");
    let large = file(CANARY.repeat(10_000).as_bytes());
    let empty = file(b"\n");
    for (secret, expected) in [
        (Secret::env("CLOCKWORK_TEST_UNSET"), "\"CLOCKWORK_TEST_UNSET\" is not set; set it where"),
        (Secret::file(not_text.path()), "is not UTF-8"),
        (Secret::file(large.path()), "is longer than 64 KiB"),
        (Secret::file(empty.path()), "is empty"),
        (Secret::file("/"), "is not a regular file"),
        (Secret::file("/no/such/file"), "\"/no/such/file\" cannot be read: No such file"),
    ] {
        let error = secret.reveal().unwrap_err();
        assert_eq!(error.fault(), crate::Fault::Observer);
        let message = format!("{error} {error:?}");
        assert!(message.contains(expected) && !message.contains(CANARY), "{message}");
    }
}

#[test]
fn a_variable_gives_its_value() {
    // Set in every environment that tests run in.
    assert_eq!(
        Secret::env("PATH").reveal().unwrap().expose_secret(),
        std::env::var("PATH").unwrap().as_str()
    );
}

#[test]
fn a_manifest_points_at_it_and_nothing_echoes_a_literal() {
    let read = |json: &str| serde_json::from_str::<Secret>(json);
    assert_eq!(format!("{:?}", read(r#"{"env": "DB"}"#).unwrap()), r#"Secret { env: "DB" }"#);
    assert_eq!(format!("{:?}", read(r#"{"file": "/a"}"#).unwrap()), r#"Secret { file: "/a" }"#);
    for wrong in [
        r#""canary-7f3a""#,
        r#"["canary-7f3a"]"#,
        r#"{}"#,
        "7",
        "true",
        r#"{"env": ""}"#,
        r#"{"env": "A", "file": "canary-7f3a"}"#,
        r#"{"value": "canary-7f3a"}"#,
    ] {
        let message = read(wrong).unwrap_err().to_string();
        assert!(message.contains("env") && !message.contains(CANARY), "{message}");
    }
}

#[test]
fn debug_never_shows_a_value() {
    let secret = Secret::from(SecretString::from(CANARY));
    assert_eq!(secret.reveal().unwrap().expose_secret(), CANARY);
    assert!(!format!("{secret:?} {secret:#?}").contains(CANARY));
}
