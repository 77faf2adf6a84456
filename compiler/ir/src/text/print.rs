//! A program to its text.

use std::fmt::{self, Write};

use lvsc_abi::layout::{Element, Layout, SectionId};
use lvsc_abi::place::Place;

use crate::program::{
    Binary, Block, BlockId, Class, Compare, FrameAccess, Inst, Jump, Op, Order, Program,
    SectionAccess, Terminator, Value,
};

/// The text of a program and of the layout that its sections belong to.
pub fn print(program: &Program, layout: &Layout) -> String {
    Printer {
        layout,
        places: Places::Hidden,
    }
    .program(program)
}

/// The same with the places of instructions and ends, as `; line:column`.
pub fn print_with_places(program: &Program, layout: &Layout) -> String {
    Printer {
        layout,
        places: Places::Shown,
    }
    .program(program)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Places {
    Hidden,
    Shown,
}

struct Printer<'a> {
    layout: &'a Layout,
    places: Places,
}

/// Constants below this are written in decimal: numbers that people count with.
const DECIMAL: u64 = 1024;

impl Printer<'_> {
    fn program(&self, program: &Program) -> String {
        let mut text = String::new();
        self.write(&mut text, program)
            .expect("a string takes all that is written to it");
        text
    }

    fn write(&self, f: &mut String, program: &Program) -> fmt::Result {
        for (_, section) in self.layout.sections() {
            let element = element_name(section.element);
            writeln!(f, "section {} {element} {}", section.name, section.length)?;
        }
        for (id, block) in program.blocks.iter() {
            if !f.is_empty() {
                f.push('\n');
            }
            self.block(f, id, block)?;
        }
        Ok(())
    }

    fn block(&self, f: &mut String, id: BlockId, block: &Block) -> fmt::Result {
        if block.params.is_empty() {
            writeln!(f, "b{}:", id.0)?;
        } else {
            writeln!(f, "b{}({}):", id.0, list(&block.params))?;
        }
        for inst in &block.insts {
            f.push_str("  ");
            self.inst(f, inst)?;
            self.place(f, inst.place)?;
        }
        f.push_str("  ");
        end(f, &block.end)?;
        self.place(f, block.place)
    }

    fn place(&self, f: &mut String, place: Place) -> fmt::Result {
        let Place { file, line, column } = place;
        match (self.places, file) {
            _ if line == 0 => writeln!(f),
            (Places::Hidden, _) => writeln!(f),
            (Places::Shown, 0) => writeln!(f, " ; {line}:{column}"),
            (Places::Shown, _) => writeln!(f, " ; {file}:{line}:{column}"),
        }
    }

    fn inst(&self, f: &mut String, inst: &Inst) -> fmt::Result {
        if let Some(result) = inst.result {
            write!(f, "v{} = ", result.0)?;
        }
        match &inst.op {
            Op::Const(value) if *value < DECIMAL => write!(f, "const {value}"),
            Op::Const(value) => write!(f, "const {value:#x}"),
            Op::FrameLength => write!(f, "frame.length"),
            Op::Ingress => write!(f, "ingress"),
            Op::Worker => write!(f, "worker"),
            Op::Binary(op, a, b) => write!(f, "{} v{}, v{}", binary_name(*op), a.0, b.0),
            Op::Compare(op, a, b) => write!(f, "{} v{}, v{}", compare_name(*op), a.0, b.0),
            Op::Select(c, a, b) => write!(f, "select v{}, v{}, v{}", c.0, a.0, b.0),
            Op::Swap(bytes, a) => write!(f, "swap.{bytes} v{}", a.0),
            Op::LoadFrame(access) => frame(f, *access),
            Op::StoreFrame(access, value) => {
                frame(f, *access)?;
                write!(f, " = v{}", value.0)
            }
            Op::Load(class, access) => {
                write!(f, "load.{}{} ", class_name(*class), access.bytes)?;
                self.access(f, *access)
            }
            Op::Store(access, value) => {
                write!(f, "store{} ", access.bytes)?;
                self.access(f, *access)?;
                write!(f, " = v{}", value.0)
            }
            Op::Raise(access, value) => {
                write!(f, "raise ")?;
                self.access(f, *access)?;
                write!(f, " by v{}", value.0)
            }
            Op::Exchange(access, new, expected) => {
                let name = self.name(access.section);
                write!(
                    f,
                    "exchange {name}[v{}] = v{} if v{}",
                    access.index.0, new.0, expected.0
                )
            }
            Op::Find(section, index, tag) => {
                write!(f, "find {}[v{}], v{}", self.name(*section), index.0, tag.0)
            }
            Op::Place(section, index, tag, now, idle) => {
                let name = self.name(*section);
                let [index, tag, now, idle] = [index, tag, now, idle].map(|value| value.0);
                write!(f, "place {name}[v{index}], v{tag}, v{now}, v{idle}")
            }
            Op::Count(section, index) => {
                write!(f, "count {}[v{}]", self.name(*section), index.0)
            }
        }
    }

    fn access(&self, f: &mut String, access: SectionAccess) -> fmt::Result {
        write!(
            f,
            "{}[v{}]+{}",
            self.name(access.section),
            access.index.0,
            access.offset
        )
    }

    fn name(&self, id: SectionId) -> &str {
        self.layout.get(id).map_or("?", |section| &section.name)
    }
}

