//! Variables that are made of others.

use super::Variable;

impl Variable {
    /// The variables that it is made of, in order; none: it is read from the exchange itself.
    pub(in crate::detection) fn parts(self) -> &'static [Self] {
        match self {
            Self::Args | Self::ArgsNames => &[Self::ArgsGet, Self::ArgsPost],
            Self::ArgsGetNames => &[Self::ArgsGet],
            Self::ArgsPostNames => &[Self::ArgsPost],
            Self::RequestCookiesNames => &[Self::RequestCookies],
            Self::RequestHeadersNames => &[Self::RequestHeaders],
            Self::ResponseHeadersNames => &[Self::ResponseHeaders],
            _ => &[],
        }
    }

    /// Whether its values are the names of what it is made of.
    pub(in crate::detection) fn is_of_names(self) -> bool {
        matches!(
            self,
            Self::ArgsNames
                | Self::ArgsGetNames
                | Self::ArgsPostNames
                | Self::RequestCookiesNames
                | Self::RequestHeadersNames
                | Self::ResponseHeadersNames
        )
    }
}
