//! `moongate rules describe`: what a word of the rule language means here.

use std::process::ExitCode;

use clap::Args;

use super::super::terminal;
use crate::detection::{ACTIONS, CONTROLS, find_action, operators, transformations, variables};
use crate::diagnostic::nearest;
use crate::seclang::{DIRECTIVES, Meaning};

/// Say what a word of the rule language means here: a directive, variable, operator,
/// transformation, action or option of `ctl`
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Such as SecRule, ARGS, @rx, t:lowercase, deny or ctl:ruleEngine
    #[arg(value_name = "WORD")]
    word: String,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let word = arguments.word.trim_start_matches('!').trim_start_matches('@');
    let word = ["t:", "ctl:"].iter().find_map(|kind| word.strip_prefix(kind)).unwrap_or(word);
    let kinds = [directive, variable, operator, transformation, action, control];
    let found: Vec<String> = kinds.iter().filter_map(|kind| kind(word)).collect();
    if found.is_empty() {
        return terminal::refuse(&unknown(word));
    }
    for text in found {
        terminal::say(&text);
    }
    ExitCode::SUCCESS
}

fn directive(word: &str) -> Option<String> {
    let known = DIRECTIVES.iter().find(|known| known.name.eq_ignore_ascii_case(word))?;
    let meaning = match known.meaning {
        Meaning::Ignored(why) => format!("Read and passed over: {why}.\n"),
        Meaning::Refused(why) => format!("Refused: {why}.\n"),
        Meaning::RefusedUnlessOff(why) => format!("Refused unless it is off: {why}.\n"),
        Meaning::Used => String::new(),
    };
    Some(format!("{}, a directive\n  {}\n  {meaning}", known.name, known.doc))
}

fn variable(word: &str) -> Option<String> {
    let known = variables::find(word.split(':').next().unwrap_or(word))?;
    let kind = if known.collection { "a collection" } else { "a variable" };
    Some(format!("{}, {kind}, known from phase {} on\n  {}\n", known.name, known.phase, known.doc))
}

fn operator(word: &str) -> Option<String> {
    let known = operators::find(word)?;
    let refused = match known.kind {
        operators::Kind::Refused(why) => format!("  Refused: {why}.\n"),
        operators::Kind::Compares { .. } | operators::Kind::Compiled(_) => String::new(),
    };
    Some(format!("@{}, an operator{}\n  {}\n{refused}", known.name, also(known.aliases), known.doc))
}

fn transformation(word: &str) -> Option<String> {
    let known = transformations::find(word)?;
    Some(format!("t:{}, a transformation{}\n  {}\n", known.name, also(known.aliases), known.doc))
}

fn action(word: &str) -> Option<String> {
    let known = find_action(word.split(':').next().unwrap_or(word))?;
    let aliases: &[&str] = if known.alias.is_empty() { &[] } else { &[known.alias] };
    Some(format!("{}, an action{}\n  {}\n", known.name, also(aliases), known.doc))
}

fn control(word: &str) -> Option<String> {
    let name = word.split('=').next().unwrap_or(word);
    let known = CONTROLS.iter().find(|known| known.name.eq_ignore_ascii_case(name))?;
    Some(format!("ctl:{}={}\n  {}\n", known.name, known.value, known.doc))
}

fn also(aliases: &[&str]) -> String {
    if aliases.is_empty() { String::new() } else { format!(" (also {})", aliases.join(", ")) }
}

fn unknown(word: &str) -> String {
    let names = DIRECTIVES.iter().map(|known| known.name);
    let names = names.chain(variables::VARIABLES.iter().map(|known| known.name));
    let names = names.chain(operators::OPERATORS.iter().map(|known| known.name));
    let names = names.chain(transformations::TRANSFORMATIONS.iter().map(|known| known.name));
    let names = names.chain(ACTIONS.iter().map(|known| known.name));
    let names = names.chain(CONTROLS.iter().map(|known| known.name));
    match nearest(word, names) {
        Some(name) => format!("`{word}` is no word of the rule language; `{name}` is"),
        None => format!("`{word}` is no word of the rule language"),
    }
}
