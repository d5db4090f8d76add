//! Lua patterns on long subjects: made cheap, or refused.
//!
//! Luau polls its interrupt at each step of a pattern, but a step may run over the whole subject
//! and, at each byte, over the whole of a class. So a class is rewritten to its shortest form, and
//! what is then still dear is refused.

use super::slot;

/// Subject times longest class: what one step may look at, a few milliseconds.
const STEPS: usize = 16 << 20;

/// The longest text that plain `find` looks for in a long one.
const LONGEST_NEEDLE: usize = 64 << 10;

/// The longest pattern that is rewritten.
const LONGEST_PATTERN: usize = 64 << 10;

/// Bytes searched between two looks at the budget.
const WINDOW: usize = 64 << 10;

/// Lua's `find` with `plain`: first and last place, from 1. Linear, and ends with the budget.
///
/// # Errors
/// If the text to find is too long, or the budget is spent.
pub(super) fn plain_find(
    subject: &[u8],
    needle: &[u8],
    init: i64,
) -> Result<Option<(usize, usize)>, String> {
    if needle.len() > LONGEST_NEEDLE {
        return Err(format!("text to find is longer than {LONGEST_NEEDLE} bytes"));
    }
    let from_end = subject.len() as i64 + 1 + init;
    let init = if init < 0 { from_end.max(1) } else { init.max(1) } as usize;
    let finder = memchr::memmem::Finder::new(needle);
    let mut start = init - 1;
    while start + needle.len() <= subject.len() {
        let end = (start + WINDOW + needle.len()).min(subject.len());
        let window = subject.get(start..end).unwrap_or_default();
        if let Some(place) = finder.find(window) {
            return Ok(Some((start + place + 1, start + place + needle.len())));
        }
        if slot::is_over() {
            return Err("the search was ended".into());
        }
        start += WINDOW;
    }
    Ok(None)
}

/// A pattern with the same meaning whose steps are cheap on a subject of `length` bytes.
///
/// # Errors
/// If there is none.
pub(super) fn bounded(length: usize, pattern: &[u8]) -> Result<Vec<u8>, String> {
    if pattern.len() > LONGEST_PATTERN {
        return Err(format!("pattern is longer than {LONGEST_PATTERN} bytes"));
    }
    let (short, longest) = shorten(pattern);
    if length.saturating_mul(longest) > STEPS {
        return Err(format!("pattern too costly for a subject of {length} bytes"));
    }
    Ok(short)
}

/// The pattern with each class in its shortest form, and the length of the longest one.
fn shorten(pattern: &[u8]) -> (Vec<u8>, usize) {
    let mut short = Vec::with_capacity(pattern.len().min(1024));
    let mut longest = 1;
    let mut rest = pattern;
    while let [first, after @ ..] = rest {
        match (first, after) {
            (b'%', [b'b', x, y, after @ ..]) => {
                short.extend([b'%', b'b', *x, *y]);
                rest = after;
            }
            (b'%', [letter, after @ ..]) => {
                short.extend([b'%', *letter]);
                rest = after;
            }
            (b'[', class) => {
                let Some((class, after)) = split_class(class) else {
                    // Malformed: Luau says so.
                    short.extend_from_slice(rest);
                    return (short, longest.max(rest.len()));
                };
                let class = shorten_class(class);
                longest = longest.max(class.len());
                short.extend_from_slice(&class);
                rest = after;
            }
            _ => {
                short.push(*first);
                rest = after;
            }
        }
    }
    (short, longest)
}

/// The inside of a class (what stands before its `]`, with its `^`), and what follows it.
fn split_class(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut place = usize::from(text.first() == Some(&b'^'));
    loop {
        let escaped = *text.get(place)? == b'%';
        place += 1;
        if escaped && place < text.len() {
            place += 1;
        }
        if *text.get(place)? == b']' {
            return Some((text.get(..place)?, text.get(place + 1..)?));
        }
    }
}

