//! How far a handler counts (`off`, `shadow`, `sample 5%`, `enforce`), and how a change of the files
//! comes in force.

use std::fmt;

use super::Named;

/// The whole, in hundredths of a percent.
const WHOLE: u32 = 10_000;

/// How far a handler counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HandlerMode {
    /// It does what it says.
    #[default]
    Enforce,
    /// It does not run.
    Off,
    /// It runs without effect for a share of the exchanges, in hundredths of a percent: 1 to 10,000.
    Sample(u32),
    /// It runs without effect.
    Shadow,
}

/// How a change of the files comes in force: for a share of the clients first.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// The share, in hundredths of a percent: 1 to 10,000.
    pub share: u32,
    /// What a client is known by: `address`, `cookie:NAME`, `header:NAME`.
    pub sticky: String,
    /// What it must be like, as written; what is not said is as usual.
    pub gates: serde_json::Value,
    /// Where it is said.
    pub place: Named,
}

impl HandlerMode {
    /// As written; none if it is no mode.
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "enforce" => Some(Self::Enforce),
            "off" => Some(Self::Off),
            "shadow" => Some(Self::Shadow),
            other => sample(other).map(Self::Sample),
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Off => "off",
            Self::Sample(_) => "sample",
            Self::Shadow => "shadow",
        }
    }

    /// Whether it runs, but has no effect.
    pub fn is_without_effect(self) -> bool {
        matches!(self, Self::Sample(_) | Self::Shadow)
    }

    /// The exchanges that it runs for, in percent.
    pub fn percent(self) -> f64 {
        match self {
            Self::Enforce | Self::Shadow => 100.0,
            Self::Off => 0.0,
            Self::Sample(share) => f64::from(share) / 100.0,
        }
    }

    /// Whether it runs without effect for the exchange of this id, which is 32 random hex digits:
    /// who is drawn for a small share is drawn for a larger one too.
    pub fn draws(self, id: &str) -> bool {
        match self {
            Self::Shadow => true,
            Self::Sample(share) => {
                let drawn = id.get(..16).and_then(|id| u64::from_str_radix(id, 16).ok());
                drawn.is_some_and(|drawn| drawn % u64::from(WHOLE) < u64::from(share))
            }
            Self::Enforce | Self::Off => false,
        }
    }
}

/// `sample 5%`, in hundredths of a percent.
fn sample(text: &str) -> Option<u32> {
    let percent = text.strip_prefix("sample ")?.trim().strip_suffix('%')?.trim();
    share(percent.parse().ok()?)
}

/// A share in hundredths of a percent; none if it is not 0.01 to 100 percent.
pub(super) fn share(percent: f64) -> Option<u32> {
    let hundredths = (percent * 100.0).round();
    (1.0..=f64::from(WHOLE)).contains(&hundredths).then_some(hundredths as u32)
}

impl fmt::Display for HandlerMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sample(_) => write!(f, "sample {}%", self.percent()),
            mode => f.write_str(mode.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HandlerMode::{self, Enforce, Off, Sample, Shadow};

    #[test]
    fn a_mode_is_a_word_or_a_share() {
        for (text, mode) in [
            ("enforce", Some(Enforce)),
            ("off", Some(Off)),
            ("shadow", Some(Shadow)),
            ("sample 5%", Some(Sample(500))),
            ("sample 0.01 %", Some(Sample(1))),
            ("sample 100%", Some(Sample(10_000))),
            ("sample 0%", None),
            ("sample 101%", None),
            ("sample NaN%", None),
            ("sample 5", None),
            ("canary", None),
        ] {
            assert_eq!(HandlerMode::parse(text), mode, "{text}");
        }
        assert_eq!(Sample(250).to_string(), "sample 2.5%");
    }

    #[test]
    fn a_larger_share_has_who_is_of_the_smaller_one() {
        let ids: Vec<String> = (0..4000_u64).map(|at| format!("{:016x}", at * 0x9e37)).collect();
        let drawn = |mode: HandlerMode| -> Vec<&String> {
            ids.iter().filter(|id| mode.draws(id)).collect()
        };
        let (few, many) = (drawn(Sample(500)), drawn(Sample(2000)));
        assert!((150..250).contains(&few.len()) && few.iter().all(|id| many.contains(id)));
        assert_eq!((drawn(Shadow).len(), drawn(Off).len()), (4000, 0));
    }
}
