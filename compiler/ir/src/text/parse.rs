//! The text of a program to the program. Errors name line and column; nothing of the meaning is checked here.

use lvsc_abi::layout::{Element, Layout, SectionId};
use lvsc_abi::place::Place;
use lvsc_abi::verdict::Verdict;

use super::cursor::{Cursor, ParseError, Wrong};
use super::print::{binary_name, compare_name, element_name};
use crate::program::{
    Binary, Block, BlockId, Class, Compare, FrameAccess, Inst, Jump, Op, Order, Program,
    SectionAccess, Terminator, Value,
};

/// What a text holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The program, not verified.
    pub program: Program,
    /// The layout of its sections.
    pub layout: Layout,
}

/// Numbers of values stay below this: memory is taken for each of them.
const VALUES_MAX: u32 = 1 << 20;
/// Lengths of sections stay at or below this, a power of two.
const LENGTH_MAX: u32 = 1 << 31;

/// Reads a text.
pub fn parse(text: &str) -> Result<Source, ParseError> {
    let mut reader = Reader::default();
    let mut last = 0;
    for (line, text) in (1..).zip(text.lines()) {
        reader.line(line, text)?;
        last = line;
    }
    let cursor = Cursor::new(last + 1, "");
    reader.close(&cursor)?;
    Ok(Source {
        program: reader.program,
        layout: reader.layout,
    })
}

#[derive(Default)]
struct Reader {
    program: Program,
    layout: Layout,
    open: Option<(Vec<Value>, Vec<Inst>)>,
}

impl Reader {
    fn line(&mut self, line: u32, text: &str) -> Result<(), ParseError> {
        let (code, comment) = text.split_once(';').unwrap_or((text, ""));
        let mut cursor = Cursor::new(line, code);
        cursor.space();
        if cursor.rest.is_empty() {
            return Ok(());
        }
        let place = place(comment).unwrap_or_default();
        let no_block = cursor.wrong(Wrong::NoBlock);
        let label = cursor.rest.trim_end().ends_with(':');
        if cursor.takes("section ") {
            self.section(&mut cursor)?;
        } else if label {
            self.label(&mut cursor)?;
        } else if let Some(end) = self.end(&mut cursor)? {
            let (params, insts) = self.open.take().ok_or(no_block)?;
            self.program.blocks.push(Block {
                params,
                insts,
                end,
                place,
            });
        } else {
            let (result, op) = self.instruction(&mut cursor)?;
            let (_, insts) = self.open.as_mut().ok_or(no_block)?;
            insts.push(Inst { result, op, place });
        }
        cursor.space();
        if cursor.rest.is_empty() {
            Ok(())
        } else {
            Err(cursor.expected("the end of the line"))
        }
    }

    fn close(&self, cursor: &Cursor<'_>) -> Result<(), ParseError> {
        let unended = Wrong::Unended(self.program.blocks.len() as u32);
        if self.open.is_some() {
            Err(cursor.wrong(unended))
        } else {
            Ok(())
        }
    }

    fn section(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
        cursor.space();
        let name = cursor.until(char::is_whitespace, "the section's name")?;
        cursor.space();
        let elements = [
            Element::Header,
            Element::Clock,
            Element::Interface,
            Element::Backend,
            Element::Slot,
            Element::Flow,
            Element::Noted,
            Element::Datagram,
            Element::Client,
            Element::Change,
            Element::Load,
            Element::Cursor,
            Element::Counter,
            Element::Word,
            Element::Cell,
            Element::Key,
        ];
        let found = elements
            .into_iter()
            .find(|element| cursor.takes_word(element_name(*element)));
        let element = found.ok_or_else(|| cursor.expected("what the elements are"))?;
        let length = cursor.number("the length", u64::from(LENGTH_MAX))? as u32;
        self.layout.add(name, element, length);
        Ok(())
    }

