//! What differs from route to route over one plan.

use std::sync::{Arc, OnceLock};

use super::compile::{Choice, Expression, Lookup, resolve, split};
use super::evaluate::Opening;
use super::operators::Fault;
use super::pattern::{Case, Pattern};
use super::{Plan, Rule, RuleIndex, Target, Text, TxSlot};
use crate::config::{Engine, RuleBudget};

/// A plan as one route uses it.
#[derive(Debug)]
pub struct Profile {
    /// The rules.
    pub plan: Arc<Plan>,
    /// What is done with what they find.
    pub engine: Engine,
    /// Members of `TX` that the YAML file sets (paranoia levels, thresholds): they are there before
    /// the first rule, and no rule changes them.
    pub pinned: Vec<(TxSlot, Vec<u8>)>,
    /// Rules that do not run, sorted.
    pub removed: Vec<RuleIndex>,
    /// Rules that do not look at something, sorted by rule.
    pub removed_targets: Vec<(RuleIndex, Target)>,
    /// What judging one exchange may cost.
    pub budget: RuleBudget,
    /// What its first rules do in every exchange; found when the first asks.
    pub(super) opening: OnceLock<Opening>,
}

/// What a route leaves out of its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    /// Which rules.
    pub which: Which,
    /// What they do not look at, as a rule would write it (`ARGS:password`, `REQUEST_COOKIES:/^_ga/`);
    /// none: they do not run.
    pub target: Option<String>,
}

/// Which rules an [`Exclusion`] speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Ids and ranges of ids, both ends included.
    Ids(Vec<(u64, u64)>),
    /// A regular expression on the message.
    Message(String),
    /// A regular expression on each tag.
    Tag(String),
}

/// What is wrong with a preset or an exclusion of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Its place among the exclusions; none: it is a preset.
    pub exclusion: Option<usize>,
    /// Whether the profile cannot be used; else it is a warning.
    pub fault: bool,
    /// Lower case, the thing at fault in backticks.
    pub message: String,
    /// The next step.
    pub help: Option<String>,
}

impl Profile {
    /// A profile with nothing left out.
    pub fn plain(plan: Arc<Plan>, engine: Engine) -> Self {
        let budget = RuleBudget::default();
        let opening = OnceLock::new();
        let (pinned, removed, removed_targets) = (vec![], vec![], vec![]);
        Self { plan, engine, pinned, removed, removed_targets, budget, opening }
    }

    /// A profile with members of `TX` set (by name, in any case), and with exclusions. What is
    /// wrong with these comes beside it; with a fault among the complaints, the profile is not to
    /// be used.
    pub fn new(
        plan: Arc<Plan>,
        engine: Engine,
        presets: &[(String, String)],
        exclusions: &[Exclusion],
    ) -> (Self, Vec<Complaint>) {
        let mut profile = Self::plain(plan, engine);
        let mut complaints = Vec::new();
        for (name, value) in presets {
            complaints.extend(profile.pin(name, value));
        }
        for (at, exclusion) in exclusions.iter().enumerate() {
            let told = profile.exclude(exclusion);
            complaints.extend(told.map(|told| Complaint { exclusion: Some(at), ..told }));
        }
        profile.removed.sort_unstable();
        profile.removed.dedup();
        profile.removed_targets.sort_by_key(|(rule, _)| *rule);
        (profile, complaints)
    }

    /// What a rule does not look at.
    pub(super) fn targets_removed_from(&self, rule: RuleIndex) -> impl Iterator<Item = &Target> {
        let from = self.removed_targets.partition_point(|(before, _)| *before < rule);
        let rest = self.removed_targets.get(from..).unwrap_or_default();
        rest.iter().take_while(move |(same, _)| *same == rule).map(|(_, target)| target)
    }

    fn pin(&mut self, name: &str, value: &str) -> Option<Complaint> {
        match self.plan.tx_slot(name.to_ascii_lowercase().as_bytes()) {
            Some(slot) => {
                self.pinned.push((slot, value.into()));
                None
            }
            None => Some(Complaint::warning(format!("no rule knows `tx.{name}`"))),
        }
    }

    /// Leaves out what an exclusion says, and says what of it means nothing.
    fn exclude(&mut self, exclusion: &Exclusion) -> impl Iterator<Item = Complaint> + use<> {
        let target = exclusion.target.as_deref().map(|text| target(&self.plan, text)).transpose();
        let target = match target {
            Ok(target) => target,
            Err(complaint) => return vec![complaint].into_iter(),
        };
        let mut complaints = Vec::new();
        for choice in exclusion.which.choice().parts() {
            let rules = rules(&self.plan, &choice);
            if rules.is_empty() {
                complaints.push(Complaint::warning(format!("no rule has {}", choice.words())));
            }
            match &target {
                None => self.removed.extend(rules),
                Some(target) => {
                    let pairs = rules.into_iter().map(|rule| (rule, target.clone()));
                    self.removed_targets.extend(pairs);
                }
            }
        }
        complaints.into_iter()
    }
}

impl Which {
    fn choice(&self) -> Choice {
        match self {
            Self::Ids(ranges) => Choice::Ids(ranges.clone()),
            Self::Message(written) => Choice::Message(Expression::new(written.as_bytes())),
            Self::Tag(written) => Choice::Tag(Expression::new(written.as_bytes())),
        }
    }
}

impl Complaint {
    fn warning(message: String) -> Self {
        Self { exclusion: None, fault: false, message, help: None }
    }
}

