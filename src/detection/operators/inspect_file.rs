//! `@inspectFile`: a Lua script that judges a value.

use super::{Argument, Fault, Kind, Matcher, Operator, Question, Scope, name};

pub(super) const OPERATOR: Operator = Operator {
    name: "inspectFile",
    aliases: &[],
    doc: "What the Lua script of the argument returns of the value is neither nil nor false (a file's content stands for `FILES_TMPNAMES`); other programs are not run.",
    kind: Kind::Compiled(compile),
};

/// A script, by its file's path.
#[derive(Debug)]
struct Script(String);

impl Matcher for Script {
    fn matches(&self, value: &[u8], scope: &mut Scope<'_>) -> bool {
        let (path, value) = (self.0.clone(), value.to_vec());
        scope.answer(Question::Script { path, value, judges: true })
    }

    fn is_pure(&self) -> bool {
        false
    }
}

fn compile(argument: &Argument<'_>) -> Result<Box<dyn Matcher>, Fault> {
    let file = name(argument.text)?;
    let is_script = [".lua", ".luau"].iter().any(|end| file.ends_with(end));
    if !is_script {
        let help = Some("write what it does in Lua, in a file that ends in `.lua`".to_owned());
        return Err(Fault { help, ..Fault::new(format!("`{file}` is a program; none is run")) });
    }
    (argument.read)(file).map_err(|error| Fault::new(format!("`{file}`: {error}")))?;
    Ok(Box::new(Script((argument.path)(file))))
}
