//! Each construct, on every short value over a few bytes.

use super::{Compared, Pair, none_differs, pcre};
use moongate::detection::pattern::{Case, Pattern};

/// Expressions, and the bytes of the values on which each is tried.
const TABLE: &[(&str, &[u8])] = &[
    // Bytes and escapes.
    (r"a.b", b"ab\n\x80"),
    (r"\a\e\f\x09?", b"\x07\x1b\x0c\t"),
    (r"\x{41}|\x42|\x4", b"AB4\x04"),
    (r"\x|a", b"\0ax"),
    (r"\0|\01|\012", b"\0\x01\n2"),
    (r"\101\o{102}", b"AB1o"),
    (r"\cA\cb\c[", b"\x01\x02\x1bA"),
    (r"\Qa.b\E+", b"a.b"),
    (r"a\Q+\E*", b"a+*"),
    (r"\Qab", b"abQ"),
    (r"a\Eb", b"abE"),
    (r"\<a\>", b"<a> "),
    (r"\-\_\ \#\,", b"-_ #,"),
    (r"\N+", b"a\nN"),
    (r"\C", b"\xffC"),
    ("\u{e9}|a", b"\xc3\xa9a"),
    // Sets.
    (r"\h+", b" \t\xa0\x0b"),
    (r"\H+", b" \t\xa0a"),
    (r"\v+", b"\n\x0b\x85a"),
    (r"\V+", b"\n\x0b\x85a"),
    (r"\s+", b" \x0b\x85\xa0"),
    (r"\S+", b" \x0b\x85\xa0"),
    (r"\d\D\w\W", b"0a_-"),
    (r"\w+", b"\xe9\xaaaZ"),
    (r"[[:alpha:]]+", b"a1_\xe9"),
    (r"[[:^alpha:]]+", b"a1_\xe9"),
    (r"[[:alnum:]_]+", b"a1_-"),
    (r"[[:punct:]]+", b"a_~ "),
    (r"[[:cntrl:]]+", b"\x7f\x1fa\x80"),
    (r"[[:graph:]]+", b"~ !\x7f"),
    (r"[[:print:]]+", b"~ !\x7f"),
    (r"[[:space:]]+", b" \x0b\x85a"),
    (r"[[:blank:]]+", b" \t\x0ba"),
    (r"[[:xdigit:]]+", b"aFg9"),
    (r"[[:word:]]+", b"a_-9"),
    (r"[[:ascii:]]+", b"\x7f\x80a"),
    (r"(?i)[[:upper:]]+", b"aA1"),
    (r"(?i)[[:^lower:]]+", b"aA1"),
    (r"\p{L}+", b"a\xe9\xaa1"),
    (r"\P{L}+\pN", b"a\xe91\xb2"),
    (r"\p{^Lu}\p{Lu}", b"aA\xc9\xe9"),
    (r"[\p{Nd}\P{L}]", b"a1\xe9-"),
    // Classes.
    (r"[]a]+", b"]a^"),
    (r"[^]a]+", b"]a^b"),
    (r"[a&&b]+", b"a&bc"),
    (r"[a~~b]+", b"a~bc"),
    (r"[*--]+", b"*+-,"),
    (r"[[a]+", b"[a]"),
    (r"[a[b]+", b"[a]b"),
    (r"[a\]b]+", b"\\a]b"),
    (r"[\x5c\]]+", b"\\]x"),
    (r"[a-]+", b"ab-"),
    (r"[-a]+", b"ab-"),
    (r"[a\-c]+", b"ab-c"),
    (r"[\w-]+", b"a-."),
    (r"[\b]+", b"\x08b\\"),
    (r"[\1-\3]+", b"\x01\x02\x03\x04"),
    (r"[\8]+", b"8\x08\\"),
    (r"[\Qa-c]\E]+", b"a-b]"),
    (r"[a\Q-\Ec]+", b"abc-"),
    (r"[\e\x{41}-C]+", b"\x1bBD"),
    (r"[$.*+?(){}|^]+", b"$^a|"),
    (r"(?i)[a-c]+", b"aCd"),
    (r"(?i)[^a]+", b"aAb"),
    (r"[^\W_]+", b"a_-"),
    (r"[\d\h]+", b"0 \xa0a"),
    (r"[:alpha]+", b":alb"),
    (r"[\x80-\xff]+", b"\x7f\x80\xffa"),
    (r"[^\x00-\x7f]", b"\x7f\x80\xffa"),
    // Quantifiers.
    (r"a{2}", b"a{2}"),
    (r"a{1,2}b", b"ab"),
    (r"a{2,}?b", b"ab"),
    (r"x{a}", b"x{a}"),
    (r"x{,}", b"x{,}"),
    (r"a{1,x}", b"a{1,"),
    (r"a{0}b", b"ab"),
    (r"(a){0}b", b"ab"),
    (r"a??b", b"ab"),
    (r"(a+?)(a*)", b"ab"),
    (r"a(?#x)*b", b"ab"),
    (
        r"(?x) a + # all
      b",
        b"ab +",
    ),
    (r"(?U)a+(b+)", b"ab"),
    (r"(?U)a+?b", b"ab"),
    (r"(?:)*a", b"ab"),
    (r"(?=a)*b", b"ab"),
    (r"(?=(a))?.", b"ab"),
    (r"(?=(a))+.", b"ab"),
    (r"(?:^a)?b", b"ab"),
    // Possessive, atomic.
    (r"a*+a", b"ab"),
    (r"a*+b", b"ab"),
    (r"a++", b"ab"),
    (r"a?+a", b"ab"),
    (r"a{1,2}+a", b"ab"),
    (r"(?:ab)*+a", b"ab"),
    (r"(?:ab)*+c", b"abc"),
    (r"(a|ab)*+c", b"abc"),
    (r"(a|ab)*+", b"abc"),
    (r"(?>a|ab)c", b"abc"),
    (r"(?>ab|a)c", b"abc"),
    (r"(?>ab|a)b", b"abc"),
    (r"(?>a*)b", b"ab"),
    (r"(?>a*)ab", b"ab"),
    (r"(?>a+b?)c", b"abc"),
    (r"(?>(a+)(b*))b", b"ab"),
    (r"x(?>a|ab)", b"abx"),
    (r"(?:(?>a|ab)c)*b", b"abc"),
    (r"\s*+$", b" a\n"),
    (r"\w++\b", b"a -"),
    (r"\w*+\b", b"a -"),
    (r"(?>\w*)\B", b"a -"),
    (r"\R\n", b"\r\na"),
    (r"\Ra", b"\r\n\x85a"),
    (r"\R{2}", b"\r\na"),
    (r"a\R?", b"\r\na"),
    // Places.
    (r"^a", b"ab\n"),
    (r"a$", b"ab\n"),
    (r"a$b?", b"ab\n"),
    (r"a\Z", b"ab\n"),
    (r"a\Z\n?", b"ab\n"),
    (r"a\z", b"ab\n"),
    (r"\Aa|\Gb", b"ab\n"),
    (r"(?m)^a", b"ab\n"),
    (r"(?m)^", b"ab\n"),
    (r"(?m)a$", b"ab\n"),
    (r"(?m)^a?$", b"ab\n"),
    (r"(?m:^)b?\z", b"ab\n"),
    (r"(?m)b^|$", b"ab\n"),
    (r"\ba\b", b"ab \xe9"),
    (r"\Ba", b"ab -"),
    (r"a\B.", b"ab -"),
    (r"[[:<:]]a", b"ab -"),
    (r"a[[:>:]]", b"ab -"),
    // Flags.
    (r"(?i)a(?-i)b", b"aAbB"),
    (r"(?i:a)b", b"aAbB"),
    (r"(a(?i)b|c)a", b"aAcC"),
    (r"(?i)a|b", b"aAbB"),
    (r"(?-s).", b"a\n\r"),
    (r"(?-s:.)(?s:.)", b"a\n\r"),
    (r"(?i-s)A.", b"aA\n"),
    (r"(?^)A.", b"aA\n"),
    (r"(?n)(a)(?<x>b)", b"ab"),
    // Groups and references.
    (r"(a)|(b)", b"abc"),
    (r"(?:(a)|b)*", b"abc"),
    (r"(?:(a)|(b))*c", b"abc"),
    (r"(?<x>a)(?P<y>b)(?'z'c)", b"abc"),
    (r"(a)(b)?\1", b"ab"),
    (r"(a|b)\1", b"ab"),
    (r"(?<x>a|b)\k<x>\k{x}\k'x'(?P=x)\g{x}", b"ab"),
    (r"(a|b)\g1\g{1}\g{-1}\g-1", b"ab"),
    (r"(?i)(a)\1", b"aA"),
    (r"(a)(?i)\1", b"aA"),
    (r"(a)?\1b", b"ab"),
    (r"(a\1?){3}", b"ab"),
    (r"(?:(a)|\1b)+", b"ab"),
    (r"((a)|(b))\3", b"ab"),
    (r"(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)\10|a\10", b"a\x08j"),
    // Look-around.
    (r"a(?=b)", b"abc"),
    (r"a(?!b)", b"abc"),
    (r"(?<=a)b", b"abc"),
    (r"(?<!a)b", b"abc"),
    (r"(?<=a|bc)b", b"abc"),
    (r"(?<!^a)b", b"ab"),
    (r"(?=(a+))a*b\1", b"ab"),
    (r"(?=a*(b))(?!ab)a", b"ab"),
    (r"(?!(a)b)a", b"ab"),
    (r"(?:(?!ab).)*", b"ab\n"),
    (r"(?=a|ab)(?:ab|a)c?", b"abc"),
    (r"(?<=(a))b\1", b"ab"),
    (r"a(?=\w(?<!b))", b"ab_"),
    (r"a\Kb", b"ab"),
    (r"(a\K)+b", b"ab"),
    (r"<\?(?!xml)", b"<?xm"),
    (r"(?<=a{2})b", b"ab"),
    // Loops of nothing.
    (r"(?:a*)*b", b"ab"),
    (r"(?:a?)+b", b"ab"),
    (r"(?:a|b?)*c(?=c)", b"abc"),
    (r"(?:(?=a)|b)*a", b"ab"),
    (r"(?:a?){3}(?!a)", b"ab"),
    (r"(?:a??)*?b(?!a)", b"ab"),
    (r"(?:(a)|b|(?!c))*(?=c)", b"abc"),
    (r"(?:a{0,2}b?){2,3}(?!b)", b"ab"),
];

