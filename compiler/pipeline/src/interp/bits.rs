//! Fields of a header, bit by bit, most significant first (RFC 791, appendix B), and the Internet checksum.

/// `width` bits (at most 128) from bit `offset` on; `None` where they do not lie in the bytes.
pub(super) fn read(bytes: &[u8], offset: usize, width: u16) -> Option<u128> {
    (offset..offset + usize::from(width)).try_fold(0, |value, bit| {
        let byte = bytes.get(bit / 8)?;
        Some(value << 1 | u128::from(byte >> (7 - bit % 8) & 1))
    })
}

/// Writes the low `width` bits of the value at bit `offset`; what does not lie in the bytes is left out.
pub(super) fn write(bytes: &mut [u8], offset: usize, width: u16, value: u128) {
    for step in 0..usize::from(width) {
        let bit = offset + step;
        let Some(byte) = bytes.get_mut(bit / 8) else {
            return;
        };
        let one = value >> (usize::from(width) - 1 - step) & 1;
        let place = 7 - bit % 8;
        *byte = *byte & !(1 << place) | (one as u8) << place;
    }
}

/// The 16-bit words in which the bits from `offset` to `end` lie, counted from the first byte; a byte that is not there
/// is 0 (RFC 1071, section 4.1).
pub(super) fn words(bytes: &[u8], offset: u32, end: u32) -> Vec<u16> {
    let byte = |at: u32| u16::from(bytes.get(at as usize).copied().unwrap_or_default());
    (offset / 16..end.div_ceil(16))
        .map(|word| byte(word * 2) << 8 | byte(word * 2 + 1))
        .collect()
}

/// RFC 1624, equation 3: HC' = ~(~HC + ~m + m'), in one's complement, over all pairs of a word before and after. What is 0 then is
/// written as 0xffff where the checksum may stand `alone`.
pub(super) fn mend(checksum: u16, alone: bool, words: impl IntoIterator<Item = (u16, u16)>) -> u16 {
    let mut sum = u64::from(!checksum);
    for (before, after) in words {
        sum += u64::from(!before) + u64::from(after);
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    match !(sum as u16) {
        0 if alone => 0xffff,
        mended => mended,
    }
}
