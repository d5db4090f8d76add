//! `@containsWord`: a text in a value, not as part of a longer word.

use memchr::memmem;

use super::{Kind, Operator, Sense};

pub(super) const OPERATOR: Operator = Operator {
    name: "containsWord",
    aliases: &[],
    doc: "The argument is in the value, with no ASCII letter before or after it.",
    kind: Kind::Compares { check: |_| Ok(()), matches, sense: Sense::Contains },
};

fn matches(word: &[u8], value: &[u8]) -> bool {
    if word.is_empty() {
        return true;
    }
    memmem::find(value, word).is_some()
        && ends(word, value).any(|end| stands_alone(word, value, end))
}

/// Where the word ends in the value; the places may overlap. By Knuth, Morris and Pratt: to search
/// anew after each place would take the product of both lengths for words such as `a;a;a;a`.
fn ends(word: &[u8], value: &[u8]) -> impl Iterator<Item = usize> {
    let borders = borders(word);
    let mut length = 0;
    value.iter().enumerate().filter_map(move |(at, byte)| {
        length = extended(word, &borders, length, *byte);
        (length == word.len()).then_some(at + 1)
    })
}

/// For each beginning of the word, how long the longest shorter one is that also ends it.
fn borders(word: &[u8]) -> Vec<usize> {
    let mut borders = vec![0];
    let mut length = 0;
    for byte in word.iter().skip(1) {
        length = extended(word, &borders, length, *byte);
        borders.push(length);
    }
    borders
}

/// How much of the word is found when one byte more is seen.
fn extended(word: &[u8], borders: &[usize], mut length: usize, byte: u8) -> usize {
    while word.get(length) != Some(&byte) {
        if length == 0 {
            return 0;
        }
        length = borders.get(length - 1).copied().unwrap_or(0);
    }
    length + 1
}

fn stands_alone(word: &[u8], value: &[u8], end: usize) -> bool {
    let before = (end - word.len()).checked_sub(1).and_then(|at| value.get(at));
    let after = value.get(end);
    ![before, after].into_iter().flatten().any(u8::is_ascii_alphabetic)
}
