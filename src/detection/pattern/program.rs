//! A tree as steps, for an expression that needs backtracking.

use super::byte_set::ByteSet;
use super::exact::can_be_empty;
use super::tree::{Look, Node};
use crate::detection::operators::Fault;

/// Steps of an expression, at most: what is repeated a number of times is written out so often.
const LONGEST: usize = 50_000;

/// What is done at a place of the value. Addresses are places in [`Program::steps`].
#[derive(Debug)]
pub enum Step {
    /// So many bytes back, or fail.
    Back(usize),
    /// One byte.
    Byte(ByteSet),
    /// The group's span is from the mark to here.
    Capture { group: usize, mark: usize },
    /// The atomic part is over: no other way of it is tried.
    CloseAtomic,
    /// The look-around is over.
    CloseAround,
    /// Go on there.
    Jump(usize),
    /// The match begins here.
    KeepOut,
    /// A condition.
    Look(Look),
    /// Remember the place.
    Mark(usize),
    /// Found.
    Match,
    /// An atomic part begins.
    OpenAtomic,
    /// A look-around begins; behind it, go on there.
    OpenAround { negated: bool, behind: usize },
    /// Leave the loop if nothing was matched since the mark.
    Progress { mark: usize, out: usize },
    /// What a group matched.
    Reference { group: usize, fold: bool },
    /// Some bytes.
    Run { set: ByteSet, min: usize, max: usize, greedy: bool },
    /// Go on with the first, and if that fails with the second.
    Split { first: usize, second: usize },
}

/// Steps, and how much there is to remember.
#[derive(Debug)]
pub struct Program {
    pub steps: Vec<Step>,
    /// Groups that capture, the whole match among them.
    pub groups: usize,
    pub marks: usize,
}

/// The steps of a tree.
///
/// # Errors
/// If they are too many.
pub fn compile(node: &Node) -> Result<Program, Fault> {
    let program = Program { steps: Vec::new(), groups: 1 + node.groups(), marks: 0 };
    let mut writer = Writer { program, opened: 0, written: 0 };
    writer.node(node)?;
    writer.add(Step::Match)?;
    Ok(writer.program)
}

struct Writer {
    program: Program,
    /// The last group that was opened.
    opened: usize,
    /// Nodes written, copies counted.
    written: usize,
}

impl Writer {
    fn here(&self) -> usize {
        self.program.steps.len()
    }

    fn add(&mut self, step: Step) -> Result<usize, Fault> {
        if self.here() >= LONGEST {
            return Err(too_large());
        }
        self.program.steps.push(step);
        Ok(self.here() - 1)
    }

    fn mark(&mut self) -> usize {
        self.program.marks += 1;
        self.program.marks - 1
    }

    fn node(&mut self, node: &Node) -> Result<(), Fault> {
        // Also what takes no step takes time: `(?:(?:(?:){9}){9}){9}`.
        self.written += 1;
        if self.written > 4 * LONGEST {
            return Err(too_large());
        }
        match node {
            Node::Alternation(nodes) => self.alternation(nodes, false),
            Node::Around { behind, negated, node } => self.around(*behind, *negated, node),
            Node::Atomic(node) => {
                self.add(Step::OpenAtomic)?;
                self.node(node)?;
                self.add(Step::CloseAtomic).map(|_| ())
            }
            Node::Bytes(set) => self.add(Step::Byte(*set)).map(|_| ()),
            Node::Capture(node) => self.capture(node),
            Node::Concat(nodes) => nodes.iter().try_for_each(|node| self.node(node)),
            Node::Empty => Ok(()),
            Node::KeepOut => self.add(Step::KeepOut).map(|_| ()),
            Node::Look(look) => self.add(Step::Look(*look)).map(|_| ()),
            Node::Reference { group, fold } => {
                let reference = Step::Reference { group: *group as usize, fold: *fold };
                self.add(reference).map(|_| ())
            }
            Node::Repeat { node, min, max, greedy } => self.repeat(node, *min, *max, *greedy),
        }
    }

