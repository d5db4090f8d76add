//! From words to the tree, one directive at a time.

use std::sync::Arc;

use super::directives::{DIRECTIVES, DirectiveWord, Meaning, directive};
use super::faults::{Faults, shown};
use super::kinds::kind;
use super::lexer::{Excerpt, Lexeme, Lines, words};
use super::tree::{Directive, DirectiveKind, Word};
use crate::diagnostic::{Diagnostic, Source, Span, nearest};
use crate::memory::heap::staying;

/// What a file says, `Include` too.
pub(super) enum Item {
    Directive(Directive),
    Include(Include),
}

/// `Include` or `IncludeOptional`.
pub(super) struct Include {
    pub(super) path: Word,
    /// Whether there may be no such file.
    pub(super) optional: bool,
}

/// A source of these bytes. Its text is as long as they are, so that places fit both: a byte that
/// is not UTF-8 is a `?` in it.
pub fn source(name: impl Into<String>, bytes: &[u8]) -> Arc<Source> {
    // Rules say for good where they stand.
    staying(|| {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| '?'));
        }
        Source::new(name, text)
    })
}

/// Reads rules that stand alone, such as those of a test; `source` is [`source`] of the same bytes.
/// Always a tree, and every fault, up to 1,000. To include files is a fault: see [`super::load`].
pub fn parse(source: &Arc<Source>, bytes: &[u8]) -> (Vec<Directive>, Vec<Diagnostic>) {
    let mut faults = Faults::new(source);
    let mut directives = Vec::new();
    for item in items(bytes, &mut faults) {
        match item {
            Item::Directive(directive) => directives.push(directive),
            Item::Include(include) => {
                let (message, span) = ("files cannot be included here", include.path.span);
                let fault = faults.error("seclang::include-outside-file", message, span, "here");
                faults.push(fault.help("name the file in the settings, under `rules`"));
            }
        }
    }
    (directives, faults.into_list())
}

/// All that a file says.
pub(super) fn items(bytes: &[u8], faults: &mut Faults) -> Vec<Item> {
    let mut lines = Lines::new(bytes);
    let mut items = Vec::new();
    while let Some(line) = lines.next(faults).filter(|_| !faults.are_enough()) {
        if opens_block(&line) {
            lines.skip_block();
        }
        let Some(words) = words(&line, faults) else { continue };
        items.extend(item(&words, faults));
    }
    items
}

/// Coraza's `SecDataset` goes on over a block in backticks.
fn opens_block(line: &Excerpt) -> bool {
    let dataset =
        line.text().get(..10).is_some_and(|name| name.eq_ignore_ascii_case(b"SecDataset"));
    dataset && line.text().ends_with(b"`")
}

fn item(words: &[Lexeme], faults: &mut Faults) -> Option<Item> {
    let (name, arguments) = words.split_first()?;
    let Some(known) = directive(name.content.text()) else {
        unknown(name, faults);
        return None;
    };
    let span = arguments.last().map_or(name.span, |last| join(name.span, last.span));
    if !count_fits(known, name, arguments, faults) || !is_used(known, name, arguments, faults) {
        let is_rule = RULES.contains(&known.name);
        let kind = DirectiveKind::FaultyRule;
        let source = faults.source().clone();
        return is_rule.then_some(Item::Directive(Directive { source, span, kind }));
    }
    if let ("Include" | "IncludeOptional", Some(path)) = (known.name, arguments.first()) {
        let optional = known.name == "IncludeOptional";
        return Some(Item::Include(Include { path: path.word(), optional }));
    }
    let kind = kind(known, arguments, faults);
    Some(Item::Directive(Directive { source: faults.source().clone(), span, kind }))
}

fn unknown(name: &Lexeme, faults: &mut Faults) {
    let text = name.content.text();
    let message = format!("unknown directive `{}`", shown(text));
    let fault = faults.error("seclang::unknown-directive", message, name.span, "not a directive");
    faults.push(fault.help(instead_of(name, text)));
}

/// Directives that can be a link of a chain.
const RULES: [&str; 3] = ["SecAction", "SecRule", "SecRuleScript"];