fn frame(f: &mut String, access: FrameAccess) -> fmt::Result {
    let order = match access.order {
        Order::Big => "be",
        Order::Little => "le",
    };
    write!(f, "frame.{order}{} ", access.bytes)?;
    spot(f, access.base, access.offset)
}

fn spot(f: &mut String, base: Option<Value>, offset: u16) -> fmt::Result {
    base.map_or(Ok(()), |base| write!(f, "v{}", base.0))?;
    write!(f, "+{offset}")
}

fn end(f: &mut String, end: &Terminator) -> fmt::Result {
    match end {
        Terminator::Jump(jump) => write!(f, "jump {}", target(jump)),
        Terminator::If {
            condition,
            then,
            otherwise,
        } => {
            write!(
                f,
                "if v{} {} else {}",
                condition.0,
                target(then),
                target(otherwise)
            )
        }
        Terminator::Bounds {
            base,
            length,
            then,
            otherwise,
        } => {
            f.push_str("bounds ");
            spot(f, *base, *length)?;
            write!(f, " {} else {}", target(then), target(otherwise))
        }
        Terminator::Return {
            verdict,
            interface: Some(value),
        } => {
            write!(f, "return {verdict} v{}", value.0)
        }
        Terminator::Return {
            verdict,
            interface: None,
        } => write!(f, "return {verdict}"),
    }
}

fn target(jump: &Jump) -> String {
    format!("b{}({})", jump.to.0, list(&jump.args))
}

fn list(values: &[Value]) -> String {
    let names: Vec<String> = values.iter().map(|value| format!("v{}", value.0)).collect();
    names.join(", ")
}

pub(super) fn element_name(element: Element) -> &'static str {
    match element {
        Element::Header => "header",
        Element::Clock => "clock",
        Element::Interface => "interface",
        Element::Backend => "backend",
        Element::Slot => "slot",
        Element::Flow => "flow",
        Element::Noted => "noted",
        Element::Datagram => "datagram",
        Element::Client => "client",
        Element::Change => "change",
        Element::Load => "load",
        Element::Cursor => "cursor",
        Element::Counter => "counter",
        Element::Word => "word",
        Element::Cell => "cell",
        Element::Key => "key",
    }
}

pub(super) fn binary_name(op: Binary) -> &'static str {
    match op {
        Binary::Add => "add",
        Binary::Sub => "sub",
        Binary::Mul => "mul",
        Binary::And => "and",
        Binary::Or => "or",
        Binary::Xor => "xor",
        Binary::Shl => "shl",
        Binary::Shr => "shr",
        Binary::Div => "div",
        Binary::Rem => "rem",
    }
}

pub(super) fn compare_name(op: Compare) -> &'static str {
    match op {
        Compare::Eq => "eq",
        Compare::Ne => "ne",
        Compare::Lt => "lt",
        Compare::Le => "le",
    }
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Config => "config",
        Class::Shared => "shared",
    }
}
