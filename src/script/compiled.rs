//! What a script names, told by its compiled form: the compiler has resolved what is local.
//!
//! The format is that of the Luau that mlua is pinned to (`Common/include/Luau/Bytecode.h`, versions 6
//! to 9). What cannot be read to its end is told as nothing: this serves to warn early, not to contain.

/// A global that a script names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The global, and the fields of it that stand behind it: `ngx`, `req`, `get_method`.
    pub(super) path: Vec<String>,
    /// The line, from 1.
    pub(super) line: u32,
    /// Whether it is written.
    pub(super) is_written: bool,
}

const LOADK: u8 = 5;
const GETGLOBAL: u8 = 7;
const SETGLOBAL: u8 = 8;
const GETIMPORT: u8 = 12;
const SETTABLEKS: u8 = 16;
const LOADKX: u8 = 66;
/// Instructions that are followed by a word of their own.
const LONG: [u8; 30] = [
    7, 8, 12, 15, 16, 20, 27, 28, 29, 30, 31, 32, 53, 55, 58, 60, 66, 75, 76, 78, 79, 80, 81, 84,
    85, 86, 87, 88, 89, 91,
];
const VERSIONS: std::ops::RangeInclusive<u8> = 6..=9;

/// A function of compiled text.
#[derive(Debug, Default)]
pub(super) struct Unit {
    /// Its instructions, and the words behind those that have one.
    pub(super) words: Vec<u32>,
    /// By word: its line, from 1.
    pub(super) lines: Vec<u32>,
    /// Its constants, as far as they are texts.
    pub(super) texts: Vec<Option<String>>,
    /// Its locals, if they were compiled in.
    pub(super) locals: Vec<Local>,
    /// The names of what it sees of the functions around it, if they were compiled in.
    pub(super) upvalues: Vec<String>,
}

/// A local variable.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) name: String,
    /// The words between which it lives.
    pub(super) lives: std::ops::Range<usize>,
    pub(super) register: u8,
}

impl Unit {
    /// Where each instruction begins, in order.
    pub(super) fn starts(&self) -> Vec<usize> {
        let (mut starts, mut at) = (Vec::new(), 0);
        while let Some(word) = self.words.get(at) {
            starts.push(at);
            at += 1 + usize::from(LONG.contains(&((word & 0xFF) as u8)));
        }
        starts
    }

    /// The globals that it names, in their order.
    pub(super) fn named(&self) -> Vec<Named> {
        let named = self.starts().into_iter().filter_map(|at| {
            let operation = self.words.get(at).map_or(0, |word| (word & 0xFF) as u8);
            let line = self.lines.get(at).copied().unwrap_or(0);
            Some(Named { path: self.path(at)?, line, is_written: operation == SETGLOBAL })
        });
        named.collect()
    }

    /// The global that an instruction reads or writes, if it does that.
    pub(super) fn path(&self, at: usize) -> Option<Vec<String>> {
        let operation = self.words.get(at).map_or(0, |word| (word & 0xFF) as u8);
        let behind = self.words.get(at + 1).copied().unwrap_or(0);
        let text = |number: usize| self.text(number).map(str::to_owned);
        match operation {
            GETGLOBAL | SETGLOBAL => text(behind as usize).map(|name| vec![name]),
            GETIMPORT => import(behind).into_iter().map(text).collect(),
            _ => None,
        }
    }

    /// Whether it may give a field of that name a value: it does, or has the name as a text.
    pub(super) fn may_assign(&self, field: &str) -> bool {
        self.starts().into_iter().any(|at| {
            let word = self.words.get(at).copied().unwrap_or(0);
            let behind = self.words.get(at + 1).copied().unwrap_or(0);
            let constant = match (word & 0xFF) as u8 {
                LOADK => word >> 16,
                LOADKX | SETTABLEKS => behind,
                _ => return false,
            };
            self.text(constant as usize) == Some(field)
        })
    }

    /// The text of a constant.
    pub(super) fn text(&self, number: usize) -> Option<&str> {
        self.texts.get(number)?.as_deref()
    }
}

