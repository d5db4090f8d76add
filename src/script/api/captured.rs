//! What `ngx.location.capture` waits for, and what it gives its script.

use std::rc::Rc;
use std::task::{Context, Poll};

use super::quick::Stack;
use crate::script::inner::Inner;
use crate::script::parked::Native;
use crate::script::{Call, Captured, Light, Subject};
use crate::transaction::{Header, Headers};

/// A call waits for subrequests: it may not be left before they end.
pub struct Pending {
    call: Rc<Call>,
    light: Option<Rc<Light>>,
}

impl Pending {
    pub fn begin(call: &Rc<Call>) -> Self {
        let pending = Self { call: call.clone(), light: call.threads.current() };
        pending.count(|count| count + 1);
        pending
    }

    fn count(&self, change: impl Fn(u32) -> u32) {
        self.call.pending.set(change(self.call.pending.get()));
        if let Some(light) = &self.light {
            light.pending.set(change(light.pending.get()));
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.count(|count| count.saturating_sub(1));
    }
}

/// A subrequest on which a script waits; it ends with that.
pub struct Begun(Rc<Inner>);

impl Begun {
    pub fn of(inner: Rc<Inner>) -> Self {
        Self(inner)
    }

    pub fn poll(&self, context: &mut Context<'_>) -> Poll<Box<Captured>> {
        self.0.poll(context)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// The one subrequest that a script waits for which wants nothing else of it.
pub struct Alone {
    pub begun: Begun,
    pub subject: Rc<Subject>,
    pub came: Option<Box<Captured>>,
    pub _pending: Pending,
}

impl Native for Alone {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.begun.poll(context).map(|captured| {
            self.subject.transaction.borrow_mut().doing = captured.doing;
            self.came = Some(captured);
        })
    }

    fn put(self: Box<Self>, stack: &mut Stack<'_>) -> usize {
        match &self.came {
            Some(captured) => push(stack, captured),
            None => stack.push_nil(),
        }
        1
    }
}

/// Puts the table of it onto the stack.
pub fn push(stack: &mut Stack<'_>, captured: &Captured) {
    stack.push_table(0, 4);
    stack.push_bytes(b"status");
    stack.push_number(captured.status.into());
    stack.set_field();
    stack.push_bytes(b"truncated");
    stack.push_boolean(captured.truncated);
    stack.set_field();
    stack.push_bytes(b"body");
    stack.push_bytes(&captured.body);
    stack.set_field();
    stack.push_bytes(b"header");
    push_headers(stack, &captured.headers);
    stack.set_field();
}

/// Bytes of fields whose table is kept for the next answer: most answers of a place have the same.
const KEPT: usize = 2048;

/// A table of header fields: of a name that came more than once, its values in an array.
fn push_headers(stack: &mut Stack<'_>, headers: &Headers) {
    if stack.push_fields_again(headers) {
        return;
    }
    stack.push_table(0, headers.len());
    let (mut bytes, mut is_plain) = (0, !headers.is_empty());
    for (place, header) in headers.iter().enumerate() {
        let same = |other: &&Header| other.name == header.name;
        bytes += header.name.len() + header.value.len();
        if headers.iter().take(place).any(|other| same(&other)) {
            continue;
        }
        stack.push_bytes(&header.name);
        if headers.iter().skip(place + 1).any(|other| same(&other)) {
            is_plain = false;
            push_values(stack, headers.iter().filter(same));
        } else {
            stack.push_bytes(&header.value);
        }
        stack.set_field();
    }
    if is_plain && bytes <= KEPT {
        stack.keep_fields(headers);
    }
}

fn push_values<'h>(stack: &mut Stack<'_>, fields: impl Iterator<Item = &'h Header>) {
    stack.push_table(2, 0);
    for (index, field) in (1..).zip(fields) {
        stack.push_bytes(&field.value);
        stack.set_item(index);
    }
}
