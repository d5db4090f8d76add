//! What becomes of expressions, and what is told of those that are none.

use super::*;

fn pattern(expression: &[u8]) -> Pattern {
    Pattern::new(expression, Case::Differs)
        .unwrap_or_else(|fault| panic!("{}: {fault:?}", expression.escape_ascii()))
}

/// The spans of the whole match and of the groups that took part, up to the last one.
fn spans(expression: &[u8], value: &[u8]) -> Option<Vec<Option<Range<usize>>>> {
    let mut captures = Captures::default();
    let found = pattern(expression).captures(value, &mut captures);
    let last = captures.groups.iter().rposition(Option::is_some)?;
    assert_eq!(found, Found::Yes);
    Some(captures.groups[..=last].to_vec())
}

#[test]
fn what_an_automaton_can_say_is_left_to_it() {
    let cases: &[(&str, &str)] = &[
        // An expression, and it for the automaton.
        (r"a\.b", r"a\x2eb"),
        (r"\Qa.b\E+", r"a\x2eb+"),
        (r"a\<b\>", r"a\x3cb\x3e"),
        (r"[a&&b]", r"[\x26a-b]"),
        (r"[a--z]x", "!"),
        (r"[]a]", r"[\x5da]"),
        (r"[\w-x]", r"[\x2d0-9A-Z_a-z]"),
        (r"[[a]", r"[\x5ba]"),
        (r"x{a}", r"x\x7ba\x7d"),
        (r"x{,3}", r"x\x7b\x2c3\x7d"),
        (r"\x{e9}\xe9\x9", r"\xe9\xe9\x09"),
        (r"\033\e\a\cA", r"\x1b\x1b\x07\x01"),
        ("é", r"\xc3\xa9"),
        (r"a(?#comment)*", "a*"),
        (r"(?i)a(?-i)b", "[Aa]b"),
        (r"^a$", r"\Aa\z"),
        (r"(?m)^a$", r"(?m:^)a(?m:$)"),
        (r"\s*+x", r"[\x09-\x0d\x20]*x"),
        (r"(?>a|b)c", "(?:a|b)c"),
        (r"x\s*+", r"x[\x09-\x0d\x20]*"),
        (r"(?<name>a)\h", r"(a)[\x09\x20\xa0]"),
    ];
    for (written, translated) in cases {
        let Ok(pattern) = Pattern::new(written.as_bytes(), Case::Differs) else {
            assert_eq!(*translated, "!", "{written}");
            continue;
        };
        assert_eq!(pattern.translated(), *translated, "{written}");
        assert!(!pattern.needs_backtracking(), "{written}");
    }
}

#[test]
fn what_it_cannot_say_is_not_left_to_it() {
    let cases = [
        r"a*+a",
        r"(?>a|ab)c",
        r"(a)\1",
        r"a(?=b)",
        r"(?<!a)b",
        r"\R\n",
        r"a\Zb?",
        r"a\Kb",
        r"(?m)^",
    ];
    for written in cases {
        assert!(pattern(written.as_bytes()).needs_backtracking(), "{written}");
    }
}

#[test]
fn a_possessive_quantifier_gives_nothing_back() {
    assert_eq!(pattern(br"a*+a").find(b"aaa"), Found::No);
    assert_eq!(pattern(br"a*a").find(b"aaa"), Found::Yes);
}

#[test]
fn groups_have_their_places() {
    assert_eq!(spans(b"(a)|(b)", b"xb"), Some(vec![Some(1..2), None, Some(1..2)]));
    assert_eq!(spans(br"(a+)(?=b)", b"xaab"), Some(vec![Some(1..3), Some(1..3)]));
    assert_eq!(spans(b"(a)", b"b"), None);
}