/// The next step for whoever wrote a word that is no directive.
fn instead_of(name: &Lexeme, text: &[u8]) -> String {
    if text.starts_with(b"<") {
        return "Apache's containers are not read: keep only what stands inside them".to_owned();
    }
    if name.is_quoted() {
        return "if it belongs to the line above, end that line with `\\`".to_owned();
    }
    match nearest(&shown(text), DIRECTIVES.iter().map(|entry| entry.name)) {
        Some(known) => format!("did you mean `{known}`?"),
        None => "a line begins with a directive, such as `SecRule`".to_owned(),
    }
}

fn count_fits(
    known: &DirectiveWord,
    name: &Lexeme,
    arguments: &[Lexeme],
    faults: &mut Faults,
) -> bool {
    let (least, most) = known.arguments;
    if let Some(extra) = arguments.get(most) {
        let message = format!("`{}` takes {}", known.name, counted(known.arguments));
        let fault = faults.error("seclang::extra-argument", message, extra.span, "one too many");
        faults.push(fault.help("an argument that holds blanks stands in double quotes"));
        return false;
    }
    if arguments.len() < least {
        let message = format!("`{}` takes {}", known.name, counted(known.arguments));
        let label = format!("has {}", arguments.len());
        let fault = faults.error("seclang::missing-argument", message, name.span, label);
        faults.push(fault.help("a rule may go on over several lines, each ended by `\\`"));
        return false;
    }
    true
}

fn counted((least, most): (usize, usize)) -> String {
    let noun = if most == 1 { "argument" } else { "arguments" };
    match most {
        usize::MAX => format!("at least {least} {noun}"),
        _ if least == most => format!("{most} {noun}"),
        _ => format!("{least} to {most} {noun}"),
    }
}

fn is_used(
    known: &DirectiveWord,
    name: &Lexeme,
    arguments: &[Lexeme],
    faults: &mut Faults,
) -> bool {
    let off =
        arguments.first().is_some_and(|word| word.content.text().eq_ignore_ascii_case(b"off"));
    match known.meaning {
        Meaning::Used => return true,
        // What is off has no effect in the first place.
        Meaning::Ignored(_) | Meaning::RefusedUnlessOff(_) if off => {}
        Meaning::Ignored(reason) => {
            let message = format!("`{}` has no effect: {reason}", known.name);
            let fault = faults.warning("seclang::ignored-directive", message, name.span, "ignored");
            faults.push(fault);
        }
        Meaning::Refused(reason) | Meaning::RefusedUnlessOff(reason) => {
            let message = format!("`{}` is not supported", known.name);
            let fault = faults.error("seclang::refused-directive", message, name.span, "refused");
            faults.push(fault.help(reason));
        }
    }
    false
}

fn join(first: Span, last: Span) -> Span {
    Span { start: first.start, end: last.end }
}

#[cfg(test)]
mod tests {
    use super::super::tree::{Directive, DirectiveKind, RuleSelector};
    use super::{parse, source};
    use crate::diagnostic::{Diagnostic, render};

    fn read(text: impl AsRef<[u8]>) -> (Vec<Directive>, Vec<Diagnostic>) {
        parse(&source("a.conf", text.as_ref()), text.as_ref())
    }

    fn one(text: &str) -> DirectiveKind {
        let (mut directives, faults) = read(text);
        assert!(faults.is_empty(), "{}", render(&faults));
        assert_eq!(directives.len(), 1, "{text}");
        directives.remove(0).kind
    }

    #[test]
    fn a_rule_has_targets_an_operator_and_actions() {
        let text = "secrule ARGS|!ARGS:/^a|b/ \"!@rx ^\\\"\\d\" \\\n    \"id:1,\\\n    phase:2,\\\n    pass\"\n";
        let DirectiveKind::Rule(rule) = one(text) else { panic!("a rule") };
        assert_eq!(rule.targets.len(), 2);
        assert!(rule.operator.negated);
        assert_eq!(rule.operator.name.text, b"rx");
        assert_eq!(rule.operator.argument.text, b"^\"\\d");
        let places = rule.actions.iter().map(|action| &text[action.span.start..action.span.end]);
        assert_eq!(places.collect::<Vec<_>>(), ["id:1", "phase:2", "pass"]);
    }

