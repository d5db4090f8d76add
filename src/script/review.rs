//! What can be said of the operator's scripts without running them: what they ask for that is not here,
//! at the line where they do. It may be that nobody comes there, so it is advice and no fault.

use std::collections::{HashSet, VecDeque};
use std::rc::Rc;

use mlua::{Table, Value};

use super::compiled::{self, Unit};
use super::incarnation::Incarnation;
use super::{State, api, lint, require};
use crate::transaction::Phase;

/// Luau's instruction that loads a constant.
const LOADK: u8 = 5;
/// Luau's instruction that calls a function.
const CALL: u8 = 21;
/// Files that are followed from one script to the next.
const MOST_FILES: usize = 1_000;

/// A script as it is written.
#[derive(Debug)]
pub struct Script {
    /// What messages call it.
    pub name: String,
    /// Its text, as many lines below its file's first as it stands there.
    pub text: String,
    /// Where its own code runs; none: wherever it is required.
    pub phase: Option<Phase>,
}

/// Something that a script asks for and does not get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The script.
    pub name: String,
    /// The line, from 1.
    pub line: u32,
    /// What, and what to write instead.
    pub message: String,
}

/// Looks at scripts that run in a state, and at the files that they require.
pub fn review(state: &Rc<State>, scripts: Vec<Script>) -> Vec<Remark> {
    let Ok(vm) = state.vm() else { return Vec::new() };
    let mut seen: HashSet<String> = HashSet::new();
    let mut waiting: VecDeque<Script> = scripts.into();
    let mut remarks = Vec::new();
    while let Some(script) = waiting.pop_front() {
        let mut looked = Looked { script: &script, remarks: &mut remarks, requires: Vec::new() };
        looked.at(&vm);
        for (line, wanted) in looked.requires {
            match found(&vm, state, &wanted) {
                Found::BuiltIn => {}
                Found::File(name, text) => {
                    if seen.len() < MOST_FILES && seen.insert(name.clone()) {
                        waiting.push_back(Script { name, text, phase: None });
                    }
                }
                Found::Nowhere(message) => {
                    remarks.push(Remark { name: script.name.clone(), line, message });
                }
            }
        }
    }
    remarks
}

/// What is seen in one script.
struct Looked<'a> {
    script: &'a Script,
    remarks: &'a mut Vec<Remark>,
    /// What it requires by name, with the line.
    requires: Vec<(u32, String)>,
}

impl Looked<'_> {
    fn at(&mut self, vm: &Incarnation) {
        let compiler = mlua::chunk::Compiler::new().set_optimization_level(1).set_debug_level(1);
        let Ok(bytes) = compiler.compile(&self.script.text) else { return };
        let units = compiled::units(&bytes);
        let all: Vec<_> = units.iter().flat_map(Unit::named).collect();
        let is_own = |name: &str| all.iter().any(|one| one.is_written && one.path[..] == [name]);
        for (index, unit) in units.iter().enumerate() {
            // What is written in a function may run elsewhere: in a timer, say.
            let phase = self.script.phase.filter(|_| index + 1 == units.len());
            for one in unit.named() {
                let own = one.path.first().is_some_and(|first| is_own(first));
                if let Some(message) = lint::doubt(vm, &one.path, phase).filter(|_| !own) {
                    let name = self.script.name.clone();
                    let remark = Remark { name, line: one.line, message };
                    if !self.remarks.contains(&remark) {
                        self.remarks.push(remark);
                    }
                }
            }
            self.requires.extend(required(unit));
        }
    }
}

/// The names that a function gives to `require` as they stand there.
fn required(unit: &Unit) -> Vec<(u32, String)> {
    let starts = unit.starts();
    let named = starts.windows(3).filter_map(|places| {
        let &[at, next, last] = places else { return None };
        unit.path(at).filter(|path| path[..] == ["require"])?;
        let [function, name, call] = [at, next, last].map(|place| unit.words.get(place).copied());
        let (function, name, call) = (function?, name?, call?);
        // Called is what was just put there: `pcall(require, "x")` may well find nothing.
        let is_called = call as u8 == CALL && register(call) == register(function);
        let text = unit.text((name >> 16) as usize)?;
        let line = unit.lines.get(at).copied().unwrap_or(0);
        (is_called && name as u8 == LOADK).then(|| (line, text.to_owned()))
    });
    named.collect()
}

/// Where an instruction puts its result, or finds what it calls.
fn register(word: u32) -> u8 {
    (word >> 8) as u8
}

enum Found {
    BuiltIn,
    File(String, String),
    Nowhere(String),
}

/// Where `require` finds a module.
fn found(vm: &Incarnation, state: &State, name: &str) -> Found {
    let package = vm.sandbox.base().raw_get::<Table>("package").ok();
    let holds = |table: &str| {
        let table = package.as_ref()?.raw_get::<Table>(table).ok()?;
        table.raw_get::<Value>(name).ok().filter(|value| !value.is_nil())
    };
    let is_there = ["loaded", "preload"].into_iter().any(|table| holds(table).is_some());
    if is_there || matches!(api::built_in(&vm.lua, name), Ok(Some(_))) {
        return Found::BuiltIn;
    }
    if let Ok((path, text)) = state.spec().library.find(name) {
        return Found::File(path, text.to_owned());
    }
    let advice = require::advice(name).unwrap_or("put its file where `lua.path` says");
    Found::Nowhere(format!("there is no module `{name}`: {advice}"))
}
