//! Operators whose argument is known only when its macros are: compiled then, and kept.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;

use super::super::operators::{Argument, Kind, Matcher, Operator};

/// How many a worker keeps; the one that was used longest ago makes room.
const KEPT: usize = 64;

struct Known {
    operator: &'static str,
    argument: Box<[u8]>,
    /// None: it cannot be compiled.
    matcher: Option<Arc<dyn Matcher>>,
}

thread_local! {
    /// The one used last comes last.
    static KNOWN: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
}

/// The operator with this argument; none if it is not one. Files are not read at run time.
pub fn matcher(operator: &'static Operator, argument: &[u8]) -> Option<Arc<dyn Matcher>> {
    KNOWN.with_borrow_mut(|known| {
        let same = |one: &Known| one.operator == operator.name && *one.argument == *argument;
        let found = known.iter().position(same).map(|place| known.remove(place));
        let one = found.unwrap_or_else(|| compiled(operator, argument));
        if known.len() >= KEPT {
            known.remove(0);
        }
        let matcher = one.matcher.clone();
        known.push(one);
        matcher
    })
}

fn compiled(operator: &'static Operator, argument: &[u8]) -> Known {
    let world = Argument {
        text: argument,
        read: &|_| Err(io::ErrorKind::Unsupported.into()),
        path: &str::to_owned,
        dataset: &|_| None,
        geo: None,
    };
    let matcher = match operator.kind {
        Kind::Compiled(compile) => compile(&world).ok().map(Arc::from),
        Kind::Compares { .. } | Kind::Refused(_) => None,
    };
    Known { operator: operator.name, argument: argument.into(), matcher }
}
