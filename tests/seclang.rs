//! The rule language on real rule files: the Core Rule Set as Debian installs it, and version 4 in
//! the folder that the environment's `CRS_DIR` names.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use moongate::config::DiskFiles;
use moongate::diagnostic::{Diagnostic, render};
use moongate::seclang::{Directive, DirectiveKind, Rule, Selector, Word, load, parse, source};

/// Where Debian's package `modsecurity-crs` puts its rules.
const DEBIAN: &str = "/usr/share/modsecurity-crs";

/// How often each kind of directive occurs.
#[derive(Debug, PartialEq, Eq, Default)]
struct Counts {
    rules: usize,
    actions: usize,
    markers: usize,
    updates: usize,
    signatures: usize,
}

fn counts(directives: &[Directive]) -> Counts {
    let mut counts = Counts::default();
    for directive in directives {
        match &directive.kind {
            DirectiveKind::Rule(_) => counts.rules += 1,
            DirectiveKind::Action(_) => counts.actions += 1,
            DirectiveKind::Marker(_) => counts.markers += 1,
            DirectiveKind::UpdateTargets { .. } => counts.updates += 1,
            DirectiveKind::Setting { name: "SecComponentSignature", .. } => counts.signatures += 1,
            _ => {}
        }
    }
    counts
}

fn debian() -> Option<PathBuf> {
    installed(Path::new(DEBIAN).join("owasp-crs.load"), "Debian's modsecurity-crs")
}

/// The folder that `CRS_DIR` names.
fn version_4() -> Option<PathBuf> {
    installed(std::env::var_os("CRS_DIR")?.into(), "the folder in CRS_DIR")
}

fn installed(path: PathBuf, what: &str) -> Option<PathBuf> {
    let there = path.exists();
    if !there {
        // Past the test program's capture, so that it can be counted.
        let _ = writeln!(std::io::stderr(), "skipped: {what} is not there");
    }
    there.then_some(path)
}

/// Reads without a diagnostic.
fn read(path: PathBuf) -> Vec<Directive> {
    let (directives, faults) = load(&[path], &DiskFiles);
    assert!(faults.is_empty(), "{}", render(&faults));
    directives
}

fn rules(directives: &[Directive]) -> impl Iterator<Item = &Rule> {
    directives.iter().filter_map(|directive| match &directive.kind {
        DirectiveKind::Rule(rule) => Some(&**rule),
        _ => None,
    })
}

/// How many rules have this operator, how many targets this variable, how many actions this name.
fn operators(directives: &[Directive], name: &str) -> usize {
    rules(directives).filter(|rule| rule.operator.name.is(name)).count()
}

fn targets(directives: &[Directive], name: &str) -> usize {
    let targets = rules(directives).flat_map(|rule| &rule.targets);
    targets.filter(|target| target.name.is(name)).count()
}

fn actions(directives: &[Directive], name: &str) -> usize {
    let of = |directive| match directive {
        &Directive { kind: DirectiveKind::Action(ref actions), .. } => actions.as_slice(),
        Directive { kind: DirectiveKind::Rule(rule), .. } => rule.actions.as_slice(),
        _ => &[],
    };
    directives.iter().flat_map(of).filter(|action| action.name.is(name)).count()
}

#[test]
fn the_core_rule_set_of_debian_is_read_without_a_fault() {
    let Some(path) = debian() else { return };
    let directives = read(path);
    // Nine actions in the rules and one in the settings.
    let expected = Counts { rules: 790, actions: 10, markers: 40, updates: 0, signatures: 1 };
    assert_eq!(counts(&directives), expected);
    assert_eq!(operators(&directives, "rx"), 265);
    assert_eq!(operators(&directives, "pmFromFile"), 19);
    places_fit(&directives);
}

#[test]
fn version_4_of_the_core_rule_set_is_read_without_a_fault() {
    let Some(path) = version_4() else { return };
    let directives = read(path.join("rules"));
    let expected = Counts { rules: 695, actions: 7, markers: 30, updates: 55, signatures: 1 };
    assert_eq!(counts(&directives), expected);
    let of_operators = ["rx", "lt", "pm", "within"].map(|name| operators(&directives, name));
    assert_eq!(of_operators, [318, 190, 12, 9]);
    let of_targets =
        ["XML", "TX", "ARGS", "REQUEST_COOKIES"].map(|name| targets(&directives, name));
    assert_eq!(of_targets, [351, 290, 191, 166]);
    let of_actions = ["id", "chain", "tag", "t", "setvar"].map(|name| actions(&directives, name));
    assert_eq!(of_actions, [629, 73, 3088, 839, 683]);
    places_fit(&directives);
    assert_eq!(read(path.join("crs-setup.conf.example")).len(), 6);
}

/// Every name stands where its place says, and what is quoted stands there with its quotes.
fn places_fit(directives: &[Directive]) {
    let mut checked = 0;
    for directive in directives {
        let DirectiveKind::Rule(rule) = &directive.kind else { continue };
        let names = rule.actions.iter().map(|action| &action.name);
        let names = names.chain(rule.targets.iter().map(|target| &target.name));
        for word in names.chain(rule.targets.iter().filter_map(selector)) {
            let place = directive.source.text.get(word.span.start..word.span.end).unwrap();
            assert_eq!(place, word.as_str(), "{}", directive.source.name);
            checked += 1;
        }
    }
    assert!(checked > 5000, "{checked}");
}

