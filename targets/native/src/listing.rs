//! CLIF as text, with the lines of the policy before the instructions that come from them.

use std::fmt::{self, Write};

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, Function, Inst, Value};
use cranelift_codegen::write::{FuncWriter, PlainWriter, decorate_function};
use lvsc_abi::manifest::Manifest;
use lvsc_abi::place::Sources;

use crate::batch::{Batch, Places};

/// Columns before an instruction.
const INDENT: usize = 4;

/// The listing of the packet function.
pub(crate) fn print(mut batch: Batch, manifest: &Manifest, sources: &Sources) -> String {
    batch.function.dfg.resolve_all_aliases();
    let mut text = String::new();
    let mut writer = Lines {
        places: &batch.places,
        manifest,
        sources,
        said: (0, 0),
    };
    let written = decorate_function(&mut writer, &mut text, &batch.function);
    written.expect("a string takes all");
    text
}

struct Lines<'a> {
    places: &'a Places,
    manifest: &'a Manifest,
    sources: &'a Sources,
    /// File and line that were said last.
    said: (u16, u32),
}

impl FuncWriter for Lines<'_> {
    fn write_block_header(
        &mut self,
        w: &mut dyn Write,
        func: &Function,
        block: Block,
        _: usize,
    ) -> fmt::Result {
        PlainWriter.write_block_header(w, func, block, INDENT)
    }

    fn write_instruction(
        &mut self,
        w: &mut dyn Write,
        func: &Function,
        _: &SecondaryMap<Value, Vec<Value>>,
        inst: Inst,
        _: usize,
    ) -> fmt::Result {
        let place = self.places.place(func.srcloc(inst));
        let line = (place.file, place.line);
        if place.line > 0 && line != self.said {
            self.said = line;
            let file = self.manifest.files.get(usize::from(place.file));
            let file = file.map_or("", String::as_str);
            let said = format!("; {file}:{}  {}", place.line, self.sources.line(place));
            writeln!(w, "{:INDENT$}{}", "", said.trim_end())?;
        }
        writeln!(w, "{:INDENT$}{}", "", func.dfg.display_inst(inst))
    }
}
