//! The rules of folding: which tokens, side by side, are as good as fewer.
//!
//! The rules and their order are libinjection's: an earlier one hides a later one.

use super::fingerprints::LENGTH;
use super::token::{Kind, LONGEST, Token};
use super::words;
use Kind::{
    Backslash, Bareword, Collate, Comma, Dot, Expression, Function, Group, Keyword, LeftBrace,
    LeftParen, Logic, Number, Operator, RightBrace, RightParen, Semicolon, Text, Tsql, Type,
    Variable,
};

/// The tokens that are folded: those of a fingerprint, and one more.
type Tokens<'a> = [Token<'a>; LENGTH + 1];

/// What two tokens come to.
pub enum Two {
    /// The window has so many tokens less.
    Fold {
        /// How many.
        tokens: usize,
        /// Where the window goes.
        then: Then,
    },
    /// Nothing is folded yet.
    Keep,
    /// The same, and the window moves here before it looks at three.
    LookFrom(usize),
    /// A token became another: look at two again.
    Settled,
    /// No two databases read this alike.
    Unreadable,
}

/// What three tokens come to.
pub enum Three {
    /// There are so many tokens less.
    Fold(usize),
    /// The first stays as it is.
    Keep,
}

/// Where the window goes after a fold.
#[derive(Clone, Copy)]
pub enum Then {
    /// To the first token.
    Restart,
    /// It stays.
    Stay,
    /// One token back.
    StepBack,
}

/// Whether the first five tokens only go on with what the first said: `1,(1)` or `a)+(b`.
pub fn is_repetitive(tokens: &Tokens<'_>) -> bool {
    matches!(
        tokens.each_ref().map(|token| token.kind),
        [Number, Operator | Comma, LeftParen, Number, RightParen, _]
            | [Bareword, Operator, LeftParen, Bareword | Number, RightParen, _]
            | [Number, RightParen, Comma, LeftParen, Number, _]
            | [Bareword, RightParen, Operator, LeftParen, Bareword, _]
    )
}

/// Looks at the two tokens from `left` on.
pub fn two(tokens: &mut Tokens<'_>, left: usize) -> Two {
    let Some([first, second, ..]) = tokens.get_mut(left..) else { return Two::Keep };
    match (first.kind, second.kind) {
        (Text, Text) | (Semicolon, Semicolon) => Two::Fold { tokens: 1, then: Then::Stay },
        (Operator | Logic, Type) => RESTART,
        (Operator | Logic, _) if second.is_unary() => RESTART,
        (LeftParen, _) if second.is_unary() => Two::Fold { tokens: 1, then: Then::StepBack },
        _ => match phrase(first, second) {
            Some(phrase) => {
                *first = phrase;
                Two::Fold { tokens: 1, then: Then::StepBack }
            }
            None => two_words(first, second),
        },
    }
}

const RESTART: Two = Two::Fold { tokens: 1, then: Then::Restart };

/// Two words that are one, as `UNION ALL`.
fn phrase<'a>(first: &Token<'a>, second: &Token<'a>) -> Option<Token<'a>> {
    let length = first.text.len() + second.text.len() + 1;
    let may_be = begins_phrase(first.kind)
        && ends_phrase(second.kind)
        && length <= LONGEST
        && words::may_begin_phrase(first.text);
    if !may_be {
        return None;
    }
    let mut text = [b' '; LONGEST];
    let (head, tail) = text.split_at_mut_checked(first.text.len())?;
    head.copy_from_slice(first.text);
    tail.get_mut(1..=second.text.len())?.copy_from_slice(second.text);
    let word = words::find(text.get(..length)?)?;
    Some(Token { text: word.text, kind: word.kind, ..*first })
}

fn begins_phrase(kind: Kind) -> bool {
    matches!(
        kind,
        Keyword | Bareword | Operator | Kind::Union | Function | Expression | Tsql | Type
    )
}

fn ends_phrase(kind: Kind) -> bool {
    begins_phrase(kind) || kind == Logic
}