#[test]
fn a_fault_points_at_its_place() {
    let cases: &[(&str, usize, &str)] = &[
        ("ab(c", 2, "unclosed group"),
        ("ab[c", 2, "unclosed class"),
        ("ab)c", 2, "a `)` without its `(`"),
        ("ab|*c", 3, "a quantifier with nothing before it"),
        ("a**", 0, "a quantifier on a quantifier"),
        (r"ab\", 2, "a `\\` with nothing behind it"),
        (r"ab\y", 2, "`\\y` has no meaning here"),
        (r"a\x{100}", 1, "a character past `\\xff`"),
        ("a[z-a]", 2, "a range that ends before it begins"),
        ("a(?R)", 1, "a recursion in an expression"),
        (r"a\1", 1, "there is no group 1, but 0 in all"),
        ("a(?#", 1, "unclosed comment"),
        ("a[[:word:][:word1:]]", 10, "not a class of POSIX"),
    ];
    for (written, at, message) in cases {
        let fault = Pattern::new(written.as_bytes(), Case::Differs).err();
        let told = fault.map(|fault| (fault.at.map(|at| at.start), fault.message));
        assert_eq!(told, Some((Some(*at), (*message).to_owned())), "{written}");
    }
}

#[test]
fn hostile_expressions_are_refused_or_compiled_in_bounded_time() {
    let nested = |open: &str, close: &str, times: usize| {
        format!("{}a{}", open.repeat(times), close.repeat(times))
    };
    let cases = [
        // An expression, and whether it can be run.
        (nested("(", ")", 100_000), false),
        (nested("(", ")", 49), true),
        (nested("(", ")+", 49), true),
        (nested("(?:", "?)*", 49), true),
        (nested("(?>", "|b)++", 49), true),
        (nested("(?=(", ")*)", 24), true),
        (nested("(?:", "){9}", 24), false),
        (nested("(?:(?=b)", "){9}", 24), false),
        (nested("(?:(?=b){0}", "){0}{65535}", 24), true),
        ("(?:a(?=b)){60000}".to_owned(), false),
        ("(?:)".repeat(10_000) + "{65535}", true),
        ("[".repeat(100_000), false),
        ("a{65535}{65535}".to_owned(), false),
        (r"\Q".repeat(50_000), true),
        ("(?i)".repeat(50_000), true),
        ("(?#".repeat(50_000), false),
        ("a|".repeat(100_000), true),
        ("word1234|".repeat(10_000), true),
        ("a".repeat(2 << 20), false),
    ];
    for (written, runs) in cases {
        let started = std::time::Instant::now();
        let shown = written.get(..written.len().min(40)).unwrap_or_default().to_owned();
        let compiled = Pattern::new(written.as_bytes(), Case::Differs);
        assert_eq!(compiled.is_ok(), runs, "{shown}: {:?}", compiled.err());
        assert!(started.elapsed().as_secs() < 10, "{shown}: {:?}", started.elapsed());
    }
}

#[test]
fn a_search_is_cut_however_it_is_made_long() {
    let cases: &[(&str, &[u8], &[u8])] = &[
        // An expression, what a value repeats, and how it ends.
        (r"(x+x+)+(?=y)(z)\2", b"x", b"z"),
        (r"(?:a|b|ab)*+(?=c)(x)\1", b"ab", b"xx"),
        (r"(a*)*(?!b)(c)\2", b"a", b"c"),
        (r"(a+)\1+(?=c)\1d", b"a", b"d"),
        (r"(?:(?=(a+))a)*(?=b)c", b"a", b"c"),
        (r"(.+?)+(?<=b)(x)\2", b"a", b"x"),
    ];
    for (written, repeated, end) in cases {
        let value = [repeated.repeat(50_000).as_slice(), end].concat();
        let started = std::time::Instant::now();
        assert_eq!(pattern(written.as_bytes()).find(&value), Found::Cut, "{written}");
        assert!(started.elapsed().as_secs() < 5, "{written}: {:?}", started.elapsed());
    }
}

#[test]
fn groups_are_found_in_values_of_any_length() {
    for written in [&br"(a)[^b]*b"[..], br"(?:x|(a)(c))[^b]*b", br"(a|ac)(c+)b"] {
        for length in [10, 1000, 3_000_000] {
            let value = [&b"-a"[..], &b"c".repeat(length), b"b"].concat();
            let mut captures = Captures::default();
            assert_eq!(pattern(written).captures(&value, &mut captures), Found::Yes);
            assert_eq!(captures.groups[0], Some(1..value.len()), "{length}");
            assert_eq!(captures.groups[1], Some(1..2), "{length}");
        }
    }
}
