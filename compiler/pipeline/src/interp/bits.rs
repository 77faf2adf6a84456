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

/// RFC 1624, equation 3, for each 16-bit word that changed: HC' = ~(~HC + ~m + m'), in one's complement.
///
/// `before` and `after` are the header's bytes; words are counted from its begin. Words that are equal are taken in
/// too, which changes nothing but the representation of zero: a sum of 0xffff stays 0xffff.
pub(super) fn mend(checksum: u16, words: impl IntoIterator<Item = (u16, u16)>) -> u16 {
    let mut sum = u64::from(!checksum);
    for (before, after) in words {
        sum += u64::from(!before) + u64::from(after);
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
