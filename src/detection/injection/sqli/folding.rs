//! Folds tokens until five are left that cannot be said more briefly: what is folded away makes no
//! difference to a database, so it must make none here.

use super::beginnings;
use super::fingerprints::LENGTH;
use super::rules::{self, Then, Three, Two};
use super::token::{Kind, Token};
use super::tokenizer::Tokenizer;

/// A value's tokens after folding.
pub struct Folded<'a> {
    tokens: [Token<'a>; LENGTH],
    count: usize,
    /// How many tokens were read from the value.
    pub seen: u32,
    /// Whether something in it, as far as it was read, is read differently in MySQL's dialect.
    pub differs_in_mysql: bool,
    /// Whether reading ended early: the first tokens are those of no injection, in any dialect.
    pub leads_nowhere: bool,
}

/// A window goes over the tokens; what does not fold is left behind it.
pub(super) struct Folding<'a> {
    tokenizer: Tokenizer<'a>,
    /// One more than a fingerprint has: the sixth can decide what the fifth is.
    tokens: [Token<'a>; LENGTH + 1],
    /// How many tokens there are.
    count: usize,
    /// Where the window begins.
    left: usize,
    /// Whether the value may have more tokens.
    more: bool,
    /// The comment that the value ends with, as far as it is read.
    comment: Option<Token<'a>>,
    leads_nowhere: bool,
}

/// The first token of a value that means something: what only opens the way to it is left out.
pub fn first<'a>(tokenizer: &mut Tokenizer<'a>) -> Option<Token<'a>> {
    loop {
        let token = tokenizer.next()?;
        let opens = matches!(token.kind, Kind::Comment | Kind::LeftParen | Kind::Type);
        if !opens && !token.is_unary() {
            return Some(token);
        }
    }
}

impl<'a> Folded<'a> {
    /// Of the [first](first) token of a value and those behind it, as far as they matter.
    pub fn new(first: Token<'a>, tokenizer: Tokenizer<'a>) -> Self {
        Folding::new(first, tokenizer).run(beginnings::lead_nowhere)
    }

    /// What the tokens are, in order.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> {
        self.tokens().iter().map(|token| token.kind)
    }

    /// The tokens, in order: at most [`LENGTH`].
    pub fn tokens(&self) -> &[Token<'a>] {
        self.tokens.get(..self.count).unwrap_or_default()
    }
}

impl<'a> Folding<'a> {
    pub(super) fn new(first: Token<'a>, tokenizer: Tokenizer<'a>) -> Self {
        let none = Token::default();
        Self {
            tokenizer,
            tokens: [first, none, none, none, none, none],
            count: 1,
            left: 0,
            more: true,
            comment: None,
            leads_nowhere: false,
        }
    }

    /// Folds all tokens, or stops where those that are settled `lead_nowhere`.
    pub(super) fn run(mut self, lead_nowhere: fn(&[Token<'_>]) -> bool) -> Folded<'a> {
        while self.goes_on() {
            if self.reach(2) && self.two() {
                if self.count == self.left + 2
                    && lead_nowhere(self.tokens.get(..self.count).unwrap_or_default())
                    && !self.tokenizer.may_turn_evil()
                {
                    self.leads_nowhere = true;
                    return self.finish();
                }
                if self.reach(3) {
                    self.three();
                }
            }
        }
        self.end_with_comment();
        let kept = self.tokens.iter().take(self.count.min(LENGTH));
        if kept.map(|token| token.kind).any(|kind| kind == Kind::Evil) {
            self.give_up();
        }
        self.finish()
    }

    fn goes_on(&mut self) -> bool {
        if self.count >= LENGTH && rules::is_repetitive(&self.tokens) {
            self.begin_again();
        }
        self.more && self.left < LENGTH
    }

    /// Folds what two tokens allow, and whether three are to be looked at.
    fn two(&mut self) -> bool {
        match rules::two(&mut self.tokens, self.left) {
            Two::Keep => return true,
            Two::LookFrom(left) => {
                self.left = left;
                return true;
            }
            Two::Fold { tokens, then } => self.fold(tokens, then),
            Two::Settled => {}
            Two::Unreadable => self.give_up(),
        }
        false
    }

    fn three(&mut self) {
        match rules::three(&mut self.tokens, self.left) {
            Three::Keep => self.left += 1,
            Three::Fold(tokens) => self.fold(tokens, Then::Restart),
        }
    }

    /// `1+(1)+(1)+…`: all that was read so far is as good as its first token.
    fn begin_again(&mut self) {
        if let [_, second, _, _, _, sixth] = &mut self.tokens
            && self.count > LENGTH
        {
            *second = *sixth;
            self.count = 2;
        } else {
            self.count = 1;
        }
        self.left = 0;
    }

    /// Reads until the window has `wanted` tokens, and whether it has; if not, the end is reached.
    fn reach(&mut self, wanted: usize) -> bool {
        while self.more && self.count <= LENGTH && self.count - self.left < wanted {
            match self.tokenizer.next() {
                None => self.more = false,
                Some(token) if token.kind == Kind::Comment => self.comment = Some(token),
                Some(token) => {
                    self.comment = None;
                    self.push(token);
                }
            }
        }
        let reached = self.count - self.left >= wanted;
        if !reached {
            self.left = self.count;
        }
        reached
    }

    fn push(&mut self, token: Token<'a>) {
        if let Some(slot) = self.tokens.get_mut(self.count) {
            *slot = token;
            self.count += 1;
        }
    }

    fn fold(&mut self, tokens: usize, then: Then) {
        self.count -= tokens;
        self.left = match then {
            Then::Stay => self.left,
            Then::StepBack => self.left.saturating_sub(1),
            Then::Restart => 0,
        };
    }

    /// What cannot be read makes the rest meaningless.
    fn give_up(&mut self) {
        self.more = false;
        self.count = 0;
        self.push(Token::new(Kind::Evil, b""));
    }

    fn end_with_comment(&mut self) {
        if self.count < LENGTH
            && let Some(comment) = self.comment
        {
            self.push(comment);
        }
    }

    fn finish(self) -> Folded<'a> {
        let [first, second, third, fourth, fifth, _] = self.tokens;
        let mut tokens = [first, second, third, fourth, fifth];
        let count = self.count.min(LENGTH);
        // PHP takes a lone tick at the end for the beginning of a comment.
        if count > 2
            && let Some(last) = tokens.get_mut(count - 1)
            && last.kind == Kind::Bareword
            && last.open == Some(b'`')
            && last.close.is_none()
            && last.text.is_empty()
        {
            last.kind = Kind::Comment;
        }
        let Tokenizer { seen, differs_in_mysql, .. } = self.tokenizer;
        Folded { tokens, count, seen, differs_in_mysql, leads_nowhere: self.leads_nowhere }
    }
}