fn rules(plan: &Plan, choice: &Choice) -> Vec<RuleIndex> {
    let numbered = (0..).map(RuleIndex).zip(&plan.rules);
    numbered.filter(|(_, rule)| is_meant(choice, rule)).map(|(index, _)| index).collect()
}

/// Macros in tags and messages stand for nothing here.
fn is_meant(choice: &Choice, rule: &Rule) -> bool {
    let tags: Vec<Vec<u8>> = rule.about.tags.iter().map(Text::fixed_parts).collect();
    let message = rule.about.message.as_ref().map(Text::fixed_parts).unwrap_or_default();
    choice.has(rule.id, tags.iter().map(Vec::as_slice), &message)
}

/// A target as rules write it, such as `ARGS:password`.
pub(super) fn target(plan: &Plan, text: &str) -> Result<Target, Complaint> {
    let (name, chosen) = split(text.as_bytes());
    resolve(name, chosen, false, &mut Names(plan)).map_err(|fault| Complaint {
        fault: true,
        help: fault.help,
        ..Complaint::warning(fault.message)
    })
}

/// The names that a plan has.
struct Names<'a>(&'a Plan);

impl Lookup for Names<'_> {
    fn tx_slot(&mut self, name: Vec<u8>) -> Option<TxSlot> {
        self.0.tx_slot(&name)
    }

    fn pattern(&mut self, written: &[u8]) -> Result<Arc<Pattern>, Fault> {
        Pattern::new(written, Case::Folds).map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Complaint, Exclusion, Profile, Which};
    use crate::config::{DiskFiles, Engine};
    use crate::detection::{Members, Plan, RuleIndex, compile};
    use crate::seclang;

    fn plan() -> Arc<Plan> {
        let text = b"SecAction \"id:1,phase:1,tag:a,msg:'one %{TX.1}'\"\n\
            SecAction \"id:2,phase:1,tag:a,tag:b,setvar:tx.own=1\"\n\
            SecRule ARGS \"@streq x\" \"id:3,phase:2,tag:c\"";
        let source = seclang::source("a.conf", text);
        let (directives, _) = seclang::parse(&source, text);
        Arc::new(compile(&directives, &DiskFiles).plan.expect("no fault"))
    }

    fn made(which: Which, target: Option<&str>) -> (Profile, Vec<Complaint>) {
        let exclusion = Exclusion { which, target: target.map(str::to_owned) };
        Profile::new(plan(), Engine::On, &[], &[exclusion])
    }

    #[test]
    fn rules_are_left_out_by_id_tag_and_message() {
        let cases: [(Which, &[u32]); 5] = [
            (Which::Ids(vec![(2, 9), (1, 1)]), &[0, 1, 2]),
            (Which::Ids(vec![(3, 3)]), &[2]),
            (Which::Tag("^a$".to_owned()), &[0, 1]),
            (Which::Tag("b".to_owned()), &[1]),
            (Which::Message("^one".to_owned()), &[0]),
        ];
        for (which, indices) in cases {
            let (profile, complaints) = made(which.clone(), None);
            let removed: Vec<_> = indices.iter().copied().map(RuleIndex).collect();
            assert_eq!((profile.removed, complaints), (removed, vec![]), "{which:?}");
        }
    }

    #[test]
    fn targets_are_left_out_of_rules() {
        let (profile, complaints) = made(Which::Ids(vec![(1, 3)]), Some("ARGS:/^a|b$/"));
        assert!(complaints.is_empty() && profile.removed.is_empty());
        let rules: Vec<_> = profile.removed_targets.iter().map(|(rule, _)| rule.0).collect();
        assert_eq!(rules, [0, 1, 2]);
        let (_, target) = &profile.removed_targets[0];
        assert!(matches!(&target.members, Members::Matching(by) if *by.written == *b"^a|b$"));
    }

    #[test]
    fn an_exclusion_that_means_nothing_is_told() {
        let (_, complaints) = made(Which::Ids(vec![(1, 1), (7, 7), (8, 9)]), None);
        let told: Vec<_> =
            complaints.iter().map(|told| (told.fault, told.message.as_str())).collect();
        let expected =
            [(false, "no rule has the id `7`"), (false, "no rule has an id from `8` to `9`")];
        assert_eq!(told, expected);
        assert!(complaints.iter().all(|told| told.exclusion == Some(0)));
    }

    #[test]
    fn a_target_that_is_none_is_a_fault() {
        for target in ["ARGZ:a", "ARGS:/(/", "REQUEST_URI:a"] {
            let (_, complaints) = made(Which::Ids(vec![(1, 1)]), Some(target));
            assert!(complaints.len() == 1 && complaints[0].fault, "{target}: {complaints:?}");
        }
    }

    #[test]
    fn presets_go_to_known_members() {
        let preset = |name: &str| (name.to_owned(), "4".to_owned());
        let presets = [preset("Own"), preset("paranoia_level"), preset("unknown")];
        let (profile, complaints) = Profile::new(plan(), Engine::On, &presets, &[]);
        let slot = profile.plan.tx_slot(b"own").expect("set by a rule");
        assert_eq!(profile.pinned.len(), 2);
        assert_eq!(profile.pinned[0], (slot, b"4".to_vec()));
        assert_eq!(complaints[0].message, "no rule knows `tx.unknown`");
        assert_eq!(complaints[0].exclusion, None);
    }
}