/// A class with the same members, its bytes sorted into ranges.
fn shorten_class(class: &[u8]) -> Vec<u8> {
    let (negated, items) = match class {
        [b'^', items @ ..] => (true, items),
        items => (false, items),
    };
    let mut members = [false; 256];
    let mut letters = Vec::new();
    let mut rest = items;
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [letter, after @ ..]) => {
                if letter.is_ascii_alphabetic() {
                    if !letters.contains(letter) {
                        letters.push(*letter);
                    }
                } else {
                    add(&mut members, *letter, *letter);
                }
                after
            }
            (low, [b'-', high, after @ ..]) => {
                add(&mut members, *low, *high);
                after
            }
            (byte, after) => {
                add(&mut members, *byte, *byte);
                after
            }
        };
    }
    write_class(negated, &letters, &members)
}

fn add(members: &mut [bool; 256], low: u8, high: u8) {
    for byte in low..=high {
        if let Some(member) = members.get_mut(usize::from(byte)) {
            *member = true;
        }
    }
}

fn write_class(negated: bool, letters: &[u8], members: &[bool; 256]) -> Vec<u8> {
    let mut class = vec![b'['];
    if negated {
        class.push(b'^');
    }
    for letter in letters {
        class.extend([b'%', *letter]);
    }
    let mut run: Option<u8> = None;
    for byte in 0..=u8::MAX {
        let member = members.get(usize::from(byte)).copied().unwrap_or_default();
        let ends =
            byte == u8::MAX || !members.get(usize::from(byte) + 1).copied().unwrap_or_default();
        if !member {
            continue;
        }
        let low = *run.get_or_insert(byte);
        if ends {
            write_range(&mut class, low, byte);
            run = None;
        }
    }
    class.push(b']');
    class
}

fn write_range(class: &mut Vec<u8>, low: u8, high: u8) {
    // A range's ends may be any byte but `%`, which would begin an escape, `]`, which would end the
    // class, and `^`, which would negate it: such a byte stands alone, escaped.
    let special = |byte: u8| matches!(byte, b'%' | b']' | b'^' | b'-' | b'[');
    if high - low < 3 || special(low) || special(high) {
        if special(low) || low == high {
            write_byte(class, low);
            if low < high {
                write_range(class, low + 1, high);
            }
        } else {
            write_range(class, low, high - 1);
            write_byte(class, high);
        }
        return;
    }
    class.extend([low, b'-', high]);
}

fn write_byte(class: &mut Vec<u8>, byte: u8) {
    if !byte.is_ascii_alphanumeric() && byte.is_ascii_punctuation() {
        class.push(b'%');
    }
    class.push(byte);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(pattern: &[u8]) -> String {
        String::from_utf8_lossy(&shorten(pattern).0).into_owned()
    }

    #[test]
    fn classes_keep_their_members_and_lose_their_length() {
        let long = [b"[".as_slice(), &b"b".repeat(10_000), b"a]*c"].concat();
        assert_eq!(short(&long), "[ab]*c");
        assert_eq!(short(b"^[^%s%s,;]+$"), "^[^%s%,%;]+$");
        assert_eq!(short(b"[%w_%-%.]+=%b()[a-z0-9]"), "[%w%-%.%_]+=%b()[0-9a-z]");
        assert_eq!(short(b"[]]x"), "[%]]x");
        assert_eq!(short(b"[^]]-"), "[^%]]-");
    }

    #[test]
    fn what_stays_dear_is_refused() {
        let dear: Vec<u8> = (0..120_u8).map(|byte| 2 * byte + 1).collect();
        let dear = [b"[".as_slice(), &dear, b"]"].concat();
        assert!(bounded(1 << 20, &dear).is_err());
        assert!(bounded(1 << 20, b"[%w]+").is_ok());
    }

    #[test]
    fn plain_find_finds_across_windows() {
        let mut subject = vec![b'a'; 3 * WINDOW];
        subject[WINDOW - 1] = b'x';
        assert_eq!(plain_find(&subject, b"xaa", 1), Ok(Some((WINDOW, WINDOW + 2))));
        assert_eq!(plain_find(&subject, b"xaa", -10), Ok(None));
        assert_eq!(plain_find(&subject, b"", 5), Ok(Some((5, 4))));
    }
}