/// Words that are something else beside this token.
fn two_words<'a>(first: &mut Token<'a>, second: &mut Token<'a>) -> Two {
    match (first.kind, second.kind) {
        // In T-SQL `IF` begins a statement.
        (Semicolon, Function) if begins_with_if(second) => {
            second.kind = Tsql;
            Two::Settled
        }
        (Bareword | Variable, LeftParen) if is_name_or_function(first) => {
            first.kind = Function;
            Two::Settled
        }
        (Keyword, next) if first.is("IN") || first.is("NOT IN") => {
            first.kind = if next == LeftParen { Operator } else { Bareword };
            Two::Settled
        }
        (Operator, next) if first.is("LIKE") || first.is("NOT LIKE") => {
            if next == LeftParen {
                first.kind = Function;
            }
            Two::Keep
        }
        // There are too many collations to know them: an underscore tells.
        (Collate, Bareword) if has_underscore(second) => {
            second.kind = Type;
            Two::LookFrom(0)
        }
        (Collate, Bareword) => Two::Keep,
        _ => two_signs(first, second),
    }
}

/// What is left out beside this token.
fn two_signs<'a>(first: &mut Token<'a>, second: &Token<'a>) -> Two {
    match (first.kind, second.kind) {
        // T-SQL reads `\%1` as `0 % 1`.
        (Backslash, _) if second.is_arithmetic() => {
            first.kind = Number;
            Two::Fold { tokens: 0, then: Then::Restart }
        }
        (Type, Bareword | Number | Type | LeftParen | Function | Variable | Text)
        | (Backslash, _) => {
            *first = *second;
            RESTART
        }
        (LeftParen, LeftParen) | (RightParen, RightParen) | (_, RightBrace) => RESTART,
        // MySQL takes ``{``.``.id}``, but not without the braces.
        (LeftBrace, Bareword) if second.text.is_empty() => Two::Unreadable,
        // ODBC's `{name expression}` is the expression.
        (LeftBrace, Bareword) => Two::Fold { tokens: 2, then: Then::Restart },
        _ => Two::Keep,
    }
}

/// Looks at the three tokens from `left` on.
pub fn three(tokens: &mut Tokens<'_>, left: usize) -> Three {
    let Some([first, second, third, ..]) = tokens.get_mut(left..) else { return Three::Keep };
    let unary = second.is_unary();
    match (first.kind, second.kind, third.kind) {
        (Bareword | Number, Operator, Bareword | Number)
        | (Variable, Operator, Variable | Number | Bareword)
        | (Logic, _, Logic)
        | (Bareword | Number | Text | Variable, Comma, Bareword | Number | Text | Variable)
        | (Bareword, Dot, Bareword) => Three::Fold(2),
        (Operator, middle, Operator) if middle != LeftParen => Three::Fold(2),
        (Bareword | Number | Text | Variable, Operator, Type) if second.text == b"::" => {
            Three::Fold(2)
        }
        (Comma, _, Number | Bareword | Variable | Text) if unary => Three::Fold(3),
        (Comma, _, LeftParen | Function)
        | (Expression | Group, _, LeftParen)
        | (Keyword | Expression | Group, _, Number | Bareword | Variable | Text | Function)
            if unary =>
        {
            *second = *third;
            Three::Fold(1)
        }
        (Expression, Dot, Bareword) => {
            *second = *third;
            Three::Fold(1)
        }
        // `USER()` takes no argument: with one it is some other's.
        (Function, LeftParen, last) if last != RightParen && first.is("USER") => {
            first.kind = Bareword;
            Three::Keep
        }
        _ => Three::Keep,
    }
}

fn begins_with_if(token: &Token<'_>) -> bool {
    token.text.get(..2).is_some_and(|text| text.eq_ignore_ascii_case(b"IF"))
}

fn has_underscore(token: &Token<'_>) -> bool {
    token.text.iter().take_while(|&&byte| byte != 0).any(|&byte| byte == b'_')
}

/// Names of columns as well as of functions, so that a parenthesis decides.
pub fn is_name_or_function(token: &Token<'_>) -> bool {
    const NAMES: [&str; 11] = [
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "CURRENT_USER",
        "DATABASE",
        "LOCALTIME",
        "LOCALTIMESTAMP",
        "PASSWORD",
        "USER",
        "USER_ID",
        "USER_NAME",
    ];
    NAMES.iter().any(|name| token.is(name))
}
