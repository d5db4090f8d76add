//! Members of variables, taken down for the rules that look at them.

use bytes::Bytes;

use super::sight::Member;
use super::texts::{Keep, Texts};
use crate::detection::variables::{Sink, Variable};

/// Takes members of one variable down.
pub struct Gather<'a> {
    /// The variable.
    pub variable: Variable,
    /// How long they are kept.
    pub keep: Keep,
    /// Where their texts go.
    pub texts: &'a mut Texts,
    /// Where they go, after those that are there.
    pub members: &'a mut Vec<Member>,
}

impl Sink for Gather<'_> {
    fn take(&mut self, name: Option<&[u8]>, value: &[u8]) {
        let name = name.map(|name| self.texts.add(name, self.keep));
        let value = self.texts.add(value, self.keep);
        self.members.push(Member { variable: self.variable, count: false, name, value });
    }

    fn take_shared(&mut self, value: &Bytes) {
        let value = self.texts.push_shared(value, self.keep);
        self.members.push(Member { variable: self.variable, count: false, name: None, value });
    }
}
