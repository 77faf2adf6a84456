//! The sections of the module.

use lvsc_abi::layout::ABI_VERSION;
use lvsc_abi::module::{self, Contents, Map};
use wasm_encoder::{
    CodeSection, CustomSection, ExportKind, ExportSection, Function, FunctionSection,
    MemorySection, MemoryType, Module, NameMap, NameSection, TypeSection, ValType,
};

const BATCH: u32 = 0;
const VERSION: u32 = 1;

/// The module around the packet function.
pub(crate) fn assemble(batch: &Function, contents: &Contents) -> Vec<u8> {
    let mut module = Module::new();
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32, ValType::I32], []);
    types.ty().function([], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(BATCH).function(VERSION);
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0);
    exports.export("batch", ExportKind::Func, BATCH);
    exports.export("version", ExportKind::Func, VERSION);
    let mut code = CodeSection::new();
    code.function(batch).function(&version());
    module
        .section(&types)
        .section(&functions)
        .section(&memory(&contents.map));
    module.section(&exports).section(&code);
    for (name, data) in module::write(contents) {
        module.section(&CustomSection {
            name: name.into(),
            data: data.into(),
        });
    }
    module.section(&names());
    module.finish()
}

fn version() -> Function {
    let mut function = Function::new([]);
    function
        .instructions()
        .i32_const(ABI_VERSION.cast_signed())
        .end();
    function
}

fn memory(map: &Map) -> MemorySection {
    let mut memories = MemorySection::new();
    let pages = u64::from(map.pages);
    memories.memory(MemoryType {
        minimum: pages,
        maximum: Some(pages),
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    memories
}

fn names() -> NameSection {
    let mut functions = NameMap::new();
    functions.append(BATCH, "batch");
    functions.append(VERSION, "version");
    let mut names = NameSection::new();
    names.functions(&functions);
    names
}
