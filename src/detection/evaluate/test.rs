//! A link's test over one value.

use super::super::operators::{Matcher, Question, Scope};
use super::super::pattern::{Captures, counting_steps};
use super::super::plan::{Link, Rule, Test};
use super::state::State;
use super::texts::TextId;
use super::{Run, expand, later};
use crate::shared::Tables;

/// What came of a test.
pub enum Tested {
    /// It cannot tell without an answer from outside.
    Ask(Question),
    /// The rule does not match this value.
    No,
    /// It does.
    Yes,
}

impl Run<'_> {
    /// Whether a link matches a value, negation included.
    pub(super) fn test(&mut self, rule: &Rule, link: &Link, text: TextId) -> Tested {
        // What a test before this one captured is not this one's.
        if link.capture {
            self.state.captures.clear();
        }
        let found = match &link.test {
            Test::Always => true,
            Test::Never => false,
            Test::Compares { matches, argument, .. } => {
                let argument = expand(self, rule, argument);
                matches(&argument, self.state.sight.text(text))
            }
            Test::Compiled(matcher) => {
                return self.state.run(&**matcher, self.view.tables, link, text);
            }
            Test::Later { operator, argument, .. } => {
                let argument = expand(self, rule, argument);
                // An argument that cannot be compiled neither matches nor fails to match.
                return match later::matcher(operator, &argument) {
                    Some(matcher) => self.state.run(&*matcher, self.view.tables, link, text),
                    None => Tested::No,
                };
            }
        };
        verdict(found, link)
    }
}

impl State {
    fn run(&mut self, matcher: &dyn Matcher, tables: &Tables, link: &Link, text: TextId) -> Tested {
        let Self { sight, captures, answers, .. } = self;
        if link.capture {
            *captures = Captures::default();
        }
        let mut scope = Scope {
            captures: link.capture.then_some(captures),
            answers,
            tables: Some(tables),
            question: None,
            geo: None,
            cuts: 0,
        };
        let (found, steps) = counting_steps(|| matcher.matches(sight.text(text), &mut scope));
        let Scope { question, geo, cuts, .. } = scope;
        self.cuts = self.cuts.saturating_add(cuts);
        // The search was made: if that was too much, the rule looks at no more.
        self.budget.spend(steps);
        if let Some(geo) = geo {
            self.geo = geo;
        }
        question.map_or_else(|| verdict(found, link), Tested::Ask)
    }
}

fn verdict(found: bool, link: &Link) -> Tested {
    if found == link.negated { Tested::No } else { Tested::Yes }
}
