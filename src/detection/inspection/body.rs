//! Bodies under inspection: how they are to be read, and what they were.

use bytes::Bytes;

use super::{BodyPlan, Inspection, World};
use crate::detection::Overflow;
use crate::detection::plan::{Plan, Target};
use crate::detection::variables::{
    Bodies, Variable, View, error, format_by_type, limits, media_type,
};
use crate::transaction::args::{Format, Limits, Parsed};
use crate::transaction::{RulePhase, Transaction};

/// Bytes of each uploaded file that `FILES_TMP_CONTENT` has.
const FILE_CONTENT: usize = 128 << 10;

impl Inspection {
    /// How the request body is to be read; none: not at all (`SecRequestBodyAccess Off`). To be
    /// asked after phase 1.
    ///
    /// The format is what `ctl:requestBodyProcessor` chose, else what `Content-Type` names (JSON
    /// and XML too: a rule set without ModSecurity's own configuration would not see into them).
    /// The bytes are kept for `REQUEST_BODY` where the authors of CRS expect it: of a form, of
    /// JSON, and when `ctl:forceRequestBodyVariable` asks for them and no format is known or it is
    /// XML. Of uploads, and of XML without that, rules see the parts only.
    pub fn body_plan(&self, transaction: &Transaction) -> Option<BodyPlan> {
        let settings = &self.profile.plan.settings;
        let switches = &self.state.switches;
        if !switches.request_body.unwrap_or(settings.request_body_access) {
            return None;
        }
        let format = switches.processor.or_else(|| format_by_type(transaction));
        Some(BodyPlan {
            format,
            limits: Limits { file_content: self.file_content(format), ..limits(settings) },
            limit: switches.request_limit.unwrap_or(settings.request_body_limit),
            overflow: settings.request_body_overflow,
            keep: match format {
                None | Some(Format::Xml) => switches.force_body,
                Some(Format::Json | Format::Raw | Format::UrlEncoded) => true,
                Some(Format::Multipart) => false,
            },
        })
    }

    /// Bytes of each uploaded file that rules look into.
    fn file_content(&self, format: Option<Format>) -> usize {
        let looks = |target: &Target| target.variable == Variable::FilesTmpContent;
        let sets = &self.profile.plan.target_sets;
        let wanted = format == Some(Format::Multipart)
            && sets.iter().any(|set| set.included.iter().any(looks));
        if wanted { FILE_CONTENT } else { 0 }
    }

    /// The request body, as far as it was looked at: its bytes if they were to be kept, what it
    /// says, its whole length, and whether it was longer than the limit.
    pub fn take_body(&mut self, bytes: impl Into<Bytes>, parsed: Parsed, length: u64, cut: bool) {
        self.bodies.request = Some(bytes.into()).filter(|bytes| !bytes.is_empty());
        self.bodies.parsed = parsed;
        self.bodies.request_length = length;
        self.state.budget.read(RulePhase::RequestBody, length);
        self.bodies.request_cut = cut;
    }

    /// What could not be read of query, cookies and body, if no rule looks at
    /// `REQBODY_ERROR`: then nobody else would notice that something was not looked at. To be asked
    /// before phase 2.
    pub fn unread(&self, transaction: &Transaction) -> Option<String> {
        if self.is_over(RulePhase::RequestBody) || self.profile.plan.judges_errors {
            return None;
        }
        error(&view(&self.bodies, &self.profile.plan, &self.world, transaction))
    }

    /// How many bytes of the response body are to be held for phase 4, and what becomes of more;
    /// none: nothing is looked at (its type is not named, or access is off). To be asked after
    /// phase 3. A body without a type is looked at: browsers guess that it is text.
    pub fn response_plan(&self, transaction: &Transaction) -> Option<(u64, Overflow)> {
        let settings = &self.profile.plan.settings;
        let switches = &self.state.switches;
        let media_type = media_type(transaction.response.as_ref()?);
        let named = |known: &String| media_type.eq_ignore_ascii_case(known.as_bytes());
        let wanted = switches.response_body.unwrap_or(settings.response_body_access)
            && (media_type.is_empty() || settings.response_types.iter().any(named));
        let limit = switches.response_limit.unwrap_or(settings.response_body_limit);
        wanted.then_some((limit, settings.response_body_overflow))
    }

    /// The response body, decompressed, as far as it was looked at, and whether there was more.
    pub fn take_response_body(&mut self, bytes: impl Into<Bytes>, cut: bool) {
        let bytes = bytes.into();
        self.state.budget.read(RulePhase::ResponseBody, bytes.len() as u64);
        self.bodies.response = Some(bytes);
        self.bodies.response_cut = cut;
    }
}

/// What variables are read from.
pub(super) fn view<'a>(
    bodies: &'a Bodies,
    plan: &'a Plan,
    world: &'a World,
    transaction: &'a Transaction,
) -> View<'a> {
    let World { now, collections, tables } = world;
    View { transaction, bodies, settings: &plan.settings, collections, tables, now: *now }
}
