//! An expression as values see it that have few different bytes: much of it falls away.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind, Repetition};

use crate::detection::pattern::ByteSet;

/// What is left of an expression for values that have no other bytes than these; none: it matches
/// none of them. Without quotes `c['"]*u['"]*r['"]*l` is `curl`.
pub fn restricted(tree: &Hir, alphabet: ByteSet) -> Option<Hir> {
    match tree.kind() {
        HirKind::Alternation(ways) => {
            let left: Vec<Hir> = ways.iter().filter_map(|way| restricted(way, alphabet)).collect();
            (!left.is_empty()).then(|| Hir::alternation(left))
        }
        // What is captured does not matter for whether it matches.
        HirKind::Capture(capture) => restricted(&capture.sub, alphabet),
        HirKind::Class(class) => restricted_class(class, alphabet),
        HirKind::Concat(parts) => {
            let left: Option<Vec<Hir>> =
                parts.iter().map(|part| restricted(part, alphabet)).collect();
            left.map(Hir::concat)
        }
        HirKind::Empty | HirKind::Look(_) => Some(tree.clone()),
        HirKind::Literal(literal) => {
            literal.0.iter().all(|byte| alphabet.contains(*byte)).then(|| tree.clone())
        }
        HirKind::Repetition(repetition) => restricted_repetition(repetition, alphabet),
    }
}

fn restricted_class(class: &Class, alphabet: ByteSet) -> Option<Hir> {
    let class = match class {
        Class::Bytes(class) => class.clone(),
        Class::Unicode(class) => class.to_byte_class()?,
    };
    let ranges =
        alphabet.ranges().into_iter().map(|(first, last)| ClassBytesRange::new(first, last));
    let mut left = class;
    left.intersect(&ClassBytes::new(ranges));
    (!left.ranges().is_empty()).then(|| Hir::class(Class::Bytes(left)))
}

fn restricted_repetition(repetition: &Repetition, alphabet: ByteSet) -> Option<Hir> {
    match restricted(&repetition.sub, alphabet) {
        Some(sub) => Some(Hir::repetition(Repetition { sub: Box::new(sub), ..repetition.clone() })),
        None => (repetition.min == 0).then(Hir::empty),
    }
}

#[cfg(test)]
mod tests {
    use regex::bytes::RegexBuilder;

    use super::restricted;
    use crate::detection::pattern::ByteSet;

    fn left(expression: &str) -> Option<String> {
        let mut builder = regex_syntax::ParserBuilder::new();
        let tree = builder.unicode(false).utf8(false).build().parse(expression).unwrap();
        let letters = ByteSet::range(b'a', b'z').folded();
        restricted(&tree, letters).map(|tree| tree.to_string())
    }

    #[test]
    fn what_needs_other_bytes_falls_away() {
        let matches = |expression: &str, text: &str| {
            let left = left(expression).unwrap();
            let regex = RegexBuilder::new(&left).unicode(false).build().unwrap();
            regex.is_match(text.as_bytes())
        };
        assert!(matches(r#"^c['"]*u['"]*(?:r|\$)['"]*l$"#, "curl"));
        assert!(!matches(r#"^c['"]*u['"]*(?:r|\$)['"]*l$"#, "cu\"rl"));
        assert!(matches(r"^[a-c;]{2}$", "ab") && !matches(r"^[a-c;]{2}$", "a;"));
    }

    #[test]
    fn what_cannot_match_is_nothing() {
        for expression in ["a;", ";+", "(?:;|0)x", "[0-9]"] {
            assert_eq!(left(expression), None, "{expression}");
        }
        assert!(left(";*").is_some());
    }
}
