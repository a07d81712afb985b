//! An input cut into parts. Inputs are text where possible, so that a person can write and read
//! them: sections end with the byte 0x1e, which no protocol here has.

/// Returns the sections of an input.
pub fn sections(input: &[u8]) -> impl Iterator<Item = &[u8]> {
    input.split(|byte| *byte == 0x1e)
}

/// Returns the first byte of an input modulo `number`, and the rest.
pub fn choice(input: &[u8], number: usize) -> Option<(usize, &[u8])> {
    let (first, rest) = input.split_first()?;
    Some((usize::from(*first) % number, rest))
}

/// Splits at the first `at`; the second half is empty if there is none.
pub fn halves(input: &[u8], at: u8) -> (&[u8], &[u8]) {
    match input.iter().position(|byte| *byte == at) {
        Some(place) => (&input[..place], &input[place + 1..]),
        None => (input, b""),
    }
}
