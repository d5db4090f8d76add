//! What a route does before its `rewrite` handlers run: its steps, in the order written.

use std::borrow::Cow;

use bytes::Bytes;

use super::set::script;
use super::step::{closed, decided, run_all};
use super::{Exchange, Flow};
use crate::config::Template;
use crate::config::serving::{AfterRewrite, PathKind, RewriteStep, Test};
use crate::policy::captures;
use crate::script::variable;
use crate::transaction::{Phase, Transaction, encode_path};

/// nginx's status for a connection that is closed without an answer.
const CLOSED: u16 = 444;

/// How steps ended.
enum End {
    /// All of them ran.
    All,
    /// No further ones are to run.
    Break,
    /// They led somewhere.
    Flow(Flow),
}

/// Runs the steps of the route; [`Flow::Reroute`] where the path is another by now.
pub(super) fn run(exchange: &Exchange) -> Flow {
    let plan = exchange.plan();
    if plan.serving.steps.is_empty() {
        return Flow::Continue;
    }
    let mut moves = Moves { exchange, route: exchange.place(), rewritten: false };
    match moves.all(&plan.serving.steps) {
        End::Flow(flow) => flow,
        End::All | End::Break if moves.rewritten => exchange.reroute(),
        End::All | End::Break => Flow::Continue,
    }
}

/// Sends a client on that asks for the route's prefix without its slash.
pub(super) fn to_folder(exchange: &Exchange) -> Option<Flow> {
    let folder = exchange.plan().folder.as_deref()?;
    let mut transaction = exchange.subject.transaction.borrow_mut();
    if *transaction.request.normalized_path() != *folder.as_bytes() {
        return None;
    }
    let mut to = format!("{folder}/").into_bytes();
    if let Some(query) = &transaction.request.query {
        to.push(b'?');
        to.extend_from_slice(query);
    }
    let to = absolute(&transaction, &to);
    transaction.reply.headers.set("Location", to);
    drop(transaction);
    Some(decided(exchange, 301))
}

/// Runs the steps of the site, before a route is looked for.
pub(super) async fn of_site(exchange: &Exchange) -> Flow {
    let Some(own) = exchange.own_plan() else { return Flow::Continue };
    let Some(plan) = exchange.live.policy.plans.get(own) else { return Flow::Continue };
    let scripted = !plan.of(Phase::ServerRewrite).is_empty();
    if plan.serving.steps.is_empty() && !scripted {
        return Flow::Continue;
    }
    let before = exchange.place();
    exchange.enter(own);
    // The script comes first: it sees the path as the client sent it.
    match run_all(exchange, Phase::ServerRewrite).await {
        Flow::Continue => {}
        Flow::Reroute if exchange.is_rewritten() => {}
        flow => return flow,
    }
    let mut moves = Moves { exchange, route: own, rewritten: false };
    match moves.all(&plan.serving.steps) {
        End::Flow(flow) => return flow,
        End::All | End::Break => {}
    }
    let rewritten = moves.rewritten;
    // A branch that was entered is of the site, and a route is looked for all the same.
    if rewritten || scripted {
        exchange.find_again();
    } else {
        exchange.enter(before);
    }
    Flow::Continue
}

/// The value of a text with variables.
pub(super) fn render(exchange: &Exchange, template: &Template) -> Bytes {
    let transaction = exchange.subject.transaction.borrow();
    template.render(|name| variable(&transaction, name))
}

struct Moves<'a> {
    exchange: &'a Exchange,
    /// The route whose steps these are: its `set` handlers are named by their place.
    route: usize,
    /// Whether the path is another, and a route is to be found for it.
    rewritten: bool,
}

