//! What a write would come to, without it: nothing changes, not even which entry was used last.

use super::store::{Content, ENTRY_BYTES, Now, Store, Write};
use super::{End, Entry, Fault, Scalar, Written};

impl Store {
    pub fn peek(&self, key: &[u8], now: &Now) -> Result<Option<Entry>, Fault> {
        let Some(node) = self.seen(key) else { return Ok(None) };
        let stale = node.is_stale(now);
        match &node.content {
            Content::One(value) => {
                Ok(Some(Entry { value: value.clone(), flags: node.flags, stale }))
            }
            Content::List(_) if stale => Ok(None),
            Content::List(_) => Err(Fault::IsAList),
        }
    }

    pub fn would_write(
        &self,
        key: &[u8],
        value: &Scalar,
        write: Write,
        now: &Now,
    ) -> Result<Written, Fault> {
        let there = self.seen_valid(key, now).is_some();
        match write {
            Write::Add | Write::SafeAdd if there => Err(Fault::Exists),
            Write::Replace if !there => Err(Fault::NotFound),
            _ if !self.slab.could_hold(ENTRY_BYTES + key.len() + value.bytes()) => {
                Err(Fault::NoMemory { forcible: false })
            }
            _ => Ok(Written { result: (), forcible: false }),
        }
    }

    pub fn would_incr(
        &self,
        key: &[u8],
        by: f64,
        init: Option<f64>,
        now: &Now,
    ) -> Result<Written<f64>, Fault> {
        let number = match self.seen_valid(key, now).map(|node| &node.content) {
            Some(Content::One(Scalar::Number(number))) => *number,
            Some(_) => return Err(Fault::NotANumber),
            None => init.ok_or(Fault::NotFound)?,
        };
        Ok(Written { result: number + by, forcible: false })
    }

    pub fn would_pop(&self, key: &[u8], end: End, now: &Now) -> Result<Option<Scalar>, Fault> {
        match self.seen_valid(key, now).map(|node| &node.content) {
            Some(Content::List(list)) => Ok(match end {
                End::Left => list.front().map(|(value, _)| value.clone()),
                End::Right => list.back().map(|(value, _)| value.clone()),
            }),
            Some(Content::One(_)) => Err(Fault::NotAList),
            None => Ok(None),
        }
    }

    pub fn peek_length(&self, key: &[u8], now: &Now) -> Result<usize, Fault> {
        match self.seen_valid(key, now).map(|node| &node.content) {
            Some(Content::List(list)) => Ok(list.len()),
            Some(Content::One(_)) => Err(Fault::NotAList),
            None => Ok(0),
        }
    }
}