/// Expressions that are none, to both.
const FAULTY: &[&str] = &[
    "(",
    ")",
    "a(b",
    "[a",
    "[]",
    "*a",
    "+",
    "?",
    "a**",
    "a|*",
    "(*a)",
    "[b-a]",
    r"\",
    r"\y",
    r"a\x{",
    r"\x{100}",
    r"\x{}",
    r"\o{400}",
    r"\c",
    "(?z)",
    "(?<1a>b)",
    "(?<a>b)(?<a>c)",
    r"\1",
    r"(a)\2",
    r"\k<x>",
    r"\g",
    "(?<=a*)b",
    "(?#",
    "(?i",
    "[[:nope:]]",
    "[:alpha:]",
    "[[.a.]]",
    "a{2,1}",
    "a{70000}",
    r"\p{Nope}",
    r"\8",
];

/// Expressions that only PCRE runs: each is told as a fault here.
const REFUSED: &[&str] = &[
    "(?R)?a",
    "(a(?1)?b)",
    "(?<x>a)(?&x)",
    "(?P>x)?(?<x>a)",
    "(a)?(?(1)b|c)",
    "(?|(a)|(b))",
    "a(*FAIL)",
    "(*UCP)a",
    "a(?C1)b",
    r"\X",
];

/// Expressions that PCRE2 refuses and PCRE1, Perl and the crate `regex` do not: rules have them.
const GRANTED: &[(&str, &[u8], &[u8])] = &[
    // The expression, a value that it matches, one that it does not.
    (r"^[\w-.]$", b"-", b","),
    (r"^[\d-z]$", b"z", b"a"),
    (r"^[[:digit:]-z]$", b"-", b"a"),
    (r"^a{2}{3}$", b"aaaaaa", b"aaaaa"),
    (r"^*a\b+$", b"ba", b"ab"),
];