impl Moves<'_> {
    fn all(&mut self, steps: &[RewriteStep]) -> End {
        for step in steps {
            match self.one(step) {
                End::All => {}
                end => return end,
            }
        }
        End::All
    }

    fn one(&mut self, step: &RewriteStep) -> End {
        match step {
            RewriteStep::Break => return End::Break,
            RewriteStep::Enter(name) => {
                if let Some(plan) = self.exchange.live.policy.router.named(name) {
                    self.exchange.enter(plan);
                }
            }
            RewriteStep::If(test, then) if self.holds(test) => return self.all(then),
            RewriteStep::If(..) => {}
            RewriteStep::Return { status, text, to } => {
                return self.answer(*status, text.as_ref(), to.as_ref());
            }
            RewriteStep::Rewrite { pattern, to, then } => return self.rewrite(pattern, to, *then),
            RewriteStep::Script { handler, arguments } => {
                let values = arguments.iter().map(|text| self.render(text)).collect();
                if let Some(flow) = script(self.exchange, self.route, *handler, values) {
                    return End::Flow(flow);
                }
            }
            RewriteStep::Set(name, value) => {
                let value = self.render(value);
                let mut transaction = self.exchange.subject.transaction.borrow_mut();
                crate::script::set_variable(&mut transaction, name, value);
            }
        }
        End::All
    }

    fn render(&self, template: &Template) -> Bytes {
        render(self.exchange, template)
    }

    fn holds(&mut self, test: &Test) -> bool {
        match test {
            Test::Value(value) => !matches!(&self.render(value)[..], b"" | b"0"),
            Test::Equals(value, other) => self.render(value) == self.render(other),
            Test::Differs(value, other) => self.render(value) != self.render(other),
            Test::Matches(value, pattern) => self.matches(value, pattern),
            Test::Lacks(value, pattern) => !self.matches(value, pattern),
            Test::Path(path, kind, wanted) => is_there(&self.render(path), *kind) == *wanted,
        }
    }

    fn matches(&mut self, value: &Template, pattern: &regex::bytes::Regex) -> bool {
        let found = captures(pattern, &self.render(value));
        let matches = found.is_some();
        self.found(pattern, found.unwrap_or_default());
        matches
    }

    /// What groups found is known by number, and by name.
    fn found(&self, pattern: &regex::bytes::Regex, groups: Vec<Option<Bytes>>) {
        if groups.is_empty() {
            return;
        }
        let mut transaction = self.exchange.subject.transaction.borrow_mut();
        for (name, group) in pattern.capture_names().zip(&groups) {
            if let Some(name) = name {
                transaction.variables.set(name, Some(group.clone().unwrap_or_default()));
            }
        }
        transaction.captures = groups;
    }

    fn answer(&self, status: u16, text: Option<&Template>, to: Option<&Template>) -> End {
        if status == CLOSED {
            return End::Flow(closed(self.exchange));
        }
        let (text, to) = (text.map(|text| self.render(text)), to.map(|to| self.render(to)));
        let mut transaction = self.exchange.subject.transaction.borrow_mut();
        if let Some(to) = to {
            let to = absolute(&transaction, &to);
            transaction.reply.headers.set("Location", to);
        }
        if let Some(text) = text {
            transaction.reply.body.extend_from_slice(&text);
            transaction.reply.headers.set("Content-Length", text.len().to_string());
            transaction.reply.said = true;
            transaction.reply.status = status;
        } else if status < 300 {
            transaction.reply.headers.set("Content-Length", "0");
            transaction.reply.said = true;
            transaction.reply.status = status;
        }
        drop(transaction);
        End::Flow(decided(self.exchange, status))
    }

    fn rewrite(&mut self, pattern: &regex::bytes::Regex, to: &Template, then: AfterRewrite) -> End {
        let path = {
            let transaction = self.exchange.subject.transaction.borrow();
            transaction.request.normalized_path().into_owned()
        };
        let Some(groups) = captures(pattern, &path) else { return End::All };
        self.found(pattern, groups);
        let target = self.render(to);
        let target = self.with_query(target);
        match then {
            AfterRewrite::Redirect => return self.redirect(302, &target),
            AfterRewrite::Permanent => return self.redirect(301, &target),
            AfterRewrite::Break | AfterRewrite::Continue | AfterRewrite::Last => {}
        }
        let mark = memchr::memchr(b'?', &target).unwrap_or(target.len());
        let query = target.get(mark + 1..).filter(|query| !query.is_empty());
        let path = encode_path(target.get(..mark).unwrap_or_default());
        let mut transaction = self.exchange.subject.transaction.borrow_mut();
        transaction.request.path = path.into();
        transaction.request.query = query.map(Bytes::copy_from_slice);
        self.rewritten = then != AfterRewrite::Break;
        if then == AfterRewrite::Continue { End::All } else { End::Break }
    }

    /// The query that came stays behind the new one, unless that ends with a `?`.
    fn with_query(&self, target: Bytes) -> Vec<u8> {
        let transaction = self.exchange.subject.transaction.borrow();
        let mut target = target.to_vec();
        if target.last() == Some(&b'?') {
            target.pop();
            return target;
        }
        if let Some(query) = transaction.request.query.as_deref().filter(|query| !query.is_empty())
        {
            target.push(if target.contains(&b'?') { b'&' } else { b'?' });
            target.extend_from_slice(query);
        }
        target
    }

    fn redirect(&self, status: u16, target: &[u8]) -> End {
        let mark = memchr::memchr(b'?', target).unwrap_or(target.len());
        let (path, query) = target.split_at_checked(mark).unwrap_or((target, b""));
        let to = if path.starts_with(b"/") { encode_path(path) } else { path.to_vec() };
        let mut transaction = self.exchange.subject.transaction.borrow_mut();
        let to = absolute(&transaction, &[&to[..], query].concat());
        transaction.reply.headers.set("Location", to);
        transaction.reply.status = status;
        drop(transaction);
        End::Flow(decided(self.exchange, status))
    }
}

/// Where a path leads a client, with scheme and host, as nginx tells it. What a script asks of the node
/// stays on the node.
pub(super) fn absolute(transaction: &Transaction, to: &[u8]) -> Vec<u8> {
    if !to.starts_with(b"/") || transaction.is_subrequest {
        return to.to_vec();
    }
    let named = || transaction.site.as_deref().filter(|name| !name.is_empty()).map(Cow::Borrowed);
    let host = transaction.request.host().or_else(named);
    let host = host.unwrap_or_else(|| transaction.client.server.ip().to_string().into());
    let scheme = if transaction.client.tls.is_some() { "https" } else { "http" };
    let port = match transaction.client.server.port() {
        80 => String::new(),
        port => format!(":{port}"),
    };
    [format!("{scheme}://{host}{port}").as_bytes(), to].concat()
}

fn is_there(path: &[u8], kind: PathKind) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::PermissionsExt as _;
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(path));
    let Ok(found) = std::fs::metadata(path) else { return false };
    match kind {
        PathKind::Any => true,
        PathKind::Executable => found.permissions().mode() & 0o111 != 0,
        PathKind::File => found.is_file(),
        PathKind::Folder => found.is_dir(),
    }
}
