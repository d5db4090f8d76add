//! How many, and which.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::transaction::Request;

/// The whole, in hundredths of a percent.
const WHOLE: u32 = 10_000;
/// Bytes of a cookie's or field's name at the most.
const LONGEST: usize = 64;
/// Bytes of a cookie or field that are looked at.
const LOOKED_AT: usize = 256;

/// How many of all: 0.01 to 100 percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Share(u32);

/// What a client is known by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Sticky {
    /// Its address; of IPv6, its network of 64 bits.
    #[default]
    Address,
    /// A cookie; without it, its address.
    Cookie(String),
    /// A field of the request; without it, its address.
    Header(String),
}

impl Share {
    /// All.
    pub const ALL: Self = Self(WHOLE);

    /// So many percent.
    ///
    /// # Errors
    /// If it is not 0.01 to 100.
    pub fn percent(percent: f64) -> Result<Self, String> {
        let hundredths = (percent * 100.0).round();
        if (1.0..=f64::from(WHOLE)).contains(&hundredths) {
            return Ok(Self(hundredths as u32));
        }
        Err(format!("`percent` is 0.01 to 100, not {percent}"))
    }

    /// So many hundredths of a percent, 1 to 10,000; what is more or less is the nearest.
    pub fn hundredths(hundredths: u32) -> Self {
        Self(hundredths.clamp(1, WHOLE))
    }

    /// Whether what drew this number is one of them.
    pub(super) fn takes(self, drawn: u64) -> bool {
        drawn % u64::from(WHOLE) < self.0.into()
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(percent: f64) -> Result<Self, String> {
        Self::percent(percent)
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        Self::from(share.0) / 100.0
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(*self))
    }
}

impl Sticky {
    /// As written: `address`, `cookie:NAME`, `header:NAME`.
    ///
    /// # Errors
    /// If it is none of them.
    pub fn parse(text: &str) -> Result<Self, String> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let named = |name: &str| {
            let fits = !name.is_empty() && name.len() <= LONGEST && name.bytes().all(token);
            fits.then(|| name.to_owned())
        };
        let known = match text.split_once(':') {
            None if text == "address" => Some(Self::Address),
            Some(("cookie", name)) => named(name).map(Self::Cookie),
            Some(("header", name)) => named(name).map(Self::Header),
            _ => None,
        };
        known.ok_or_else(|| {
            let shown: String = text.chars().take(LONGEST).collect();
            let shown = shown.escape_default();
            format!("`sticky`: `{shown}` is none of `address`, `cookie:NAME`, `header:NAME`")
        })
    }

    /// What the client is known by, if not by its address.
    pub(super) fn of(&self, request: &Request) -> Option<Bytes> {
        let mut value = match self {
            Self::Address => return None,
            Self::Cookie(name) => cookie(request, name)?,
            Self::Header(name) => request.headers.get(name)?.clone(),
        };
        value.truncate(LOOKED_AT);
        (!value.is_empty()).then_some(value)
    }
}

/// The first cookie of that name.
fn cookie(request: &Request, name: &str) -> Option<Bytes> {
    let value = |field: &Bytes| {
        let mut pairs = field.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let own = pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
        own.map(|value| field.slice_ref(value))
    };
    request.headers.get_all("cookie").find_map(value)
}

impl TryFrom<String> for Sticky {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Sticky> for String {
    fn from(sticky: Sticky) -> Self {
        match sticky {
            Sticky::Address => "address".to_owned(),
            Sticky::Cookie(name) => format!("cookie:{name}"),
            Sticky::Header(name) => format!("header:{name}"),
        }
    }
}
