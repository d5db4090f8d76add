//! Operators that rules may name, and that are not here: each a fault that says why. To take such a
//! rule and never match would weaken it without a word.

use super::{Kind, Operator};

pub(super) const FUZZY_HASH: Operator = refused(
    "fuzzyHash",
    "Not supported: compares with hashes of ssdeep.",
    "hashes of ssdeep are not computed; compare files by `@streq` on a digest",
);

pub(super) const GSB_LOOKUP: Operator = refused(
    "gsbLookup",
    "Not supported: Google Safe Browsing's local database.",
    "Google no longer offers the database that it reads",
);

pub(super) const RESTPATH: Operator = refused(
    "restpath",
    "Not supported: Coraza's templates of paths.",
    "it fills `ARGS_PATH`, which is not there; write the path as `@rx` with `capture`",
);

pub(super) const RSUB: Operator = refused(
    "rsub",
    "Not supported: replaces text in bodies.",
    "rules judge bodies and do not change them; a script in `body_filter` can",
);

pub(super) const VALIDATE_DTD: Operator = refused(
    "validateDTD",
    "Not supported: checks XML against a DTD.",
    "XML is read without its document type, so that no entity is ever expanded",
);

pub(super) const VALIDATE_HASH: Operator = refused(
    "validateHash",
    "Not supported: checks links that the engine signed.",
    "pages are not rewritten, so that no link has a signature",
);

pub(super) const VALIDATE_SCHEMA: Operator = refused(
    "validateSchema",
    "Not supported: checks XML or JSON against a schema.",
    "no schema is read; check what matters by rules on `XML:` or `ARGS:json.…`",
);

const fn refused(name: &'static str, doc: &'static str, reason: &'static str) -> Operator {
    Operator { name, aliases: &[], doc, kind: Kind::Refused(reason) }
}
