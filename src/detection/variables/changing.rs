//! Variables that rules themselves change, or that differ from rule to rule: read anew each time.

use super::{Out, Variable, View, format_by_type};
use crate::detection::evaluate::{Gather, Keep, Member, State};
use crate::detection::pattern::Found;
use crate::detection::plan::{Members, Plan, Target, Text};
use crate::shared::{CollectionId, CollectionKind};
use crate::transaction::Severity;
use crate::transaction::args::Format;

/// Whether a variable may change while the rules of a phase run.
pub fn changes_within_phase(variable: Variable) -> bool {
    matches!(
        variable,
        Variable::Env
            | Variable::Geo
            | Variable::Global
            | Variable::HighestSeverity
            | Variable::Ip
            | Variable::MatchedVar
            | Variable::MatchedVarName
            | Variable::MatchedVars
            | Variable::MatchedVarsNames
            | Variable::MscPcreError
            | Variable::MscPcreLimitsExceeded
            | Variable::ReqbodyProcessor
            | Variable::Resource
            | Variable::Rule
            | Variable::Session
            | Variable::SessionId
            | Variable::Tx
            | Variable::User
            | Variable::UserId
    )
}

/// Puts what a target chooses of such a variable to the link's values.
pub fn read_changing(state: &mut State, view: &View<'_>, plan: &Plan, target: &Target) {
    match target.variable {
        Variable::MatchedVar => matched(state, true, target),
        Variable::MatchedVars => matched(state, false, target),
        Variable::MatchedVarName => matched_names(state, true, target),
        Variable::MatchedVarsNames => matched_names(state, false, target),
        Variable::Tx => tx(state, plan, target),
        Variable::Global
        | Variable::Ip
        | Variable::Resource
        | Variable::Session
        | Variable::User => persistent(state, view, target),
        Variable::Rule => rule(state, plan, target),
        _ => others(state, view, target),
    }
}

fn tx(state: &mut State, plan: &Plan, target: &Target) {
    if let Members::Slot(slot) = &target.members {
        return tx_member(state, plan, slot.0 as usize);
    }
    if let Members::Matching(selecting) = &target.members {
        if state.tx.owes(|name| selecting.names(name)) {
            state.tx.settle(plan);
        }
        for place in selecting.slots(plan).iter() {
            tx_member(state, plan, place as usize);
        }
        for place in plan.tx_names.len()..state.tx.len() {
            if selecting.names(state.tx.name(plan, place)) {
                tx_member(state, plan, place);
            }
        }
        return;
    }
    state.tx.settle(plan);
    for place in 0..state.tx.len() {
        if state.tx.has(place) && wants(&target.members, state.tx.name(plan, place)) {
            tx_member(state, plan, place);
        }
    }
}

fn tx_member(state: &mut State, plan: &Plan, place: usize) {
    let State { tx, sight, .. } = state;
    if !tx.has(place) {
        return;
    }
    let texts = sight.texts(Keep::Link);
    let name = Some(texts.push(tx.name(plan, place), Keep::Link));
    let value = texts.push_with(Keep::Link, |out| tx.write(place, out));
    sight.values.push(Member { variable: Variable::Tx, count: false, name, value });
}

/// They keep the variable and the name under which they matched.
fn matched(state: &mut State, only_last: bool, target: &Target) {
    for member in matches(state, only_last) {
        if target.members == Members::All || wants(&target.members, &full_name(state, &member)) {
            state.sight.values.push(member);
        }
    }
}

fn matched_names(state: &mut State, only_last: bool, target: &Target) {
    for member in matches(state, only_last) {
        let name = full_name(state, &member);
        if wants(&target.members, &name) {
            let value = state.sight.add_text(&name, Keep::Link);
            let variable = target.variable;
            state.sight.values.push(Member { variable, count: false, name: None, value });
        }
    }
}

fn matches(state: &mut State, only_last: bool) -> Vec<Member> {
    if only_last { state.latest().into_iter().collect() } else { state.matched.clone() }
}

fn full_name(state: &State, member: &Member) -> Vec<u8> {
    let mut name = Vec::new();
    state.sight.write_name(member, &mut name);
    name
}

