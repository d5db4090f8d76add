//! Expressions that nobody wrote, on values that nobody sent: the same on each run.

use super::{Compared, Numbers, Pair, none_differs, pcre};

const EXPRESSIONS: usize = 6000;
const VALUES: usize = 60;
/// What values are made of.
const BYTES: &[u8] = b"aabbcAB-\n_ \x80";

#[test]
fn generated_expressions_find_what_pcre_finds() {
    let mut numbers = Numbers(0x6d6f_6f6e);
    let (mut expressions, mut matches, mut backtracking, mut cuts) = (0, 0, 0, 0);
    let mut differences = Vec::new();
    while expressions < EXPRESSIONS {
        let written = expression(&mut numbers, 4);
        // What PCRE2 refuses proves nothing here; nor does a reference in a look-behind, which is
        // of no known length to us, nor both kinds of `$`, of which one is written anew for PCRE.
        let both = written.contains('$') && written.contains("(?m");
        if both || refers_back(&written) || pcre(written.as_bytes()).is_err() {
            continue;
        }
        let pair = Pair::new(written.as_bytes());
        expressions += 1;
        backtracking += usize::from(pair.ours.needs_backtracking());
        for _ in 0..VALUES {
            let value: Vec<u8> = (0..numbers.below(14)).map(|_| *numbers.one_of(BYTES)).collect();
            match pair.compare(&value) {
                Compared::Same => matches += usize::from(pair.theirs.is_match(&value).unwrap()),
                Compared::Cut => cuts += 1,
                Compared::Different(told) => differences.push(told),
            }
        }
    }
    assert!(matches > EXPRESSIONS * VALUES / 8, "{matches}");
    assert!(backtracking > EXPRESSIONS / 8, "{backtracking}");
    assert!(cuts < EXPRESSIONS * VALUES / 1000, "{cuts}");
    differences.sort_by_key(String::len);
    none_differs(differences);
}

fn refers_back(written: &str) -> bool {
    let behind = written.split("(?<").skip(1);
    behind.into_iter().any(|inside| {
        let inside = inside.split(')').next().unwrap_or_default();
        inside.contains(r"\1") || inside.contains(r"\2")
    })
}

fn expression(numbers: &mut Numbers, depth: usize) -> String {
    let branches = 1 + numbers.below(5) / 3;
    let branches: Vec<String> = (0..branches).map(|_| branch(numbers, depth)).collect();
    branches.join("|")
}

fn branch(numbers: &mut Numbers, depth: usize) -> String {
    (0..numbers.below(4)).map(|_| piece(numbers, depth)).collect()
}

fn piece(numbers: &mut Numbers, depth: usize) -> String {
    const QUANTIFIERS: &[&str] =
        &["*", "+", "?", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,2}", "{0,2}?", "{1,}+"];
    let atom = atom(numbers, depth);
    let assertion = ["^", "$", r"\b", r"\B", r"\A", r"\z", r"\Z"].contains(&atom.as_str());
    if assertion || numbers.below(5) < 3 {
        return atom;
    }
    format!("{atom}{}", numbers.one_of(QUANTIFIERS))
}

fn atom(numbers: &mut Numbers, depth: usize) -> String {
    const ATOMS: &[&str] = &[
        "a", "b", "c", "a", "b", ".", "[ab]", "[^a]", r"\w", r"\W", r"\s", "[b-]", r"\x80", r"\n",
        r"\R", "^", "$", r"\b", r"\B", r"\Z", r"\A", r"\z",
    ];
    const GROUPS: &[&str] = &[
        "(", "(", "(", "(?:", "(?:", "(?>", "(?=", "(?!", "(?i:", "(?m:", "(?s-i:", "(?<=", "(?<!",
    ];
    match numbers.below(8) {
        0 if depth < 3 => format!("\\{}", 1 + numbers.below(2)),
        0..=3 if depth > 0 => {
            let opening = numbers.one_of(GROUPS);
            let inside = match *opening {
                "(?<=" | "(?<!" => branch(numbers, 0),
                _ => expression(numbers, depth - 1),
            };
            format!("{opening}{inside})")
        }
        _ => (*numbers.one_of(ATOMS)).to_owned(),
    }
}
