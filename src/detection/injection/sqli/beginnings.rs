//! Beginnings of no injection: most text is told from its first two or three tokens.
//!
//! No fingerprint begins with two barewords, and two barewords stay what they are whatever follows,
//! but for a few names: so `lorem zebra…` need not be read on. The same holds for the others here.
//! A test folds what may follow them.

use super::rules;
use super::token::{Kind, Token};
use super::words;
use Kind::{Bareword, Colon, Function, LeftParen, Number, Text, Variable};

/// Whether no value that folds to these first tokens is an injection, whatever follows, but for
/// what turns it [evil](super::tokenizer::Tokenizer::may_turn_evil). The last two were found to be
/// no one token.
pub fn lead_nowhere(tokens: &[Token<'_>]) -> bool {
    match tokens {
        [first, second] => match (first.kind, second.kind) {
            (Bareword | Function | Text | Variable, Bareword) => stays(second),
            (Bareword | Function | Number | Text | Variable, Colon)
            | (Bareword, LeftParen)
            | (Number, Number) => true,
            _ => false,
        },
        [first, second, third] => match (first.kind, second.kind, third.kind) {
            (Number, Bareword, Bareword) | (Bareword, Number, Bareword) => stays(third),
            (Number, Bareword, Number) | (Bareword, Number, Number) => true,
            _ => false,
        },
        _ => false,
    }
}

/// Whether a bareword is one whatever follows: it begins no phrase, and is no function's name.
fn stays(word: &Token<'_>) -> bool {
    !words::may_begin_phrase(word.text) && !rules::is_name_or_function(word)
}

#[cfg(test)]
mod tests {
    use super::super::fingerprints::Fingerprint;
    use super::super::folding::{self, Folding};
    use super::super::tokenizer::{Dialect, Tokenizer};

    const BEGINNINGS: [&str; 19] = [
        "lorem zebra",
        "left zebra",
        "'a' zebra",
        "@a zebra",
        "`a` [b]",
        "lorem:",
        "left:",
        "1:",
        "'a':",
        "@a:",
        "lorem(",
        "1 1",
        "1 lorem zebra",
        "1 lorem 1",
        "lorem 1 zebra",
        "lorem 1 1",
        "zebra=1 lorem",
        "- 1 1",
        "(lorem::int zebra",
    ];
    /// Of each kind at least one.
    const TOKENS: [&str; 46] = [
        "\\",
        "lorem",
        "user",
        "group",
        "by",
        "in",
        "boolean",
        "``",
        "collate",
        "a_b",
        ":",
        ",",
        "#",
        "--",
        "--\n",
        "/**/",
        ".",
        "select",
        "case",
        "left",
        "if",
        "having",
        "limit",
        "into outfile",
        "from",
        "like",
        "not",
        "{",
        "(",
        "and",
        "or",
        "1",
        "+",
        "*",
        "::",
        "=",
        "}",
        ")",
        ";",
        "'a'",
        "\"a",
        "drop",
        "int",
        "union",
        "?",
        "@a",
    ];

    #[test]
    fn nothing_makes_an_injection_of_what_leads_nowhere() {
        for beginning in BEGINNINGS {
            let mut told = 0;
            for [a, b, c, d] in sequences() {
                let value = format!("{beginning} {a} {b} {c}{d}");
                told += check(value.as_bytes());
            }
            assert!(told > 0, "{beginning} is read on whatever follows");
        }
    }

    /// Every two tokens, and others behind them.
    fn sequences() -> impl Iterator<Item = [&'static str; 4]> {
        let nth = |number: usize| TOKENS.get(number % TOKENS.len()).copied().unwrap_or_default();
        let number = TOKENS.len();
        (0..number * number)
            .map(move |at| [nth(at / number), nth(at), nth(at * 7 + at / number), nth(at * 11)])
    }

    /// How many readings of it end early; each would have found nothing.
    fn check(value: &[u8]) -> usize {
        let dialects = [Dialect::Ansi, Dialect::MySql];
        dialects
            .into_iter()
            .filter(|dialect| {
                let mut tokenizer = Tokenizer::new(value, None, *dialect);
                let first = folding::first(&mut tokenizer).expect("it begins with one");
                let folding = || Folding::new(first, tokenizer);
                let early = folding().run(super::lead_nowhere).leads_nowhere;
                let whole = folding().run(|_| false);
                let known = Fingerprint::of(whole.kinds()).is_known();
                assert!(!(early && known), "{}", value.escape_ascii());
                early
            })
            .count()
    }
}
