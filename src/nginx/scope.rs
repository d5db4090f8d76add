//! What holds at a place: its own directives, and those around it.

use super::Left;
use super::known::{self, Context};
use super::tree::Directive;

/// The directives of a block and of the blocks around it.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) own: &'a [Directive],
    around: Option<&'a Scope<'a>>,
}

impl<'a> Scope<'a> {
    /// The outermost.
    pub(super) fn outermost(own: &'a [Directive]) -> Self {
        Self { own, around: None }
    }

    /// One inside of this.
    pub(super) fn inner(&'a self, own: &'a [Directive]) -> Self {
        Self { own, around: Some(self) }
    }

    /// The last directive of that name, of this block or the nearest around it that has one.
    pub(super) fn get(&self, name: &str) -> Option<&'a Directive> {
        self.all(name).last().copied()
    }

    /// All of that name, of the nearest block that has any: what is said further in takes the place
    /// of what is said further out.
    pub(super) fn all(&self, name: &str) -> Vec<&'a Directive> {
        self.nearest(|known| known == name)
    }

    /// All whose names are wanted, of the nearest block that has any.
    pub(super) fn nearest(&self, wanted: impl Fn(&str) -> bool) -> Vec<&'a Directive> {
        let mut scope = Some(self);
        while let Some(here) = scope {
            let own: Vec<&Directive> =
                here.own.iter().filter(|directive| wanted(&directive.name)).collect();
            if !own.is_empty() {
                return own;
            }
            scope = here.around;
        }
        Vec::new()
    }

    /// Whether a switch is on; `otherwise` where nothing is said.
    pub(super) fn flag(&self, name: &str, otherwise: bool) -> bool {
        self.get(name).map_or(otherwise, Directive::is_on)
    }
}

/// What is not carried over, of a block and those inside of it.
pub(super) fn left_of(block: &[Directive], here: Context, left: &mut Vec<Left>) {
    for directive in block {
        let Some(known) = known::find(&directive.name, here) else { continue };
        if let Some(instead) = known.fate.instead(directive.arg(0)) {
            left.push(Left {
                directive: directive.shown(),
                file: directive.file.to_string(),
                line: directive.line,
                instead: instead.to_owned(),
            });
        } else if let known::Shape::Block(inner) = known.shape {
            left_of(&directive.block, inner, left);
        }
    }
}
