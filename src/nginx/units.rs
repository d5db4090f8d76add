//! How nginx writes sizes and times.

/// nginx's sizes: `8k`, `30M`, `1g`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.as_bytes().last()? {
        b'k' | b'K' => (text.get(..text.len() - 1)?, 10),
        b'm' | b'M' => (text.get(..text.len() - 1)?, 20),
        b'g' | b'G' => (text.get(..text.len() - 1)?, 30),
        _ => (text, 0),
    };
    digits.parse::<u64>().ok()?.checked_shl(shift)
}

/// nginx's times: `60`, `60s`, `1m30s`, `500ms`.
pub(super) fn milliseconds(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest.get(..end)?.parse().ok()?;
        let after = rest.get(end..)?;
        let units = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        let unit = units.into_iter().find(|(name, _)| after.starts_with(name));
        let (name, factor) = unit.or(after.is_empty().then_some(("", 1000)))?;
        total = total.checked_add(number.checked_mul(factor)?)?;
        rest = after.get(name.len()..)?.trim_start();
    }
    (!text.is_empty()).then_some(total)
}

/// Milliseconds as settings say them.
pub(super) fn time(milliseconds: u64) -> String {
    crate::config::time_text(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::{milliseconds, size};

    #[test]
    fn sizes_and_times_are_nginxs() {
        assert_eq!(
            [size("8k"), size("30M"), size("12"), size("x")],
            [Some(8192), Some(30 << 20), Some(12), None]
        );
        let times = ["60", "500ms", "1m30s", "1m 30s", "", "5x"].map(milliseconds);
        assert_eq!(times, [Some(60_000), Some(500), Some(90_000), Some(90_000), None, None]);
    }
}
