//! Directives and their blocks, with what they include.

use std::path::Path;
use std::sync::Arc;

use super::Emerg;
use super::known::{self, Context, Shape};
use super::reader::{Read, Reader};
use crate::config::{Files, has_wildcard};

/// Blocks within blocks at the most.
const DEPTH: usize = 64;
/// Directives at the most: includes may include each other.
const MOST: usize = 100_000;

/// One directive.
#[derive(Debug, Clone)]
pub(super) struct Directive {
    pub(super) name: String,
    pub(super) args: Vec<String>,
    /// What stands between its braces.
    pub(super) block: Vec<Directive>,
    /// The Lua between its braces.
    pub(super) lua: Option<String>,
    /// The file, as messages name it.
    pub(super) file: Arc<str>,
    /// The file below the folder of the configuration, if it is there.
    pub(super) within: Option<Arc<str>>,
    /// The line of its `;` or `{`.
    pub(super) line: usize,
}

impl Directive {
    /// An argument; empty if it is not there.
    pub(super) fn arg(&self, index: usize) -> &str {
        self.args.get(index).map_or("", String::as_str)
    }

    /// Whether its only argument is `on`.
    pub(super) fn is_on(&self) -> bool {
        self.arg(0).eq_ignore_ascii_case("on")
    }

    /// What nginx says of it.
    pub(super) fn fault(&self, message: impl Into<String>) -> Emerg {
        Emerg { message: message.into(), file: self.file.to_string(), line: self.line }
    }

    /// As written, in short.
    pub(super) fn shown(&self) -> String {
        let words: Vec<&str> =
            [self.name.as_str()].into_iter().chain(self.args.iter().map(String::as_str)).collect();
        words.join(" ").chars().take(120).collect()
    }
}

/// Reads a file and what it includes.
pub(super) fn read(path: &Path, files: &dyn Files) -> Result<Vec<Directive>, Emerg> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut reading = Reading { files, folder, read: 0 };
    reading.file(path, &mut Vec::from([Context::Main]))
}

struct Reading<'a> {
    files: &'a dyn Files,
    /// Against which `include` takes relative paths.
    folder: &'a Path,
    read: usize,
}

impl Reading<'_> {
    fn file(&mut self, path: &Path, around: &mut Vec<Context>) -> Result<Vec<Directive>, Emerg> {
        let name = path.display().to_string();
        let bytes = self.files.read(path).map_err(|error| Emerg {
            message: format!("open() \"{name}\" failed ({})", system(&error)),
            file: String::new(),
            line: 0,
        })?;
        let text = String::from_utf8_lossy(&bytes);
        let mut reader = Reader::new(&text, &name);
        let file: Arc<str> = name.as_str().into();
        let (directives, closed) = self.block(&mut reader, &file, around)?;
        if closed { Err(reader.fault("unexpected \"}\"")) } else { Ok(directives) }
    }

    /// Directives to the closing brace (true) or the file's end (false).
    fn block(
        &mut self,
        reader: &mut Reader<'_>,
        file: &Arc<str>,
        around: &mut Vec<Context>,
    ) -> Result<(Vec<Directive>, bool), Emerg> {
        let mut directives = Vec::new();
        loop {
            self.read += 1;
            if self.read > MOST || around.len() > DEPTH {
                return Err(reader.fault("too many directives"));
            }
            let (words, block, lua) = match reader.next()? {
                Read::End => return Ok((directives, false)),
                Read::Close => return Ok((directives, true)),
                Read::Directive(words) => (words, false, None),
                Read::Block(words) => (words, true, None),
                Read::Lua(words, code, line) => (words, false, Some((code, line))),
            };
            let mut words = words.into_iter();
            let name = words.next().unwrap_or_default();
            let line = lua.as_ref().map_or(reader.line, |(_, line)| *line);
            let args: Vec<String> = words.collect();
            let lua = lua.map(|(code, _)| code);
            let folder = format!("{}/", self.folder.display());
            let within = file.strip_prefix(&*folder).map(Arc::from);
            let mut directive =
                Directive { name, args, block: Vec::new(), lua, file: file.clone(), within, line };
            if directive.name == "include" && !block && around.last() != Some(&Context::Free) {
                directives.extend(self.include(&directive, around)?);
                continue;
            }
            let inner = check(&directive, block, around)?;
            if block {
                around.push(inner);
                let (inside, closed) = self.block(reader, file, around)?;
                around.pop();
                if !closed {
                    return Err(reader.fault("unexpected end of file, expecting \"}\""));
                }
                directive.block = inside;
            }
            directives.push(directive);
        }
    }

    fn include(
        &mut self,
        directive: &Directive,
        around: &mut Vec<Context>,
    ) -> Result<Vec<Directive>, Emerg> {
        if directive.args.len() != 1 {
            return Err(directive.fault("invalid number of arguments in \"include\" directive"));
        }
        let path = self.folder.join(directive.arg(0));
        let paths = if has_wildcard(&path) {
            self.files.matching(&path).unwrap_or_default()
        } else {
            vec![path]
        };
        let mut all = Vec::new();
        for path in paths {
            let read = self.file(&path, around).map_err(|fault| match fault.file.as_str() {
                "" => directive.fault(fault.message),
                _ => fault,
            })?;
            all.extend(read);
        }
        Ok(all)
    }
}

/// Checks that a directive is known and may stand here; the context of its block.
fn check(directive: &Directive, block: bool, around: &[Context]) -> Result<Context, Emerg> {
    let here = around.last().copied().unwrap_or(Context::Main);
    if here == Context::Free {
        return Ok(Context::Free);
    }
    let name = directive.name.as_str();
    let Some(known) = known::find(name, here) else {
        return Err(directive.fault(format!("unknown directive \"{name}\"")));
    };
    if !known.contexts.contains(here) {
        return Err(directive.fault(format!("\"{name}\" directive is not allowed here")));
    }
    let wants_block = matches!(known.shape, Shape::Block(_));
    if wants_block && !block {
        return Err(directive.fault(format!("directive \"{name}\" has no opening \"{{\"")));
    }
    if !wants_block && block {
        return Err(directive.fault(format!("directive \"{name}\" is not terminated by \";\"")));
    }
    let count = directive.args.len();
    if count < known.least || count > known.most {
        return Err(directive.fault(format!("invalid number of arguments in \"{name}\" directive")));
    }
    Ok(match (known.shape, here) {
        (Shape::Block(Context::If), Context::Server) => Context::ServerIf,
        (Shape::Block(inner), _) => inner,
        (Shape::Plain, _) => here,
    })
}

/// As nginx tells the system's errors: `2: No such file or directory`.
pub(super) fn system(error: &std::io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text).to_owned();
    error.raw_os_error().map_or(words.clone(), |code| format!("{code}: {words}"))
}
