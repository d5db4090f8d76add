//! Any bytes: no panic, no time that grows faster than the value, and what each transformation
//! promises.

use std::time::Duration;

use moongate::detection::operators::{self, Kind, OPERATORS, Scope};
use moongate::detection::transformations::{TRANSFORMATIONS, Trigger};
use nix::time::{ClockId, clock_gettime};

use super::{Judged, Ready, cases, ready, shown, transformed};

/// The same numbers each time: a failure can be tried again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.below(256) as u8).collect()
    }

    /// Pieces of what transformations and operators look for.
    fn pieces(&mut self, count: usize) -> Vec<u8> {
        (0..count).flat_map(|_| PIECES[self.below(PIECES.len())]).copied().collect()
    }
}

const PIECES: &[&[u8]] = &[
    b"%",
    b"%u",
    b"+",
    b"\\",
    b"\\u",
    b"\\x",
    b"0",
    b"0x",
    b"1",
    b"41",
    b"7",
    b"9",
    b"f",
    b"ff01",
    b"A",
    b"z",
    b"&",
    b"&#",
    b"&#x",
    b"&lt",
    b"amp",
    b";",
    b"/*",
    b"*/",
    b"*",
    b"--",
    b"<!--",
    b"-->",
    b"-",
    b"#",
    b".",
    b"..",
    b"../",
    b"/",
    b"//",
    b"\0",
    b" ",
    b"\t",
    b"\r\n",
    b"\"",
    b"'",
    b"^",
    b",",
    b"(",
    b"=",
    b"QUJD",
    b"\xc0",
    b"\xaf",
    b"\xc3\xa9",
    b"\xe2\x80\x99",
    b"\xed\xa0",
    b"\xf0\x9f\x98\x80",
    b"\xf5",
    b"\xff",
    b"\xa0",
    b"127.0.0.1",
    b"::1",
    b"4111111111111111",
];

#[test]
fn a_transformation_changes_only_what_has_its_trigger_and_never_says_so_of_what_stays() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..4000 {
        let length = random.below(9);
        let (any, pieces) = (random.bytes(length), random.pieces(length));
        for transformation in TRANSFORMATIONS {
            transformed(transformation, &any);
            transformed(transformation, &pieces);
        }
    }
}

#[test]
fn a_trigger_that_no_transformation_acts_on_would_be_waste() {
    for transformation in TRANSFORMATIONS {
        let Trigger::Bytes(triggers) = transformation.trigger else { continue };
        for byte in (0..=255).filter(|byte| triggers(*byte)) {
            let pairs = PIECES.iter().flat_map(|one| PIECES.iter().map(move |other| (one, other)));
            let mut values =
                pairs.map(|(before, after)| [before, [byte].as_slice(), after].concat());
            let acts = values.any(|value| transformed(transformation, &value).is_some());
            assert!(acts, "{} and {byte:#04x}", transformation.name);
        }
    }
}

/// What a piece of hostile input looks like when it goes on and on: a careless loop looks again and
/// again at the same bytes.
fn long_values(length: usize) -> Vec<Vec<u8>> {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let repeated = |piece: &&[u8]| piece.iter().copied().cycle().take(length).collect();
    let mut values: Vec<Vec<u8>> = PIECES.iter().map(repeated).collect();
    values.push(random.bytes(length));
    values.push(random.pieces(length / 3));
    values
}

/// CPU time that this thread spends on some work: other tests and programs do not count.
fn spent(work: impl FnOnce()) -> Duration {
    let now = || Duration::from(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    let before = now();
    work();
    now() - before
}

/// Work on a value that is eight times as long may take eight times as long, and here four times
/// that; what grows with the square takes 64 times.
fn holds_linear(what: &str, work: impl Fn(&[u8])) {
    let (short, long) = (long_values(2 << 10), long_values(16 << 10));
    for (short, long) in short.iter().zip(&long) {
        let allowed = spent(|| work(short)) * 32 + Duration::from_millis(20);
        let took = spent(|| work(long));
        assert!(took < allowed, "{what}: {took:?}, not {allowed:?}, for `{}`…", shown(&short[..9]));
    }
}

#[test]
fn transformations_take_linear_time() {
    for transformation in TRANSFORMATIONS {
        holds_linear(transformation.name, |value| drop(transformed(transformation, value)));
    }
}

#[test]
fn transformations_take_a_mebibyte() {
    let value = Random(1).pieces(400 << 10);
    for transformation in TRANSFORMATIONS {
        transformed(transformation, &value);
    }
}

/// The operators, each with the arguments of its first cases.
fn all_ready(most: usize) -> Vec<(&'static str, Ready)> {
    let mut all = Vec::new();
    for (name, cases) in cases::<Judged>("operators") {
        let operator = operators::find(&name).unwrap();
        let ready = cases.iter().filter_map(|case| ready(operator, case).ok()).take(most);
        all.extend(ready.map(|ready| (operator.name, ready)));
    }
    all
}

#[test]
fn operators_take_any_bytes() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let all = all_ready(usize::MAX);
    for _ in 0..200 {
        let length = random.below(9);
        let (any, pieces) = (random.bytes(length), random.pieces(length));
        for (_, ready) in &all {
            ready.matches(&any, &mut Scope::default());
            ready.matches(&pieces, &mut Scope::default());
        }
    }
}

#[test]
fn operators_take_linear_time() {
    for (name, ready) in all_ready(1) {
        holds_linear(name, |value| {
            ready.matches(value, &mut Scope::default());
        });
    }
}

#[test]
fn operators_take_linear_time_of_long_arguments() {
    for operator in OPERATORS {
        let Kind::Compares { matches, .. } = operator.kind else { continue };
        holds_linear(operator.name, |value| {
            let half = &value[..value.len() / 2];
            matches(half, value);
            matches(value, half);
            matches(&[half, b"!"].concat(), value);
        });
    }
}

#[test]
fn operators_take_a_mebibyte() {
    let value = Random(1).pieces(400 << 10);
    for (_, ready) in all_ready(1) {
        ready.matches(&value, &mut Scope::default());
    }
}