/// The functions of compiled text, the inner ones first, as far as they can be read.
pub(super) fn units(bytes: &[u8]) -> Vec<Unit> {
    let mut units = Vec::new();
    // What was found before a fault is true all the same.
    let _ = Reader { bytes, at: 0 }.script(&mut units);
    units
}

/// The globals that compiled text names, in the order of its functions.
pub(super) fn globals(bytes: &[u8]) -> Vec<Named> {
    units(bytes).iter().flat_map(Unit::named).collect()
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A constant, as far as globals need it.
enum Constant {
    Text(usize),
    Other,
}

impl Reader<'_> {
    fn script(&mut self, units: &mut Vec<Unit>) -> Option<()> {
        let version = self.byte()?;
        let types = self.byte()?;
        if !VERSIONS.contains(&version) || !(1..=3).contains(&types) {
            return None;
        }
        let count = self.number()?;
        let mut texts = Vec::new();
        for _ in 0..count {
            let length = self.number()?;
            texts.push(String::from_utf8_lossy(self.take(length)?).into_owned());
        }
        if types == 3 {
            while self.byte()? != 0 {
                self.number()?;
            }
        }
        for _ in 0..self.number()? {
            units.push(self.function(&texts)?);
        }
        Some(())
    }

    fn function(&mut self, texts: &[String]) -> Option<Unit> {
        // Stack, parameters, upvalues, variadic, flags; then types.
        self.take(5)?;
        let types = self.number()?;
        self.take(types)?;
        let words = self.number()?;
        let code = self.take(words.checked_mul(4)?)?;
        let code = code.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        let text = |place: usize| texts.get(place.checked_sub(1)?).cloned();
        let known = |constant: Constant| match constant {
            Constant::Text(place) => text(place),
            Constant::Other => None,
        };
        let constants = self.constants()?.into_iter().map(known).collect();
        for _ in 0..self.number()? {
            self.number()?;
        }
        self.number()?;
        self.number()?;
        let lines = self.lines(words)?;
        let mut unit = Unit { words: code, lines, texts: constants, ..Unit::default() };
        self.names(text, &mut unit)?;
        Some(unit)
    }

    fn constants(&mut self) -> Option<Vec<Constant>> {
        let count = self.number()?;
        let mut constants = Vec::new();
        for _ in 0..count {
            let mut constant = Constant::Other;
            match self.byte()? {
                0 => {}
                1 => drop(self.byte()?),
                2 => drop(self.take(8)?),
                3 => constant = Constant::Text(self.number()?),
                4 => drop(self.take(4)?),
                5 => {
                    for _ in 0..self.number()? {
                        self.number()?;
                    }
                }
                6 => drop(self.number()?),
                7 => drop(self.take(16)?),
                8 => {
                    for _ in 0..self.number()? {
                        self.number()?;
                        self.take(4)?;
                    }
                }
                9 => {
                    self.byte()?;
                    self.number()?;
                }
                _ => return None,
            }
            constants.push(constant);
        }
        Some(constants)
    }

    /// By word of code: its line.
    fn lines(&mut self, words: usize) -> Option<Vec<u32>> {
        if self.byte()? == 0 {
            return Some(Vec::new());
        }
        let shift = self.byte()?;
        let deltas = self.take(words)?.to_vec();
        let intervals = words.checked_sub(1)?.checked_shr(shift.into())? + 1;
        let mut starts = Vec::new();
        let mut line = 0_i32;
        for _ in 0..intervals {
            let delta = i32::from_le_bytes(*self.take(4)?.first_chunk()?);
            line = line.wrapping_add(delta);
            starts.push(line);
        }
        let mut offset = 0_u8;
        let line = |(at, delta): (usize, u8)| {
            offset = offset.wrapping_add(delta);
            let start = starts.get(at >> shift).copied().unwrap_or(0);
            u32::try_from(start.wrapping_add(offset.into())).unwrap_or(0)
        };
        Some(deltas.into_iter().enumerate().map(line).collect())
    }

    /// The names of locals and upvalues.
    fn names(&mut self, text: impl Fn(usize) -> Option<String>, unit: &mut Unit) -> Option<()> {
        if self.byte()? == 0 {
            return Some(());
        }
        for _ in 0..self.number()? {
            let name = text(self.number()?).unwrap_or_default();
            let lives = self.number()?..self.number()?;
            unit.locals.push(Local { name, lives, register: self.byte()? });
        }
        for _ in 0..self.number()? {
            unit.upvalues.push(text(self.number()?).unwrap_or_default());
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    /// A number of seven bits a byte, the lowest first.
    fn number(&mut self) -> Option<usize> {
        let mut number = 0_usize;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            number |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }
}

/// The constants that a path is made of: two bits say how many, then ten bits each.
fn import(path: u32) -> Vec<usize> {
    let count = (path >> 30) as usize;
    [20, 10, 0].into_iter().take(count).map(|shift| (path >> shift & 0x3FF) as usize).collect()
}

#[cfg(test)]
mod tests {
    use mlua::chunk::Compiler;

    use super::globals;

    fn found(text: &str) -> Vec<String> {
        let compiler = Compiler::new().set_optimization_level(1).set_debug_level(1);
        let named = globals(&compiler.compile(text).unwrap());
        let shown = named.iter().map(|one| {
            format!("{}{}:{}", if one.is_written { "=" } else { "" }, one.path.join("."), one.line)
        });
        shown.collect()
    }

    #[test]
    fn what_is_local_is_no_global_and_lines_are_told() {
        let text = "local a = 1\nlocal function f(b) return a + b + c end\n\nd = f(2)\n\
            local t = { x = 1, ['y'] = 2, 3, 1.5, true }\nfor k, v in pairs(t) do print(k) end\n\
            if t.x == nil then ngx.req.set_header('a', \"b\") end\nreturn ngx.var.arg_x .. d";
        let mut found = found(text);
        found.sort();
        assert_eq!(
            found,
            ["=d:4", "c:2", "d:8", "ngx.req.set_header:7", "ngx.var.arg_x:8", "pairs:6", "print:6"]
        );
    }

    #[test]
    fn every_instruction_is_stepped_over_as_long_as_it_is() {
        // Each line has instructions of two words of another kind before a global.
        let lines = [
            "local s = ('x'):rep(2) if s <= 'a' or s < 'b' or s ~= 'c' then g1() end",
            "local n = 3 if n == 4 or n ~= true or n == 'x' or n == nil then g1() end",
            "local t = {1,2,3,s=1} t.s = t.s + 1 t[5] = t[1] // 2 g1()",
            "for i = 1, 10 do math.max(i, 2) math.max(i, i) bit32.extract(i, 1, 2) end g1()",
            "local a, b = ... if a > b and a <= b and not (a == b) then a, b = b, a end g1()",
            "for a, b in next, {} do g0 = a end g1()",
        ];
        for line in lines {
            assert!(found(line).contains(&"g1:1".to_owned()), "{line}: {:?}", found(line));
        }
    }

    #[test]
    fn what_may_be_assigned_is_told_from_what_is_read() {
        let may = |text: &str| {
            let bytes = Compiler::new().set_optimization_level(1).compile(text).unwrap();
            super::units(&bytes).iter().any(|unit| unit.may_assign("ctx"))
        };
        for text in
            ["ngx.ctx = {}", "local f = function() ngx.a, ngx.ctx = 1, 2 end", "ngx['ctx'] = 1"]
        {
            assert!(may(text), "{text}");
        }
        assert!(may("local name = 'ctx' rawset(ngx, name, {})"));
        assert!(!may("local ctx = ngx.ctx ctx.count = (ctx.count or 0) + #ngx.ctx -- ctx = 1"));
        let calls: Vec<_> = (0..40_000).map(|number| format!("f('{number}')")).collect();
        assert!(
            may(&format!("{} rawset(ngx, 'ctx', 1)", calls.join(" "))),
            "a constant far behind"
        );
    }

    #[test]
    fn what_is_cut_off_is_told_as_far_as_it_goes() {
        let whole = Compiler::new().compile("local x = foo(bar) return x").unwrap();
        for end in 0..whole.len() {
            globals(&whole[..end]);
        }
        for at in 0..whole.len() {
            for byte in [0, 1, 0x7F, 0xFF] {
                let mut odd = whole.clone();
                odd[at] = byte;
                globals(&odd);
            }
        }
    }
}
