//! From a target to the values that it chooses.

use moongate::detection::pattern::Found;
use moongate::detection::variables::Variable;
use moongate::detection::{Members, Target};

use super::evaluator::Run;
use super::state::Value;

impl Run<'_> {
    /// What a target chooses, without what is excluded; where it counts, how many these are.
    pub fn chosen(&self, target: &Target, excluded: &[&Target]) -> Vec<Value> {
        let whole = |other: &&Target| {
            other.variable == target.variable
                && (other.members == Members::All || other.members == target.members)
        };
        let mut values = self.of_variable(target);
        values.retain(|value| {
            !excluded.iter().any(|other| whole(other) || self.excludes(other, target, value))
        });
        if target.count { vec![self.count(target, values.len())] } else { values }
    }

    fn count(&self, target: &Target, number: usize) -> Value {
        let name = match &target.members {
            Members::Named(name) => Some(name.to_vec()),
            Members::Slot(slot) => Some(self.plan.tx_names[slot.0 as usize].to_vec()),
            Members::All | Members::Matching(_) | Members::Path(_) => None,
        };
        let text = number.to_string().into_bytes();
        Value { variable: target.variable, count: true, name, text }
    }

    fn of_variable(&self, target: &Target) -> Vec<Value> {
        if let Members::Path(path) = &target.members {
            let document = self.bodies.parsed.xml.as_ref();
            let texts = document.map(|document| document.select(path)).unwrap_or_default();
            return texts.into_iter().map(|text| value(Variable::Xml, None, text)).collect();
        }
        let by_full_name = matches!(
            target.variable,
            Variable::MatchedVar
                | Variable::MatchedVarName
                | Variable::MatchedVars
                | Variable::MatchedVarsNames
        );
        let mut values = self.read(target.variable);
        values.retain(|value| match (by_full_name, target.variable) {
            (true, Variable::MatchedVarName | Variable::MatchedVarsNames) => {
                self.names(&target.members, &value.text)
            }
            (true, _) => self.names(&target.members, &value.full_name()),
            (false, _) => self.names(&target.members, value.name.as_deref().unwrap_or_default()),
        });
        values
    }

    /// Whether an excluded target names this value. (An XPath excludes only itself.)
    fn excludes(&self, other: &Target, target: &Target, value: &Value) -> bool {
        let name = value.name.as_deref().unwrap_or_default();
        other.variable == value.variable
            && target.variable != Variable::Xml
            && self.names(&other.members, name)
    }

    /// Whether members of this name are meant.
    fn names(&self, members: &Members, name: &[u8]) -> bool {
        match members {
            Members::All => true,
            Members::Matching(selecting) => selecting.pattern.find(name) != Found::No,
            Members::Named(wanted) => wanted.eq_ignore_ascii_case(name),
            Members::Path(_) => false,
            Members::Slot(slot) => *self.plan.tx_names[slot.0 as usize] == *name,
        }
    }
}

pub fn value(variable: Variable, name: Option<&[u8]>, text: &[u8]) -> Value {
    Value { variable, count: false, name: name.map(<[u8]>::to_vec), text: text.to_vec() }
}