    #[test]
    fn a_link_of_a_chain_needs_no_actions() {
        let DirectiveKind::Rule(rule) = one("SecRule ARGS ^a") else { panic!("a rule") };
        assert!(rule.actions.is_empty());
    }

    #[test]
    fn tuning_directives_say_which_rules_and_what_of_them() {
        let ids = |kind: &DirectiveKind| match kind {
            DirectiveKind::Remove(RuleSelector::Id(ids, _))
            | DirectiveKind::UpdateTargets { rules: RuleSelector::Id(ids, _), .. } => ids.clone(),
            _ => Vec::new(),
        };
        let removed = one("SecRuleRemoveById 1 \"2 5-7\" 9,10");
        assert_eq!(ids(&removed), [(1, 1), (2, 2), (5, 7), (9, 9), (10, 10)]);
        let updated = one("SecRuleUpdateTargetById 1-2 !ARGS:a,!ARGS:/b|c/ REQUEST_URI");
        assert_eq!(ids(&updated), [(1, 2)]);
        let DirectiveKind::UpdateTargets { targets, replaced, .. } = updated else { panic!() };
        assert_eq!((targets.len(), replaced.len()), (2, 1));
        let tag = one("SecRuleRemoveByTag attack-.*");
        assert!(
            matches!(tag, DirectiveKind::Remove(RuleSelector::Tag(tag)) if tag.text == b"attack-.*")
        );
        let message = one("SecRuleUpdateTargetByMsg 'SQL Inj' !ARGS");
        assert!(
            matches!(message, DirectiveKind::UpdateTargets { rules: RuleSelector::Message(text), .. } if text.text == b"SQL Inj")
        );
        let actions = one("SecRuleUpdateActionById 12:1 deny,status:403");
        assert!(
            matches!(actions, DirectiveKind::UpdateActions { id, actions } if id.text == b"12:1" && actions.len() == 2)
        );
    }

    #[test]
    fn other_directives_are_settings_in_the_spelling_of_the_manual() {
        let cases = [
            ("SECRULEENGINE On", "SecRuleEngine", vec!["On"]),
            ("SecResponseBodyMimeType a/b c/d", "SecResponseBodyMimeType", vec!["a/b", "c/d"]),
            ("SecResponseBodyMimeTypesClear", "SecResponseBodyMimeTypesClear", vec![]),
            ("SecComponentSignature \"A/1\"", "SecComponentSignature", vec!["A/1"]),
        ];
        for (text, expected_name, expected) in cases {
            let DirectiveKind::Setting { name, arguments } = one(text) else { panic!("{text}") };
            let arguments: Vec<_> = arguments.iter().map(|word| word.as_str()).collect();
            assert_eq!(name, expected_name);
            assert_eq!(arguments, expected);
        }
        assert!(
            matches!(one("SecMarker \"END-X\""), DirectiveKind::Marker(word) if word.text == b"END-X")
        );
        assert!(
            matches!(one("SecAction id:1,pass"), DirectiveKind::Action(list) if list.len() == 2)
        );
        assert!(
            matches!(one("SecDefaultAction 'phase:1,log'"), DirectiveKind::DefaultAction(list) if list.len() == 2)
        );
    }

    #[test]
    fn every_fault_of_a_text_is_told_at_once_and_the_rest_is_read() {
        let cases = [
            ("SecRul ARGS ^a", "seclang::unknown-directive"),
            ("<IfModule a>", "seclang::unknown-directive"),
            ("\"id:1\"", "seclang::unknown-directive"),
            ("SecRule ARGS", "seclang::missing-argument"),
            ("SecRule ARGS ^a id:1 b", "seclang::extra-argument"),
            ("SecRule \"\" ^a id:1", "seclang::no-target"),
            ("SecRule ARGS \"^a id:1", "seclang::unclosed-quote"),
            ("SecAction \" \"", "seclang::no-action"),
            ("SecRuleRemoveById a", "seclang::not-a-rule-id"),
            ("SecRuleRemoveByTag ''", "seclang::no-rule"),
            ("SecRuleUpdateActionById a pass", "seclang::not-a-rule-id"),
            ("SecRuleScript a.lua", "seclang::refused-directive"),
            ("SecHashEngine On", "seclang::refused-directive"),
            ("SecTmpDir /tmp", "seclang::ignored-directive"),
            ("SecDataset a `\na\nSecRule b\n`", "seclang::refused-directive"),
            ("Include a.conf", "seclang::include-outside-file"),
        ];
        let lines: Vec<_> = cases.iter().map(|(line, _)| *line).collect();
        let text = lines.join("\nSecMarker x\n");
        let (directives, faults) = read(&text);
        let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
        assert_eq!(codes, cases.map(|(_, code)| code));
        let markers = directives.iter().filter(|one| matches!(one.kind, DirectiveKind::Marker(_)));
        assert_eq!(markers.count(), cases.len() - 1);
        let off = read("SecHashEngine Off\nSecStatusEngine off").1;
        assert!(off.is_empty(), "what is off has no effect anyway");
    }

