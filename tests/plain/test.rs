//! A link's test over one text, and what only the world outside can answer.

use moongate::detection::operators::{Argument, Kind, Matcher, Question, Scope};
use moongate::detection::pattern::Captures;
use moongate::detection::{Deed, Link, Test};

use super::evaluator::Run;

/// Answers that are kept for one exchange.
const MOST_ANSWERS: usize = 32;

/// What the world outside says: no to what begins with `no`.
pub fn oracle(question: &Question) -> bool {
    match question {
        Question::Resolves(name) => !name.starts_with("no"),
        Question::Script { value, .. } => !value.starts_with(b"no"),
    }
}

impl Run<'_> {
    /// What was captured, if the link matches, negation included.
    pub fn test(&mut self, link: &Link, text: &[u8]) -> Option<Captures> {
        let found = match &link.test {
            Test::Always => true,
            Test::Never => false,
            Test::Compares { matches, argument, .. } => matches(&self.expand(argument), text),
            Test::Compiled(matcher) => return self.ask_operator(&**matcher, link, text),
            Test::Later { operator, argument, .. } => {
                let Kind::Compiled(compile) = operator.kind else { unreachable!("it is compiled") };
                // An argument that cannot be compiled neither matches nor fails to match.
                let matcher = compile(&Argument::alone(&self.expand(argument))).ok()?;
                return self.ask_operator(&*matcher, link, text);
            }
        };
        (found != link.negated).then(Captures::default)
    }

    fn ask_operator(
        &mut self,
        matcher: &dyn Matcher,
        link: &Link,
        text: &[u8],
    ) -> Option<Captures> {
        loop {
            let mut captures = Captures::default();
            let mut scope = Scope {
                captures: link.capture.then_some(&mut captures),
                answers: &self.state.answers,
                ..Scope::default()
            };
            let found = matcher.matches(text, &mut scope);
            let Scope { question, geo, cuts, .. } = scope;
            self.state.cuts += cuts;
            if let Some(geo) = geo {
                self.state.geo = geo;
            }
            let Some(question) = question else {
                return (found != link.negated).then_some(captures);
            };
            // A name that is not asked for is not listed; a script that is not asked might have
            // found something.
            let unasked = matches!(question, Question::Script { .. });
            if !self.ask(question) {
                return unasked.then(Captures::default);
            }
        }
    }

    /// The scripts that a match starts.
    pub fn run_scripts(&mut self, deeds: &[Deed], value: &[u8]) {
        for deed in deeds {
            if let Deed::Run(path) = deed {
                let (path, value) = (path.to_string(), value.to_vec());
                self.ask(Question::Script { path, value, judges: false });
            }
        }
    }

    /// Whether the question is answered, now or before.
    fn ask(&mut self, question: Question) -> bool {
        let state = &mut self.state;
        let known = state.answers.iter().any(|(known, _)| *known == question);
        if !known && state.answers.len() < MOST_ANSWERS {
            state.asked.push(question.clone());
            let answer = oracle(&question);
            state.answers.push((question, answer));
            return true;
        }
        known
    }
}
