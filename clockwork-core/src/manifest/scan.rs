//! Finding where a scalar ends, which most bytes of a manifest are looked at for.

/// What may end a plain scalar.
pub(super) const ENDS: [bool; 256] = {
    let (mut ends, marks) = ([false; 256], b"\n\t :,[]{}");
    let mut at = 0;
    while at < marks.len() {
        ends[marks[at] as usize] = true;
        at += 1;
    }
    ends
};

/// How many bytes stand before the first one that is this quote, a backslash or a control character: eight of them are
/// looked at at a time.
pub(super) fn until_quote(bytes: &[u8], quote: u8) -> Option<usize> {
    const EACH: u64 = u64::MAX / 0xff;
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // The highest bit of each byte that is less, and perhaps of some behind the first of these.
        let less = |word: u64, than: u8| word.wrapping_sub(u64::from(than) * EACH) & !word;
        let is = |byte: u8| less(word ^ (u64::from(byte) * EACH), 1);
        let found = (is(quote) | is(b'\\') | less(word, b' ')) & (0x80 * EACH);
        if found != 0 {
            return Some(8 * index + found.trailing_zeros() as usize / 8);
        }
    }
    let found = rest.iter().position(|&byte| byte == quote || byte == b'\\' || byte < b' ')?;
    Some(8 * words.len() + found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_quoted_scalar_is_found_wherever_it_stands() {
        for byte in 0..=u8::MAX {
            for before in 0..17 {
                for behind in [0, 1, 7, 8, 15] {
                    let text =
                        [&b"\xffa!#[~\x7f]".repeat(3)[..before], &[byte], &b"\"\\".repeat(8)[..behind]]
                            .concat();
                    for quote in [b'"', b'\''] {
                        let ends = |byte: &u8| *byte == quote || *byte == b'\\' || *byte < b' ';
                        assert_eq!(until_quote(&text, quote), text.iter().position(ends), "{text:?}");
                    }
                }
            }
        }
    }
}
