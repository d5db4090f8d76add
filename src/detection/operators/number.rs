//! Numbers in values, as C's `atoll` reads them.

use super::Fault;

/// How two numbers compare, the value before the argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "they are the operators' names")]
pub enum Order {
    Eq,
    Ge,
    Gt,
    Le,
    Lt,
}

impl Order {
    /// Whether it holds.
    pub fn holds(self, value: i64, argument: i64) -> bool {
        match self {
            Self::Eq => value == argument,
            Self::Ge => value >= argument,
            Self::Gt => value > argument,
            Self::Le => value <= argument,
            Self::Lt => value < argument,
        }
    }
}

/// The whole number at the beginning, after blanks; 0 if there is none. One that is too large for
/// 64 bits is the largest.
pub fn number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |sum: i64, digit| {
        let digit = i64::from(digit - b'0');
        let sum = sum.saturating_mul(10);
        if negative { sum.saturating_sub(digit) } else { sum.saturating_add(digit) }
    })
}

/// An argument that is no number would be compared as 0, which nobody means.
pub(super) fn check(argument: &[u8]) -> Result<(), Fault> {
    let digits = match argument.trim_ascii() {
        [b'-' | b'+', digits @ ..] | digits => digits,
    };
    if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
        return Ok(());
    }
    let shown = String::from_utf8_lossy(argument);
    let help = Some("write a whole number, or a macro such as `%{tx.limit}`".to_owned());
    Err(Fault { help, ..Fault::new(format!("`{shown}` is no whole number")) })
}

#[cfg(test)]
mod tests {
    use super::{check, number};

    #[test]
    fn what_is_no_number_is_zero_and_what_is_too_large_is_the_largest() {
        let cases: &[(&[u8], i64)] = &[
            (b"", 0),
            (b"abc", 0),
            (b"12abc", 12),
            (b" \t\n7", 7),
            (b"+5", 5),
            (b"-5", -5),
            (b"--5", 0),
            (b"0x10", 0),
            (b"99999999999999999999", i64::MAX),
            (b"-99999999999999999999", i64::MIN),
        ];
        for (text, expected) in cases {
            assert_eq!(number(text), *expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn an_argument_must_be_a_number() {
        assert!(check(b"10").is_ok() && check(b" -1 ").is_ok());
        let fault = check(b"1O").unwrap_err();
        assert_eq!(fault.message, "`1O` is no whole number");
        assert!(check(b"").is_err() && check(b"-").is_err());
    }
}