fn selector(target: &moongate::seclang::Target) -> Option<&Word> {
    match target.selector.as_ref()? {
        Selector::Name(word) | Selector::Pattern(word) => Some(word),
    }
}

/// What comes of bytes, whatever they are: never a panic, and every place is one of the text.
fn survives(bytes: &[u8]) -> (Vec<Directive>, Vec<Diagnostic>) {
    let source = source("hostile.conf", bytes);
    assert_eq!(source.text.len(), bytes.len());
    let (directives, faults) = parse(&source, bytes);
    let spans = directives.iter().map(|directive| directive.span);
    let of_faults = faults.iter().filter_map(|fault| fault.place.as_ref()).map(|place| place.span);
    for span in spans.chain(of_faults) {
        assert!(span.start <= span.end && span.end <= bytes.len(), "{span:?}");
    }
    assert!(faults.len() <= 1001, "{}", faults.len());
    (directives, faults)
}

#[test]
fn real_rules_with_bytes_changed_are_read_to_their_end() {
    let Some(_) = debian() else { return };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(Path::new(DEBIAN).join("rules")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "conf") {
            files.push(std::fs::read(path).unwrap());
        }
    }
    files.sort();
    let mut dice = Dice(1);
    let mut faulty = 0;
    for round in 0..300 {
        let mut bytes = files[round % files.len()].clone();
        // Windows keep a round short, so that there can be many.
        let start = dice.below(bytes.len());
        bytes = bytes.split_off(start);
        bytes.truncate(8192);
        for _ in 0..=dice.below(20) {
            mutate(&mut bytes, &mut dice);
        }
        let (_, faults) = survives(&bytes);
        faulty += usize::from(!render(&faults).is_empty());
    }
    assert!(faulty > 200, "the changes hit something: {faulty}");
}

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    const TELLING: &[u8] = b"\"'\\\n\r\t ,:|/!&@#`<%{};=-\0\xff\xc3";
    let at = dice.below(bytes.len());
    let byte = TELLING[dice.below(TELLING.len())];
    match dice.below(4) {
        0 if !bytes.is_empty() => bytes[at] = byte,
        1 if !bytes.is_empty() => drop(bytes.remove(at)),
        2 => {
            let end = (at + dice.below(200)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            let into = dice.below(bytes.len());
            bytes.splice(into..into, piece);
        }
        _ => bytes.insert(at, byte),
    }
}

#[test]
fn a_line_of_millions_of_bytes_takes_time_by_its_length() {
    /// The longest single thing, and what a list of small things is made as long as: if time grew
    /// by the square of the length, half of that would take minutes.
    const LONG: usize = 10 << 20;
    const LIST: usize = 2 << 20;
    let filled = |before: &str, piece: &str, after: &str| {
        let length = if piece.len() == 1 { LONG } else { LIST };
        format!("{before}{}{after}", piece.repeat(length / piece.len())).into_bytes()
    };
    let lines = [
        ("a word", filled("", "a", "")),
        ("a directive's name and blanks", filled("SecRuleEngine", " ", "On")),
        ("many words", filled("SecRuleEngine", " a", "")),
        ("a pattern", filled("SecRule ARGS \"", "a", "\" id:1")),
        ("escaped quotes", filled("SecRule ARGS \"", "\\\"", "\" id:1")),
        ("backslashes", filled("SecRule ARGS \"", "\\", "\" id:1")),
        ("quotes", filled("SecRule ", "\"\"", "")),
        ("targets", filled("SecRule ", "ARGS|", " a id:1")),
        ("targets without end", filled("SecRule ", "ARGS:/a|", " a id:1")),
        ("quotes in targets", filled("SecRule ", "ARGS:'a|", " a id:1")),
        ("slashes in targets", filled("SecRule ARGS:", "/", " a id:1")),
        ("brackets", filled("SecRule XML:", "[", " a id:1")),
        ("separators", filled("SecRule ", "|", " a id:1")),
        ("signs", filled("SecRule ", "!", " a id:1")),
        ("actions", filled("SecRule ARGS a ", "t:none,", "")),
        ("quotes in actions", filled("SecAction \"", "msg:'a',", "\"")),
        ("an open quote in actions", filled("SecAction \"", "msg:'a, b:", "\"")),
        ("commas", filled("SecAction ", ",", "")),
        ("ids", filled("SecRuleRemoveById \"", "1-2 ", "\"")),
        ("continuations", filled("SecRule ARGS \"", "a\\\n", "\" id:1")),
        ("continuations in a list", filled("SecAction \"", "log,\\\n  ", "\"")),
        ("nothing but continuations", filled("", "\\\n", "")),
        ("bytes that are no text", vec![0xff; LONG]),
    ];
    for (name, line) in lines {
        let begin = Instant::now();
        survives(&line);
        let took = begin.elapsed();
        assert!(took < Duration::from_secs(20), "{name}: {took:?}");
    }
}

#[test]
fn a_million_directives_are_read_and_a_million_faults_are_bounded() {
    let begin = Instant::now();
    let (directives, faults) = survives("SecMarker a\n".repeat(1_000_000).as_bytes());
    assert_eq!((directives.len(), faults.len()), (1_000_000, 0));
    let (directives, faults) = survives("SecMrker a\n".repeat(1_000_000).as_bytes());
    assert_eq!((directives.len(), faults.len()), (0, 1001));
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
}