    /// One of them; in a look-behind, each so many bytes back.
    fn alternation(&mut self, nodes: &[Node], behind: bool) -> Result<(), Fault> {
        let mut ends = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let split = if index + 1 < nodes.len() { Some(self.split(true)?) } else { None };
            if behind {
                self.add(Step::Back(node.length().unwrap_or(usize::MAX)))?;
            }
            self.node(node)?;
            if let Some(split) = split {
                ends.push(self.add(Step::Jump(0))?);
                self.aim(split, self.here());
            }
        }
        for end in ends {
            self.aim(end, self.here());
        }
        Ok(())
    }

    /// Sets where a step leads that was written before this was known.
    fn aim(&mut self, step: usize, to: usize) {
        match self.program.steps.get_mut(step) {
            Some(Step::Split { second, .. }) if *second == 0 => *second = to,
            Some(Step::Split { first, .. }) => *first = to,
            Some(Step::Jump(out) | Step::Progress { out, .. }) => *out = to,
            Some(Step::OpenAround { behind, .. }) => *behind = to,
            _ => {}
        }
    }

    fn capture(&mut self, node: &Node) -> Result<(), Fault> {
        self.opened += 1;
        let group = self.opened;
        let mark = self.mark();
        self.add(Step::Mark(mark))?;
        self.node(node)?;
        self.add(Step::Capture { group, mark }).map(|_| ())
    }

    fn around(&mut self, behind: bool, negated: bool, node: &Node) -> Result<(), Fault> {
        let open = self.add(Step::OpenAround { negated, behind: 0 })?;
        match node {
            Node::Alternation(nodes) => self.alternation(nodes, behind)?,
            node => self.alternation(std::slice::from_ref(node), behind)?,
        }
        self.add(Step::CloseAround)?;
        self.aim(open, self.here());
        Ok(())
    }

    fn repeat(
        &mut self,
        node: &Node,
        min: u32,
        max: Option<u32>,
        greedy: bool,
    ) -> Result<(), Fault> {
        if let Node::Bytes(set) = node {
            let max = max.map_or(usize::MAX, |max| max as usize);
            let run = Step::Run { set: *set, min: min as usize, max, greedy };
            return self.add(run).map(|_| ());
        }
        let opened = self.opened;
        let copies = if max.is_none() { min.saturating_sub(1) } else { min };
        for _ in 0..copies {
            self.copy(node, opened)?;
        }
        match max {
            None if min == 0 => self.endless(node, greedy, opened)?,
            None => self.once_and_more(node, greedy, opened)?,
            Some(max) => self.optional(node, max.saturating_sub(min), greedy, opened)?,
        }
        self.opened = opened + node.groups();
        Ok(())
    }

    /// A node whose groups are those after `opened`, as in each copy of it.
    fn copy(&mut self, node: &Node, opened: usize) -> Result<(), Fault> {
        self.opened = opened;
        self.node(node)
    }

    fn split(&mut self, greedy: bool) -> Result<usize, Fault> {
        let into = self.here() + 1;
        self.add(if greedy {
            Step::Split { first: into, second: 0 }
        } else {
            Step::Split { first: 0, second: into }
        })
    }

    fn endless(&mut self, node: &Node, greedy: bool, opened: usize) -> Result<(), Fault> {
        let split = self.split(greedy)?;
        let progress = self.turn(node, opened)?;
        self.add(Step::Jump(split))?;
        self.leave(progress);
        self.aim(split, self.here());
        Ok(())
    }

    fn once_and_more(&mut self, node: &Node, greedy: bool, opened: usize) -> Result<(), Fault> {
        let again = self.here();
        let progress = self.turn(node, opened)?;
        let out = self.here() + 1;
        self.add(if greedy {
            Step::Split { first: again, second: out }
        } else {
            Step::Split { first: out, second: again }
        })?;
        self.leave(progress);
        Ok(())
    }

    /// One turn of a loop, and the step that leaves the loop if it was for nothing.
    fn turn(&mut self, node: &Node, opened: usize) -> Result<Option<usize>, Fault> {
        if !can_be_empty(node) {
            self.copy(node, opened)?;
            return Ok(None);
        }
        let mark = self.mark();
        self.add(Step::Mark(mark))?;
        self.copy(node, opened)?;
        self.add(Step::Progress { mark, out: 0 }).map(Some)
    }

    fn leave(&mut self, progress: Option<usize>) {
        if let Some(progress) = progress {
            self.aim(progress, self.here());
        }
    }

    fn optional(
        &mut self,
        node: &Node,
        times: u32,
        greedy: bool,
        opened: usize,
    ) -> Result<(), Fault> {
        let mut splits = Vec::new();
        for _ in 0..times {
            splits.push(self.split(greedy)?);
            self.copy(node, opened)?;
        }
        for split in splits {
            self.aim(split, self.here());
        }
        Ok(())
    }
}

fn too_large() -> Fault {
    Fault {
        message: "the expression is too large".to_owned(),
        at: None,
        help: Some("repeat less often, or less within what is repeated".to_owned()),
    }
}