    #[test]
    fn the_settings_that_other_engines_recommend_are_no_error() {
        let text = "\
SecRuleEngine DetectionOnly\nSecRxPreFilter Off\nSecRequestBodyAccess On
SecRule REQUEST_HEADERS:Content-Type \"^application/json\" \\\n     \"id:'1',phase:1,t:none,pass\"
SecRequestBodyLimit 13107200\nSecRequestBodyNoFilesLimit 131072
SecRequestBodyInMemoryLimit 131072\nSecRequestBodyLimitAction Reject
SecRequestBodyJsonDepthLimit 512\nSecArgumentsLimit 1000
SecRule &ARGS \"@ge 1000\" \\\n\"id:'2', phase:2,t:none,log,deny,status:400,severity:2\"
SecPcreMatchLimit 1000\nSecPcreMatchLimitRecursion 1000
SecRule TX:/^MSC_/ \"!@streq 0\" \\\n  \"id:'3',phase:2,deny,msg:'error: %{MATCHED_VAR_NAME}'\"
SecResponseBodyAccess On\nSecResponseBodyMimeType text/plain text/html text/xml
SecResponseBodyLimit 524288\nSecResponseBodyLimitAction ProcessPartial
SecTmpDir /tmp/\nSecDataDir /tmp/\nSecUploadKeepFiles RelevantOnly\nSecDebugLogLevel 3
SecAuditEngine RelevantOnly\nSecAuditLogRelevantStatus \"^(?:5|4(?!04))\"
SecAuditLogParts ABIJDEFHZ\nSecAuditLogType Serial\nSecAuditLog /var/log/audit.log
SecAuditLogFormat Native\nSecArgumentSeparator &\nSecCookieFormat 0
SecUnicodeMapFile unicode.mapping 20127\nSecStatusEngine Off\n";
        let (directives, faults) = read(text);
        assert_eq!(directives.len(), 19);
        assert!(faults.iter().all(|fault| fault.code == "seclang::ignored-directive"));
        assert_eq!(faults.len(), 11, "{}", render(&faults));
    }

    #[test]
    fn a_caret_stands_under_the_fault_in_its_own_line() {
        let text = "SecRule ARGS \"@contains é\" \\\n  \"id:1,\\\n   msg:'a\"\nSecRul x\n";
        let expected = "\
error[seclang::unclosed-quote]: unclosed single quote
 --> a.conf:3:8
  |
3 |    msg:'a\"
  |        ^ opened here, never closed
  |
  = help: a `'` inside the value is written `\\'`
error[seclang::unknown-directive]: unknown directive `SecRul`
 --> a.conf:4:1
  |
4 | SecRul x
  | ^^^^^^ not a directive
  |
  = help: did you mean `SecRule`?
";
        assert_eq!(render(&read(text).1), expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_in_words_and_shown_as_question_marks() {
        let bytes = b"# \xff\xfe\nSecRule ARGS \"@rx [\xb4\xe2\x80\x98]\" \"id:\xf0\"";
        let shown = source("a.conf", bytes);
        assert_eq!(shown.text.len(), bytes.len());
        assert_eq!(shown.text, "# ??\nSecRule ARGS \"@rx [?‘]\" \"id:?\"");
        let (directives, _) = parse(&shown, bytes);
        let DirectiveKind::Rule(rule) = &directives[0].kind else { panic!("a rule") };
        assert_eq!(rule.operator.argument.text, b"[\xb4\xe2\x80\x98]");
    }
}
