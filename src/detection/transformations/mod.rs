//! Transformations: what a rule does to a value before it looks at it. One file each, one list.

/// A transformation: its name, what it does, and which bytes it needs to do anything.
pub struct Transformation {
    /// As in `t:NAME`, in the manual's spelling.
    pub name: &'static str,
    /// Other spellings that rules use.
    pub aliases: &'static [&'static str],
    /// One sentence for the generated page.
    pub doc: &'static str,
    /// What must be in a value for it to be changed.
    pub trigger: Trigger,
    /// Appends the transformed value to an empty `output` and says whether it differs. If it says
    /// no, `output` may hold anything: the value stands as it is.
    pub apply: fn(value: &[u8], output: &mut Vec<u8>) -> bool,
}

/// What must be in a value for a transformation to change it.
pub enum Trigger {
    /// Any value may be changed (`length`, `sha1`).
    Always,
    /// A byte for which this says yes. Without one, the value stays as it is.
    Bytes(fn(u8) -> bool),
}

/// All of them, by name.
pub const TRANSFORMATIONS: &[Transformation] = &[];

/// The one of this name, in any case.
pub fn find(name: &str) -> Option<&'static Transformation> {
    TRANSFORMATIONS.iter().find(|known| {
        known.name.eq_ignore_ascii_case(name)
            || known.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(name))
    })
}
