//! What tools write down of a file's content, to know it again.

use sha2::{Digest, Sha384};

/// sqlx: SHA-384 of the whole file, in hexadecimal digits.
pub(super) fn sqlx(content: &[u8]) -> String {
    Sha384::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Flyway: CRC-32 of the lines without what ends them, and without a byte order mark, as a signed number.
pub(super) fn flyway(content: &[u8]) -> String {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    let crc = content.iter().filter(|byte| !matches!(byte, b'\n' | b'\r')).fold(u32::MAX, |crc, byte| {
        let mut crc = crc ^ u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
        crc
    });
    (!crc).cast_signed().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_tools() {
        // `printf 123456789 | crc32` is cbf43926.
        for content in ["123456789", "1234\n5678\r\n9\n", "\u{feff}123456789"] {
            assert_eq!(flyway(content.as_bytes()), 0xcbf4_3926_u32.cast_signed().to_string());
        }
        // `printf '' | sha384sum`
        assert!(sqlx(b"").starts_with("38b060a751ac96384cd9327eb1b1e36a21fdb71114be0743"));
    }
}