#[test]
fn each_construct_finds_what_pcre_finds() {
    let mut differences = Vec::new();
    let mut compared = 0;
    for (written, bytes) in TABLE {
        let pair = Pair::new(written.as_bytes());
        each_value(bytes, &mut |value| {
            compared += 1;
            match pair.compare(value) {
                Compared::Same => {}
                Compared::Cut => differences.push(format!("{written}: cut")),
                Compared::Different(told) => differences.push(told),
            }
        });
    }
    assert!(compared > 200_000, "{compared}");
    none_differs(differences);
}

#[test]
fn what_is_no_expression_to_pcre_is_none_here() {
    for written in FAULTY {
        assert!(pcre(written.as_bytes()).is_err(), "{written}");
        let fault = Pattern::new(written.as_bytes(), Case::Differs).err();
        let at = fault.unwrap_or_else(|| panic!("{written} is taken")).at;
        assert!(at.is_some_and(|at| at.start < at.end && at.end <= written.len()), "{written}");
    }
}

#[test]
fn what_only_pcre_runs_is_refused() {
    for written in REFUSED {
        assert!(pcre(written.as_bytes()).is_ok(), "{written}");
        assert!(Pattern::new(written.as_bytes(), Case::Differs).is_err(), "{written}");
    }
}

#[test]
fn what_rules_write_for_pcre1_is_understood() {
    for (written, yes, no) in GRANTED {
        use moongate::detection::pattern::Found;
        let pattern = Pattern::new(written.as_bytes(), Case::Differs).expect(written);
        assert_eq!(pattern.find(yes), Found::Yes, "{written}");
        assert_eq!(pattern.find(no), Found::No, "{written}");
    }
}

/// Every value of up to six of these bytes.
fn each_value(bytes: &[u8], ask: &mut dyn FnMut(&[u8])) {
    let longest = if bytes.len() > 4 { 5 } else { 6 };
    let mut values: Vec<Vec<u8>> = vec![Vec::new()];
    for length in 0..=longest {
        values.iter().for_each(|value| ask(value));
        if length < longest {
            let longer = |value: &Vec<u8>| {
                let value = value.clone();
                bytes.iter().map(move |byte| [value.as_slice(), &[*byte]].concat())
            };
            values = values.iter().flat_map(longer).collect();
        }
    }
}
