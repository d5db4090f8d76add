//! Which rules a directive speaks of by number: `942100 942120-942130,920100`.

use std::ops::Range;

use super::faults::{Faults, shown};
use super::lexer::{Excerpt, is_blank};

/// Reads ids and ranges of ids, separated by blanks or commas; what is none is a fault.
pub(super) fn rule_ids(list: &Excerpt, faults: &mut Faults) -> Vec<(u64, u64)> {
    let mut ids = Vec::new();
    for part in parts(list.text()) {
        if faults.are_enough() {
            break;
        }
        let text = list.text().get(part.clone()).unwrap_or_default();
        match range(text) {
            Some(ends) if ends.0 <= ends.1 => ids.push(ends),
            Some(_) => faults.push(
                faults
                    .error(
                        "seclang::empty-range",
                        "an empty range",
                        list.span(part),
                        "names no rule",
                    )
                    .help("write the smaller id first"),
            ),
            None => {
                let message = format!("`{}` is not a rule id", shown(text));
                let fault =
                    faults.error("seclang::not-a-rule-id", message, list.span(part), "here");
                faults
                    .push(fault.help("write ids or ranges of ids, such as `942100 942120-942130`"));
            }
        }
    }
    ids
}

/// Whether it is an id, or the id of a head and the number of a link: `942130:1`.
pub(super) fn is_link_id(text: &[u8]) -> bool {
    let mut parts = text.splitn(2, |byte| *byte == b':');
    parts.next().and_then(number).is_some()
        && parts.next().is_none_or(|link| number(link).is_some())
}

fn parts(text: &[u8]) -> Vec<Range<usize>> {
    let separates = |byte: &u8| is_blank(*byte) || *byte == b',';
    let mut parts = Vec::new();
    let mut start = 0;
    for part in text.split(separates) {
        if !part.is_empty() {
            parts.push(start..start + part.len());
        }
        start += part.len() + 1;
    }
    parts
}

fn range(text: &[u8]) -> Option<(u64, u64)> {
    let mut ends = text.splitn(2, |byte| *byte == b'-');
    let first = number(ends.next()?)?;
    Some((first, ends.next().map_or(Some(first), number)?))
}

/// Digits only: `parse` alone would take a `+` too.
fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::faults::Faults;
    use super::super::lexer::Excerpt;
    use super::{is_link_id, rule_ids};
    use crate::diagnostic::Source;

    #[test]
    fn ids_and_ranges_are_read_and_what_is_none_is_a_fault() {
        let cases = [
            ("", vec![], 0),
            ("1", vec![(1, 1)], 0),
            (" 1,2 3-5 , 7 ", vec![(1, 1), (2, 2), (3, 5), (7, 7)], 0),
            ("18446744073709551615", vec![(u64::MAX, u64::MAX)], 0),
            ("18446744073709551616 1", vec![(1, 1)], 1),
            ("5-3 a +1 1- -1 1-2-3 1:2", vec![], 7),
        ];
        for (text, expected, told) in cases {
            let mut faults = Faults::new(&Source::new("a.conf", text));
            let found = rule_ids(&Excerpt::whole(text.as_bytes(), 0), &mut faults);
            assert_eq!((found, faults.into_list().len()), (expected, told), "{text}");
        }
    }

    #[test]
    fn a_link_of_a_chain_has_a_number() {
        let found: Vec<_> =
            ["1", "1:2", "", ":1", "1:", "1:2:3", "a"].map(|id| is_link_id(id.as_bytes())).into();
        assert_eq!(found, [true, true, false, false, false, false, false]);
    }
}
