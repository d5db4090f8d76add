//! Transformations and operators: cases in data, and what holds for any bytes.
//!
//! `tests/transformations/NAME.json` and `tests/operators/NAME.json` are arrays of cases, named for
//! what they try; a file that is added is run. In them a character is one byte (`\u00c3\u00a9` is
//! `é` in UTF-8), and one past U+00FF is a mistake.

mod hostile;
mod places;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use moongate::detection::operators::{
    self, Argument, Fault, GeoDatabase, Kind, Matcher, OPERATORS, Operator, Question, Scope,
};
use moongate::detection::pattern::Captures;
use moongate::detection::transformations::{self, TRANSFORMATIONS, Transformation, Trigger, most};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use self::places::database;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Transformed {
    input: String,
    /// Absent: the value is unchanged.
    output: Option<String>,
    #[serde(default)]
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judged {
    argument: String,
    #[serde(default)]
    value: String,
    matches: Option<bool>,
    /// In the place of `matches`: what is wrong with the argument.
    fault: Option<String>,
    /// What is captured, from group 0 on.
    captures: Option<Vec<Option<String>>>,
    /// The question that is asked; the answer is no.
    asks: Option<String>,
    /// Names that resolve.
    #[serde(default)]
    resolves: Vec<String>,
    /// Files that can be read, by name.
    #[serde(default)]
    files: HashMap<String, String>,
    /// Data sets, by name.
    #[serde(default)]
    datasets: HashMap<String, String>,
    #[serde(default)]
    why: String,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The cases of a folder, by the names of its files.
fn cases<T: DeserializeOwned>(name: &str) -> Vec<(String, Vec<T>)> {
    let entries = std::fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.extension().is_some_and(|end| end == "json"));
    let mut cases: Vec<_> = files.map(|path| (stem(&path), read(&path))).collect();
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    cases
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

fn read<T: DeserializeOwned>(path: &Path) -> Vec<T> {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The bytes that a text of a case stands for.
fn bytes(text: &str) -> Vec<u8> {
    let byte = |character| u8::try_from(character).expect("characters of cases are bytes");
    text.chars().map(byte).collect()
}

fn shown(value: &[u8]) -> String {
    value.escape_ascii().to_string()
}

/// What a transformation makes of a value, if it says that it changes it, having held what each
/// promises.
fn transformed(transformation: &Transformation, value: &[u8]) -> Option<Vec<u8>> {
    let name = transformation.name;
    let mut output = Vec::new();
    let changed = (transformation.apply)(value, &mut output);
    if !changed {
        return None;
    }
    assert_ne!(output, value, "{name} says it changes `{}`, and does not", shown(value));
    assert!(output.len() <= most(value.len()), "{name}: {} of {}", output.len(), value.len());
    if let Trigger::Bytes(triggers) = transformation.trigger {
        let triggered = value.iter().any(|byte| triggers(*byte));
        assert!(triggered, "{name} changes `{}` without its trigger", shown(value));
    }
    Some(output)
}

#[test]
fn transformations_do_what_their_cases_say() {
    let mut tried = 0;
    for (name, cases) in cases::<Transformed>("transformations") {
        let transformation = transformations::find(&name).unwrap_or_else(|| panic!("{name}"));
        for case in cases {
            let found = transformed(transformation, &bytes(&case.input));
            let (found, expected) = (found.as_deref().map(shown), case.output.as_deref());
            let expected = expected.map(|text| shown(&bytes(text)));
            assert_eq!(found, expected, "{name} of {:?} ({})", case.input, case.why);
            tried += 1;
        }
    }
    assert!(tried > 290, "{tried}");
}

#[test]
fn every_transformation_has_cases() {
    for transformation in TRANSFORMATIONS {
        let file = folder("transformations").join(format!("{}.json", transformation.name));
        assert!(file.is_file(), "{}", file.display());
    }
}

#[test]
fn every_operator_that_works_has_cases() {
    let working = OPERATORS.iter().filter(|known| !matches!(known.kind, Kind::Refused(_)));
    // These ask what only the world outside knows, and are tried with it.
    let outside = ["geoLookup", "ipMatchFromCollection", "keyInCollection"];
    for operator in working.filter(|known| !outside.contains(&known.name)) {
        let file = folder("operators").join(format!("{}.json", operator.name));
        assert!(file.is_file(), "{}", file.display());
    }
}

#[test]
fn the_lists_are_sorted_and_each_entry_is_told_in_one_sentence() {
    let transformations = TRANSFORMATIONS.iter().map(|known| (known.name, known.doc));
    let operators = OPERATORS.iter().map(|known| (known.name, known.doc));
    for list in [transformations.collect::<Vec<_>>(), operators.collect()] {
        let names: Vec<String> = list.iter().map(|(name, _)| name.to_lowercase()).collect();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
        for (name, doc) in list {
            assert!(doc.ends_with('.') && !doc.contains(". "), "{name}: {doc}");
        }
    }
}

#[test]
fn names_are_found_in_any_case_and_under_their_aliases() {
    assert_eq!(transformations::find("NORMALISEPATHwin").unwrap().name, "normalizePathWin");
    assert_eq!(operators::find("IPMATCHF").unwrap().name, "ipMatchFromFile");
    assert!(operators::find("contain").is_none());
}

/// An operator made ready for its argument.
enum Ready {
    Compares(fn(&[u8], &[u8]) -> bool, Vec<u8>),
    Compiled(Box<dyn Matcher>),
}

impl Ready {
    fn new(operator: &Operator, argument: &Argument<'_>) -> Result<Self, Fault> {
        match &operator.kind {
            Kind::Compiled(compile) => compile(argument).map(Self::Compiled),
            Kind::Compares { check, matches, .. } => {
                check(argument.text)?;
                Ok(Self::Compares(*matches, argument.text.to_vec()))
            }
            Kind::Refused(reason) => Err(Fault::new(*reason)),
        }
    }

    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        match self {
            Self::Compares(matches, argument) => matches(argument, value),
            Self::Compiled(matcher) => matcher.matches(value, scope),
        }
    }
}

/// The operator of a case made ready, with the files and data sets that the case names.
fn ready(operator: &Operator, case: &Judged) -> Result<Ready, Fault> {
    let missing = || std::io::Error::from(std::io::ErrorKind::NotFound);
    let read = |name: &str| case.files.get(name).map(|text| bytes(text)).ok_or_else(missing);
    let path = |name: &str| format!("/etc/rules/{name}");
    let dataset =
        |name: &[u8]| case.datasets.get(std::str::from_utf8(name).ok()?).map(|text| bytes(text));
    let argument = bytes(&case.argument);
    Ready::new(
        operator,
        &Argument { text: &argument, read: &read, path: &path, dataset: &dataset, geo: None },
    )
}

fn judge(operator: &Operator, case: &Judged) {
    let told = format!("{} {:?} of {:?} ({})", operator.name, case.argument, case.value, case.why);
    let ready = match (ready(operator, case), &case.fault) {
        (Ok(ready), None) => ready,
        (Ok(_), Some(fault)) => panic!("{told} is no fault: {fault}"),
        (Err(fault), expected) => {
            return assert_eq!(Some(&fault.message), expected.as_ref(), "{told}");
        }
    };
    let resolves = case.resolves.iter().cloned();
    let answers: Vec<_> = resolves.map(|name| (Question::Resolves(name), true)).collect();
    let mut captures = Captures::default();
    let mut scope = Scope { captures: Some(&mut captures), answers: &answers, ..Scope::default() };
    let value = bytes(&case.value);
    assert_eq!(Some(ready.matches(&value, &mut scope)), case.matches, "{told}");
    assert_eq!(scope.question.take().map(asked), case.asks, "{told}");
    if let Some(expected) = &case.captures {
        assert_eq!(captured(&captures, &value), *expected, "{told}");
    }
}

fn asked(question: Question) -> String {
    match question {
        Question::Resolves(name) => name,
        Question::Script { path, value, .. } => format!("{path}: {}", shown(&value)),
    }
}

/// What was captured as cases write it, up to the last group that took part.
fn captured(captures: &Captures, value: &[u8]) -> Vec<Option<String>> {
    let latin = |part: &[u8]| part.iter().map(|byte| char::from(*byte)).collect::<String>();
    if !captures.texts.is_empty() {
        return captures.texts.iter().map(|text| Some(latin(text))).collect();
    }
    let groups = captures.groups.iter().map(|range| Some(latin(&value[range.clone()?])));
    let mut groups: Vec<_> = groups.collect();
    while groups.last().is_some_and(Option::is_none) {
        groups.pop();
    }
    groups
}

#[test]
fn operators_do_what_their_cases_say() {
    let mut tried = 0;
    for (name, cases) in cases::<Judged>("operators") {
        let operator = operators::find(&name).unwrap_or_else(|| panic!("{name}"));
        for case in &cases {
            judge(operator, case);
            tried += 1;
        }
    }
    assert!(tried > 200, "{tried}");
}

#[test]
fn an_operator_that_is_refused_says_why() {
    for operator in OPERATORS {
        if let Kind::Refused(reason) = operator.kind {
            assert!(reason.len() > 20 && !reason.ends_with('.'), "{}", operator.name);
            assert!(operator.doc.starts_with("Not supported: "), "{}", operator.name);
        }
    }
}

#[test]
fn an_address_is_found_in_a_database_of_places() {
    let database = std::sync::Arc::new(GeoDatabase::new(database()).unwrap());
    let operator = operators::find("geoLookup").unwrap();
    let argument = Argument { geo: Some(&database), ..Argument::alone(b"") };
    let ready = Ready::new(operator, &argument).unwrap();
    let mut scope = Scope::default();
    assert!(ready.matches(b" 192.0.2.77 ", &mut scope));
    let text = |(name, value): (&'static str, Vec<u8>)| format!("{name}={}", shown(&value));
    let place: Vec<String> = scope.geo.take().unwrap().into_iter().map(text).collect();
    let expected = [
        "COUNTRY_CODE=DE",
        "COUNTRY_CODE3=DEU",
        "COUNTRY_NAME=Germany",
        "COUNTRY_CONTINENT=EU",
        "REGION=BE",
        "CITY=Berlin",
        "POSTAL_CODE=10115",
        "LATITUDE=52.500000",
        "LONGITUDE=13.250000",
    ];
    assert_eq!(place, expected);
    for absent in [b"198.51.100.1".as_slice(), b"2001:db8::1", b"localhost", b""] {
        assert!(!ready.matches(absent, &mut scope), "{}", shown(absent));
        assert_eq!(scope.geo, None);
    }
}

#[test]
fn without_a_database_no_address_is_found_and_what_is_none_is_refused() {
    let operator = operators::find("geoLookup").unwrap();
    let ready = Ready::new(operator, &Argument::alone(b"")).unwrap();
    assert!(!ready.matches(b"192.0.2.77", &mut Scope::default()));
    assert!(GeoDatabase::new(b"no database".to_vec()).is_err());
    for length in 0..database().len() {
        let Ok(cut) = GeoDatabase::new(database()[..length].to_vec()) else { continue };
        let argument = std::sync::Arc::new(cut);
        let argument = Argument { geo: Some(&argument), ..Argument::alone(b"") };
        let ready = Ready::new(operator, &argument).unwrap();
        let _ = ready.matches(b"192.0.2.77", &mut Scope::default());
    }
}
