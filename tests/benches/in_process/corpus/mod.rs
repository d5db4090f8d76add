//! The requests: what browsers and their applications send, and a few attacks.
//!
//! Each is made from a number: other numbers give other values everywhere a value may differ (user
//! agent, cookies, names and values of arguments), so that nothing remembered of one request helps
//! with the next. Only fixed vocabularies stay, such as `Sec-Fetch-Mode`.

mod draft;
mod requests;
mod values;

pub use draft::{Draft, Sample};
pub use values::Values;

/// A kind of request.
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// Of an attack, which is to be refused: the benign request that is most like it.
    pub beside: Option<&'static str>,
    make: fn(&mut Values) -> Draft,
}

/// What may be known of a request when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing is remembered across requests.
    Cold,
    /// What is remembered does not help: no value was seen before.
    Fresh,
    /// The same request came before.
    Repeated,
}

impl Freshness {
    /// All of them, in the order of the columns.
    pub const ALL: [Self; 3] = [Self::Cold, Self::Fresh, Self::Repeated];
}

/// All of them.
pub const CASES: &[Case] = &[
    benign("get", requests::get),
    benign("form", requests::form),
    benign("json", |values| requests::json(values, 4 << 10)),
    benign("html", requests::html),
    benign("upload", requests::upload),
    benign("json100k", |values| requests::json(values, 100 << 10)),
    attack("sqli", "get", requests::sqli),
    attack("xss", "get", requests::xss),
    attack("rce", "get", requests::rce),
    attack("lfi", "get", requests::lfi),
    attack("formsqli", "form", requests::form_sqli),
    attack("jsonxss", "json", requests::json_xss),
    attack("allbad", "form", requests::all_bad),
];

const fn benign(name: &'static str, make: fn(&mut Values) -> Draft) -> Case {
    Case { name, beside: None, make }
}

const fn attack(name: &'static str, beside: &'static str, make: fn(&mut Values) -> Draft) -> Case {
    Case { name, beside: Some(beside), make }
}

impl Case {
    /// The one of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        CASES.iter().find(|case| case.name == name)
    }

    /// Whether it is to be refused.
    pub fn attack(&self) -> bool {
        self.beside.is_some()
    }
}

/// Samples of one case.
pub struct Samples {
    case: &'static Case,
    next: u64,
}

impl Samples {
    pub fn of(case: &'static Case) -> Self {
        Self { case, next: 1 }
    }

    /// The one that is repeated.
    pub fn repeated(&self) -> Sample {
        self.numbered(0)
    }

    /// As many, each with values that none had before, or all the same.
    pub fn take(&mut self, freshness: Freshness, count: usize) -> Vec<Sample> {
        let numbers = match freshness {
            Freshness::Cold | Freshness::Fresh => self.next..self.next + count as u64,
            Freshness::Repeated => return (0..count).map(|_| self.repeated()).collect(),
        };
        self.next = numbers.end;
        numbers.map(|number| self.numbered(number)).collect()
    }

    fn numbered(&self, number: u64) -> Sample {
        (self.case.make)(&mut Values::new(number)).finish()
    }
}
