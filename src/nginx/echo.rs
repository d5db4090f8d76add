//! The echo module's directives: one Lua script that says the same.

use std::fmt::Write as _;

use super::Emerg;
use super::tree::Directive;

/// The script of a location's echo directives; none if it has none that answer.
pub(super) fn script(block: &[Directive]) -> Result<Option<String>, Emerg> {
    let mut code = String::new();
    for directive in block {
        line(directive, &mut code)?;
    }
    Ok((!code.is_empty()).then(|| format!("{PREAMBLE}{code}")))
}

/// What `echo_before_body` and `echo_after_body` add, as a script of `body_filter`.
pub(super) fn around(block: &[Directive]) -> Option<String> {
    let said = |name: &str| {
        let named = block.iter().filter(|directive| directive.name == name);
        let texts: Vec<String> = named.map(text).collect();
        (!texts.is_empty()).then(|| texts.join(" .. "))
    };
    let (before, after) = (said("echo_before_body"), said("echo_after_body"));
    if before.is_none() && after.is_none() {
        return None;
    }
    let mut code = PREAMBLE.to_owned();
    if let Some(before) = before {
        let _ = writeln!(
            code,
            "if not ngx.ctx.echo_begun then ngx.ctx.echo_begun = true; ngx.arg[1] = {before} .. ngx.arg[1] end"
        );
    }
    if let Some(after) = after {
        let _ = writeln!(code, "if ngx.arg[2] then ngx.arg[1] = ngx.arg[1] .. {after} end");
    }
    Some(code)
}

const PREAMBLE: &str = "\
local own = {
  echo_request_method = function() return ngx.req.get_method() end,
  echo_client_request_method = function() return ngx.req.get_method() end,
  echo_client_request_headers = function() return ngx.req.raw_header() end,
  echo_request_body = function()
    ngx.req.read_body()
    local path = ngx.req.get_body_file()
    if not path then return ngx.req.get_body_data() end
    local file = io.open(path, \"rb\")
    local body = file and file:read(\"*a\")
    if file then file:close() end
    return body
  end,
  echo_request_uri = function() return ngx.var.uri .. ngx.var.is_args .. (ngx.var.args or \"\") end,
  echo_response_status = function() return ngx.status end,
  echo_timer_elapsed = function() return string.format(\"%.3f\", ngx.now() - ngx.req.start_time()) end,
}
local function v(name) return (own[name] and own[name]() or ngx.var[name]) or \"\" end
";

fn line(directive: &Directive, code: &mut String) -> Result<(), Emerg> {
    let arg = |index: usize| template(directive.arg(index));
    let _ = match directive.name.as_str() {
        "echo" => writeln!(code, "ngx.print({})", text(directive)),
        "echo_duplicate" => {
            writeln!(code, "ngx.print(string.rep({}, tonumber({}) or 0))", arg(1), arg(0))
        }
        "echo_flush" => writeln!(code, "ngx.flush(true)"),
        "echo_sleep" | "echo_blocking_sleep" => {
            writeln!(code, "ngx.sleep(tonumber({}) or 0)", arg(0))
        }
        "echo_status" => writeln!(code, "ngx.status = tonumber({}) or 200", arg(0)),
        "echo_read_request_body" => writeln!(code, "ngx.req.read_body()"),
        "echo_request_body" => {
            writeln!(code, "ngx.print(v(\"echo_request_body\"))")
        }
        "echo_exec" => match directive.args.len() {
            1 => writeln!(code, "return ngx.exec({})", arg(0)),
            _ => writeln!(code, "return ngx.exec({}, {})", arg(0), arg(1)),
        },
        "echo_location" | "echo_location_async" => {
            let args = if directive.args.len() > 1 { arg(1) } else { "nil".to_owned() };
            let options = format!("{{ args = {args}, error_pages = true }}");
            writeln!(code, "ngx.print(ngx.location.capture({}, {options}).body)", arg(0))
        }
        "echo_subrequest" | "echo_subrequest_async" => subrequest(directive, code)?,
        _ => return Ok(()),
    };
    Ok(())
}

fn subrequest(directive: &Directive, code: &mut String) -> Result<std::fmt::Result, Emerg> {
    let method = directive.arg(0);
    let plain = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase());
    if !plain {
        return Err(directive.fault(format!("invalid method \"{method}\"")));
    }
    let mut options = vec![format!("method = ngx.HTTP_{method}, error_pages = true")];
    let mut rest = directive.args.iter().skip(2);
    while let Some(option) = rest.next() {
        let value = rest.next().map(|value| template(value)).unwrap_or_default();
        match option.as_str() {
            "-b" => options.push(format!("body = {value}")),
            "-q" => options.push(format!("args = {value}")),
            other => return Err(directive.fault(format!("invalid option \"{other}\""))),
        }
    }
    let uri = template(directive.arg(1));
    let options = options.join(", ");
    Ok(writeln!(code, "ngx.print(ngx.location.capture({uri}, {{ {options} }}).body)"))
}

/// The words of an `echo`, joined by blanks; `-n` leaves the new line out.
fn text(directive: &Directive) -> String {
    let mut words: Vec<&str> = directive.args.iter().map(String::as_str).collect();
    let bare = words.first() == Some(&"-n");
    if bare || words.first() == Some(&"--") {
        words.remove(0);
    }
    let joined = words.iter().map(|word| template(word)).collect::<Vec<_>>().join(" .. \" \" .. ");
    match (joined.is_empty(), bare) {
        (true, true) => "\"\"".to_owned(),
        (true, false) => "\"\\n\"".to_owned(),
        (false, true) => joined,
        (false, false) => format!("{joined} .. \"\\n\""),
    }
}

/// A text with variables as an expression.
pub(super) fn template(text: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        let after = after.get(1..).unwrap_or_default();
        let (name, next) = name(after);
        if !before.is_empty() {
            parts.push(literal(before));
        }
        parts.push(if name.is_empty() { literal("$") } else { format!("v({})", literal(name)) });
        rest = next;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(literal(rest));
    }
    parts.join(" .. ")
}

/// The variable's name behind a `$`, and what follows it.
fn name(text: &str) -> (&str, &str) {
    if let Some((name, rest)) = text.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
        return (name, rest);
    }
    let plain = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let end = text.find(|character| !plain(character)).unwrap_or(text.len());
    text.split_at(end)
}

/// A text as a string of Lua.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => out.push(char::from(byte)),
            other => {
                let _ = write!(out, "\\{other:03}");
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::template;

    #[test]
    fn a_text_with_variables_becomes_an_expression() {
        for (text, wanted) in [
            ("a", "\"a\""),
            ("", "\"\""),
            ("a$b.c", "\"a\" .. v(\"b\") .. \".c\""),
            ("${b}c", "v(\"b\") .. \"c\""),
            ("a$", "\"a\" .. \"$\""),
            ("a\"\n", "\"a\\\"\\010\""),
        ] {
            assert_eq!(template(text), wanted);
        }
    }
}