    fn label(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ParseError> {
        self.close(cursor)?;
        let next = self.program.blocks.len() as u32;
        let order = cursor.wrong(Wrong::BlockOrder(next));
        if cursor.block()? != BlockId(next) {
            return Err(order);
        }
        let params = if cursor.takes("(") {
            self.values(cursor)?
        } else {
            Vec::new()
        };
        cursor.expect(":", "`:`")?;
        self.open = Some((params, Vec::new()));
        Ok(())
    }

    /// Values between parentheses, the opening one taken.
    fn values(&mut self, cursor: &mut Cursor<'_>) -> Result<Vec<Value>, ParseError> {
        let mut values = Vec::new();
        while !cursor.takes(")") {
            if !values.is_empty() {
                cursor.expect(",", "`,` or `)`")?;
            }
            values.push(self.value(cursor)?);
        }
        Ok(values)
    }

    fn value(&mut self, cursor: &mut Cursor<'_>) -> Result<Value, ParseError> {
        cursor.space();
        cursor.expect("v", "a value")?;
        let number = cursor.digits("the value's number", u64::from(VALUES_MAX - 1))? as u32;
        self.program.values = self.program.values.max(number + 1);
        Ok(Value(number))
    }

    /// A value behind a comma.
    fn next(&mut self, cursor: &mut Cursor<'_>) -> Result<Value, ParseError> {
        cursor.expect(",", "`,`")?;
        self.value(cursor)
    }

    fn end(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<Terminator>, ParseError> {
        if cursor.takes_word("jump") {
            return Ok(Some(Terminator::Jump(self.jump(cursor)?)));
        }
        if cursor.takes_word("if") {
            let condition = self.value(cursor)?;
            let (then, otherwise) = self.jumps(cursor)?;
            return Ok(Some(Terminator::If {
                condition,
                then,
                otherwise,
            }));
        }
        if cursor.takes_word("bounds") {
            let (base, length) = self.spot(cursor)?;
            let (then, otherwise) = self.jumps(cursor)?;
            return Ok(Some(Terminator::Bounds {
                base,
                length,
                then,
                otherwise,
            }));
        }
        if !cursor.takes_word("return") {
            return Ok(None);
        }
        let verdicts = [
            ("drop", Verdict::Drop),
            ("send", Verdict::Send),
            ("pass", Verdict::Pass),
        ];
        let found = verdicts
            .into_iter()
            .find(|(name, _)| cursor.takes_word(name));
        let (_, verdict) = found.ok_or_else(|| cursor.expected("`drop`, `send` or `pass`"))?;
        cursor.space();
        let interface = if cursor.rest.is_empty() {
            None
        } else {
            Some(self.value(cursor)?)
        };
        Ok(Some(Terminator::Return { verdict, interface }))
    }

    fn jumps(&mut self, cursor: &mut Cursor<'_>) -> Result<(Jump, Jump), ParseError> {
        let then = self.jump(cursor)?;
        if !cursor.takes_word("else") {
            return Err(cursor.expected("`else`"));
        }
        Ok((then, self.jump(cursor)?))
    }

    fn jump(&mut self, cursor: &mut Cursor<'_>) -> Result<Jump, ParseError> {
        let to = cursor.block()?;
        cursor.expect("(", "`(`")?;
        Ok(Jump {
            to,
            args: self.values(cursor)?,
        })
    }

    /// `v1+12` or `+12`.
    fn spot(&mut self, cursor: &mut Cursor<'_>) -> Result<(Option<Value>, u16), ParseError> {
        cursor.space();
        let base = if cursor.rest.starts_with('v') {
            Some(self.value(cursor)?)
        } else {
            None
        };
        cursor.expect("+", "`+` and a number of bytes")?;
        let offset = cursor.digits("the number of bytes", u64::from(u16::MAX))?;
        Ok((base, offset as u16))
    }

    fn instruction(&mut self, cursor: &mut Cursor<'_>) -> Result<(Option<Value>, Op), ParseError> {
        if let Some(op) = self.effect(cursor)? {
            return Ok((None, op));
        }
        let result = self.value(cursor)?;
        cursor.expect("=", "`=`")?;
        cursor.space();
        Ok((Some(result), self.making(cursor)?))
    }

    fn effect(&mut self, cursor: &mut Cursor<'_>) -> Result<Option<Op>, ParseError> {
        if cursor.takes("frame.") {
            let access = self.frame(cursor)?;
            cursor.expect("=", "`=`")?;
            return Ok(Some(Op::StoreFrame(access, self.value(cursor)?)));
        }
        if cursor.takes("store") {
            let bytes = cursor.digits("the number of bytes", 8)? as u8;
            let access = self.access(cursor, bytes)?;
            cursor.expect("=", "`=`")?;
            return Ok(Some(Op::Store(access, self.value(cursor)?)));
        }
        if cursor.takes_word("raise") {
            let access = self.access(cursor, 8)?;
            if !cursor.takes_word("by") {
                return Err(cursor.expected("`by`"));
            }
            return Ok(Some(Op::Raise(access, self.value(cursor)?)));
        }
        if cursor.takes_word("count") {
            let (section, index) = self.element(cursor)?;
            return Ok(Some(Op::Count(section, index)));
        }
        Ok(None)
    }

    fn making(&mut self, cursor: &mut Cursor<'_>) -> Result<Op, ParseError> {
        if cursor.takes_word("const") {
            return Ok(Op::Const(cursor.number("the constant", u64::MAX)?));
        }
        let plain = [
            ("frame.length", Op::FrameLength),
            ("ingress", Op::Ingress),
            ("worker", Op::Worker),
        ];
        if let Some((_, op)) = plain.into_iter().find(|(name, _)| cursor.takes_word(name)) {
            return Ok(op);
        }
        if cursor.takes("frame.") {
            return Ok(Op::LoadFrame(self.frame(cursor)?));
        }
        if cursor.takes("swap.") {
            let bytes = cursor.digits("the number of bytes", 8)? as u8;
            return Ok(Op::Swap(bytes, self.value(cursor)?));
        }
        let classes = [
            ("load.config", Class::Config),
            ("load.shared", Class::Shared),
        ];
        if let Some((_, class)) = classes.into_iter().find(|(name, _)| cursor.takes(name)) {
            let bytes = cursor.digits("the number of bytes", 8)? as u8;
            return Ok(Op::Load(class, self.access(cursor, bytes)?));
        }
        self.operation(cursor)
    }

    fn operation(&mut self, cursor: &mut Cursor<'_>) -> Result<Op, ParseError> {
        use Binary::{Add, And, Div, Mul, Or, Rem, Shl, Shr, Sub, Xor};
        let binaries = [Add, Sub, Mul, And, Or, Xor, Shl, Shr, Div, Rem];
        if let Some(op) = binaries
            .into_iter()
            .find(|op| cursor.takes_word(binary_name(*op)))
        {
            return Ok(Op::Binary(op, self.value(cursor)?, self.next(cursor)?));
        }
        let compares = [Compare::Eq, Compare::Ne, Compare::Lt, Compare::Le];
        if let Some(op) = compares
            .into_iter()
            .find(|op| cursor.takes_word(compare_name(*op)))
        {
            return Ok(Op::Compare(op, self.value(cursor)?, self.next(cursor)?));
        }
        if cursor.takes_word("select") {
            return Ok(Op::Select(
                self.value(cursor)?,
                self.next(cursor)?,
                self.next(cursor)?,
            ));
        }
        if cursor.takes_word("exchange") {
            let (section, index) = self.element(cursor)?;
            cursor.expect("=", "`=`")?;
            let new = self.value(cursor)?;
            if !cursor.takes_word("if") {
                return Err(cursor.expected("`if`"));
            }
            let access = SectionAccess {
                section,
                index,
                offset: 0,
                bytes: 8,
            };
            return Ok(Op::Exchange(access, new, self.value(cursor)?));
        }
        if cursor.takes_word("find") {
            let (section, index) = self.element(cursor)?;
            return Ok(Op::Find(section, index, self.next(cursor)?));
        }
        if cursor.takes_word("place") {
            let (section, index) = self.element(cursor)?;
            let [tag, now, idle] = [(); 3].map(|()| self.next(cursor));
            return Ok(Op::Place(section, index, tag?, now?, idle?));
        }
        Err(cursor.expected("an instruction"))
    }

    /// `be4 v1+12`, what stands before it taken.
    fn frame(&mut self, cursor: &mut Cursor<'_>) -> Result<FrameAccess, ParseError> {
        let orders = [("be", Order::Big), ("le", Order::Little)];
        let found = orders.into_iter().find(|(name, _)| cursor.takes(name));
        let (_, order) = found.ok_or_else(|| cursor.expected("`be` or `le`"))?;
        let bytes = cursor.digits("the number of bytes", 8)? as u8;
        let (base, offset) = self.spot(cursor)?;
        Ok(FrameAccess {
            base,
            offset,
            bytes,
            order,
        })
    }

    /// `backends.web[v1]+0`
    fn access(&mut self, cursor: &mut Cursor<'_>, bytes: u8) -> Result<SectionAccess, ParseError> {
        let (section, index) = self.element(cursor)?;
        cursor.expect("+", "`+` and an offset")?;
        let offset = cursor.digits("the offset", u64::from(u16::MAX))? as u16;
        Ok(SectionAccess {
            section,
            index,
            offset,
            bytes,
        })
    }

    /// `backends.web[v1]`
    fn element(&mut self, cursor: &mut Cursor<'_>) -> Result<(SectionId, Value), ParseError> {
        cursor.space();
        let before = cursor.clone();
        let name = cursor.until(|c| c == '[' || c.is_whitespace(), "a section's name")?;
        let Some((section, _)) = self.layout.named(name) else {
            return Err(before.wrong(Wrong::UnknownSection(name.to_owned())));
        };
        cursor.expect("[", "`[`")?;
        let index = self.value(cursor)?;
        cursor.expect("]", "`]`")?;
        Ok((section, index))
    }
}

/// The place that a comment names.
fn place(comment: &str) -> Option<Place> {
    let numbers: Vec<u32> = comment
        .trim()
        .split(':')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let (file, line, column) = match *numbers.as_slice() {
        [line, column] => (0, line, column),
        [file, line, column] => (u16::try_from(file).ok()?, line, column),
        _ => return None,
    };
    Some(Place { file, line, column })
}