/// What the running rule says of itself; its texts without their macros.
fn rule(state: &mut State, plan: &Plan, target: &Target) {
    let Some(rule) = plan.rules.get(state.running.0 as usize) else { return };
    let about = &rule.about;
    let text = |text: &Option<Text>| text.as_ref().map(Text::fixed_parts);
    let word = |word: &Option<Box<str>>| word.as_ref().map(|word| word.as_bytes().to_vec());
    let number = |severity: Severity| (severity as u8).to_string().into_bytes();
    let facts = [
        ("id", Some(rule.id.to_string().into_bytes())),
        ("logdata", text(&about.log_data)),
        ("msg", text(&about.message)),
        ("rev", word(&about.revision)),
        ("severity", about.severity.map(number)),
        ("ver", word(&about.version)),
    ];
    with_out(state, target, |out| {
        for (name, value) in &facts {
            if let Some(value) = value.as_ref().filter(|_| wants(&target.members, name.as_bytes()))
            {
                out.member(name.as_bytes(), value);
            }
        }
    });
}

fn with_out(state: &mut State, target: &Target, write: impl FnOnce(&mut Out<'_>)) {
    let sight = &mut state.sight;
    let mut values = std::mem::take(&mut sight.values);
    let texts = sight.texts(Keep::Link);
    let (variable, keep) = (target.variable, Keep::Link);
    write(&mut Out::new(&mut Gather { variable, keep, texts, members: &mut values }));
    sight.values = values;
}

/// Members of the persistent collection of this kind that is open.
fn persistent(state: &mut State, view: &View<'_>, target: &Target) {
    let of_kind = |id: &&CollectionId| variable(id.kind) == target.variable;
    let Some(id) = state.opened.iter().find(of_kind) else { return };
    let members = view.collections.open(id, view.now);
    with_out(state, target, |out| {
        for member in members.iter().filter(|member| wants(&target.members, &member.name)) {
            out.member(&member.name, &member.value);
        }
    });
}

fn variable(kind: CollectionKind) -> Variable {
    match kind {
        CollectionKind::Global => Variable::Global,
        CollectionKind::Ip => Variable::Ip,
        CollectionKind::Resource => Variable::Resource,
        CollectionKind::Session => Variable::Session,
        CollectionKind::User => Variable::User,
    }
}

fn others(state: &mut State, view: &View<'_>, target: &Target) {
    let State { sight, geo, environment, highest, cuts, switches, session_id, user_id, .. } = state;
    let mut values = std::mem::take(&mut sight.values);
    let texts = sight.texts(Keep::Link);
    let (variable, keep) = (target.variable, Keep::Link);
    let mut gather = Gather { variable, keep, texts, members: &mut values };
    let mut out = Out::new(&mut gather);
    match target.variable {
        Variable::Env => {
            for (name, value) in environment.iter().filter(|(name, _)| wants(&target.members, name))
            {
                out.member(name, value);
            }
        }
        Variable::Geo => {
            let chosen = geo.iter().filter(|(name, _)| wants(&target.members, name.as_bytes()));
            chosen.for_each(|(name, value)| out.member(name.as_bytes(), value));
        }
        Variable::HighestSeverity => {
            out.number(highest.map_or(255, |severity| i64::from(severity as u8)));
        }
        Variable::MscPcreError | Variable::MscPcreLimitsExceeded => out.flag(*cuts > 0),
        Variable::ReqbodyProcessor => {
            let format = switches.processor.or_else(|| format_by_type(view.transaction));
            out.value(format_name(format));
        }
        Variable::SessionId => session_id.iter().for_each(|id| out.value(id)),
        Variable::UserId => user_id.iter().for_each(|id| out.value(id)),
        _ => {}
    }
    sight.values = values;
}

fn wants(members: &Members, name: &[u8]) -> bool {
    match members {
        Members::All => true,
        Members::Named(wanted) => name.eq_ignore_ascii_case(wanted),
        Members::Matching(selecting) => selecting.pattern.find(name) != Found::No,
        Members::Path(_) | Members::Slot(_) => false,
    }
}

fn format_name(format: Option<Format>) -> &'static [u8] {
    match format {
        None => b"",
        Some(Format::Json) => b"JSON",
        Some(Format::Multipart) => b"MULTIPART",
        Some(Format::Raw) => b"RAW",
        Some(Format::UrlEncoded) => b"URLENCODED",
        Some(Format::Xml) => b"XML",
    }
}
