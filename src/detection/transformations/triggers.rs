//! Which transformations a byte may set off.

use std::sync::LazyLock;

use super::{TRANSFORMATIONS, Trigger};

/// For each byte the transformations that may change a text which has it, as bits by their places in
/// the list of all (a test holds that there are few enough); then those that may change any text.
static TRIGGERS: LazyLock<([u64; 256], u64)> = LazyLock::new(|| {
    let (mut by_byte, mut always) = ([0; 256], 0);
    for (place, known) in TRANSFORMATIONS.iter().enumerate() {
        match known.trigger {
            Trigger::Always => always |= 1 << place,
            Trigger::Bytes(wanted) => {
                let bytes = (0..=u8::MAX).zip(&mut by_byte);
                bytes.filter(|(byte, _)| wanted(*byte)).for_each(|(_, mask)| *mask |= 1 << place);
            }
        }
    }
    (by_byte, always)
});

/// The transformations that may change a text in which a byte is, besides [`always`], as bits by
/// their places in the list of all.
pub fn changes_of(byte: u8) -> u64 {
    TRIGGERS.0.get(usize::from(byte)).copied().unwrap_or(u64::MAX)
}

/// Those that may change any text, even an empty one.
pub fn always() -> u64 {
    TRIGGERS.1
}

#[cfg(test)]
mod tests {
    use super::TRANSFORMATIONS;

    #[test]
    fn each_transformation_has_a_bit() {
        assert!(TRANSFORMATIONS.len() <= u64::BITS as usize);
    }
}
