//! What rules of a phase see: members of variables, each read once, by lists of targets.

use std::cell::RefCell;

use super::super::variables::Variable;
use super::select::Chosen;
use super::sweep::Todo;
use super::texts::{Keep, TextId, Texts};
use super::transform::Made;
use crate::transaction::RulePhase;

/// One value that a rule can look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The variable it belongs to.
    pub variable: Variable,
    /// Whether the value is a count of members.
    pub count: bool,
    /// Its name in the collection; none: the variable has no members.
    pub name: Option<TextId>,
    /// Its value.
    pub value: TextId,
}

/// What rules of a phase see.
#[derive(Debug, Default)]
pub struct Sight {
    phase: Texts,
    link: Texts,
    rule: Texts,
    /// Members that stay as they are for the phase, variable after variable.
    pub members: Vec<Member>,
    /// By variable: where its members are, once they were read.
    pub read: Vec<Option<(u32, u32)>>,
    /// By list of targets: what they choose.
    pub chosen: Chosen,
    /// What transformations made.
    pub made: Made,
    /// What is to run.
    pub todo: Todo,
    /// The values that the running link looks at.
    pub values: Vec<Member>,
    /// Work that was done to see and is not spent yet, as [`super::Budget`] counts it.
    pub spent: u64,
    /// Whether what is known is of the request; none: nothing is.
    side: Option<bool>,
}

/// Bytes that a worker keeps from one exchange for the next.
const MOST_SPARE: usize = 4 << 20;

thread_local! {
    static SPARE: RefCell<Option<Sight>> = const { RefCell::new(None) };
}

impl Sight {
    /// Nothing seen yet: a phase begins. What is known of texts stays, but from the request to the
    /// response, of which other things are asked.
    pub fn begin_phase(&mut self, phase: RulePhase) {
        if self.side.is_none() {
            *self = Self { spent: self.spent, ..Self::reused() };
        }
        let side = phase <= RulePhase::RequestBody;
        if self.side.replace(side) != Some(side) {
            self.forget_texts();
        }
        self.forget_values();
    }

    fn forget_texts(&mut self) {
        self.phase.clear();
        self.made.clear();
    }

    fn forget_values(&mut self) {
        self.members.clear();
        self.read.clear();
        self.chosen.clear();
        self.begin_rule();
    }

    /// One that a worker used before, with its memory, if there is one.
    fn reused() -> Self {
        SPARE.with_borrow_mut(Option::take).unwrap_or_default()
    }

    /// The exchange waits for its upstream: what was seen of the request is forgotten, and the
    /// memory, still in the processor's caches, serves others meanwhile.
    pub fn rest(&mut self) {
        let spent = self.spent;
        std::mem::take(self).give_back();
        self.spent = spent;
    }

    /// Gives its memory to who comes next, if there is some and it is not too much.
    pub fn give_back(mut self) {
        if self.side.is_some() && self.phase.held() + self.made.held() <= MOST_SPARE {
            self.forget_texts();
            self.forget_values();
            (self.side, self.spent) = (None, 0);
            SPARE.with_borrow_mut(|spare| *spare = Some(self));
        }
    }

    /// What was kept for the rule before is forgotten.
    pub fn begin_rule(&mut self) {
        self.rule.clear();
        self.begin_link();
    }

    /// What was kept for the link before is forgotten.
    pub fn begin_link(&mut self) {
        self.link.clear();
        self.values.clear();
    }

    /// A text by its number.
    pub fn text(&self, text: TextId) -> &[u8] {
        match text.keep() {
            Keep::Phase => self.phase.at(text.place()),
            Keep::Link => self.link.at(text.place()),
            Keep::Rule => self.rule.at(text.place()),
        }
    }

    /// One more text.
    pub fn add_text(&mut self, text: &[u8], keep: Keep) -> TextId {
        self.texts(keep).add(text, keep)
    }

    /// Bytes of what is kept for the phase.
    pub fn phase_size(&self) -> usize {
        self.phase.size()
    }

    /// The texts that are kept this long.
    pub fn texts(&mut self, keep: Keep) -> &mut Texts {
        match keep {
            Keep::Phase => &mut self.phase,
            Keep::Link => &mut self.link,
            Keep::Rule => &mut self.rule,
        }
    }

    /// The same text, kept at least as long as the rule.
    pub fn outlast_link(&mut self, text: TextId) -> TextId {
        if text.keep() != Keep::Link {
            return text;
        }
        let bytes = self.link.at(text.place());
        self.rule.push(bytes, Keep::Rule)
    }

    /// A member's name as rules and logs say it: `ARGS:q`, `REQUEST_URI`, `&ARGS`.
    pub fn write_name(&self, member: &Member, out: &mut Vec<u8>) {
        if member.count {
            out.push(b'&');
        }
        out.extend_from_slice(member.variable.spec().name.as_bytes());
        if let Some(name) = member.name {
            out.push(b':');
            out.extend_from_slice(self.text(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_that_waits_lends_its_memory_and_keeps_its_debt() {
        let (mut waits, mut judged) = (Sight::default(), Sight::default());
        waits.begin_phase(RulePhase::RequestHeaders);
        waits.add_text(b"of the request", Keep::Phase);
        let held = waits.phase.held();
        waits.spent = 7;
        waits.rest();
        assert_eq!((waits.phase.held(), waits.spent), (0, 7));
        judged.begin_phase(RulePhase::RequestHeaders);
        assert_eq!((judged.phase.held(), judged.phase_size(), judged.spent), (held, 0, 0));
        waits.begin_phase(RulePhase::ResponseHeaders);
        assert_eq!((waits.phase.held(), waits.spent), (0, 7), "it is lent to one at a time");
    }
}
