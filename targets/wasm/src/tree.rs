//! Where each value is when it is used: expressions that are used once, in their own block, are made on the stack
//! where they are used; everything else gets a local.

use lvsc_ir::arena::Arena;
use lvsc_ir::program::{Block, Inst, Op, Program, Value};
use lvsc_ir::stage::is_cheap;

use crate::code::local;

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// Nobody uses it.
    Nowhere,
    /// Made anew at each use: it costs no more than to read a local.
    Anew,
    /// Made at its only use.
    Inline,
    /// Kept in a local.
    Local(u32),
}

/// Expressions are not nested deeper, for they are written by recursion.
const DEPTH_MAX: u32 = 32;

/// The home of each value, and the number of locals taken.
pub(crate) fn homes(program: &Program) -> (Arena<Value, Home>, u32) {
    let order = program.reverse_postorder();
    let mut uses: Arena<Value, u32> = (0..program.values).map(|_| 0).collect();
    for id in &order {
        let block = &program.blocks[*id];
        for operand in block.insts.iter().flat_map(|inst| inst.op.operands()) {
            uses[operand] += 1;
        }
        block.end.operands().for_each(|operand| uses[operand] += 1);
    }
    let mut homes: Arena<Value, Home> = (0..program.values).map(|_| Home::Nowhere).collect();
    // Index in its block of the instruction that makes a value.
    let mut made: Arena<Value, usize> = (0..program.values).map(|_| usize::MAX).collect();
    let mut locals = 0;
    for id in &order {
        let block = &program.blocks[*id];
        let inline = inline(block, &uses, &mut made);
        let mut place = |value: Value, home: Option<Home>| {
            homes[value] = match home {
                _ if uses[value] == 0 => Home::Nowhere,
                Some(home) => home,
                None => {
                    locals += 1;
                    Home::Local(local::VALUES + locals - 1)
                }
            };
        };
        block.params.iter().for_each(|param| place(*param, None));
        for (inst, inline) in block.insts.iter().zip(inline) {
            if let Some(result) = inst.result {
                let anew = is_cheap(&inst.op).then_some(Home::Anew);
                place(result, anew.or(inline.then_some(Home::Inline)));
            }
        }
    }
    (homes, locals)
}

/// For each instruction, whether its value is made at its only use.
fn inline(block: &Block, uses: &Arena<Value, u32>, made: &mut Arena<Value, usize>) -> Vec<bool> {
    let insts = &block.insts;
    for (index, inst) in insts.iter().enumerate() {
        inst.result.iter().for_each(|result| made[*result] = index);
    }
    let mut users: Vec<Option<usize>> = vec![None; insts.len()];
    let read = insts.iter().enumerate();
    let read = read.flat_map(|(user, inst)| inst.op.operands().map(move |value| (value, user)));
    for (value, user) in read.chain(block.end.operands().map(|value| (value, insts.len()))) {
        let index = made[value];
        let here = insts
            .get(index)
            .is_some_and(|inst| inst.result == Some(value));
        if let (1, true, Some(entry)) = (uses[value], here, users.get_mut(index)) {
            *entry = Some(user);
        }
    }
    let roots = roots(insts, &users);
    within_depth(&users, &roots)
}

/// For each instruction that may be made at its use, where that happens: its user may itself be made further down.
fn roots(insts: &[Inst], users: &[Option<usize>]) -> Vec<Option<usize>> {
    let mut stores = 0;
    let mut stores_before = vec![0];
    for inst in insts {
        stores += usize::from(matches!(inst.op, Op::StoreFrame(..)));
        stores_before.push(stores);
    }
    let unchanged = |from: usize, to: usize| stores_before.get(from) == stores_before.get(to);
    let mut roots: Vec<Option<usize>> = vec![None; insts.len()];
    for (index, inst) in insts.iter().enumerate().rev() {
        let Some(user) = users.get(index).copied().flatten() else {
            continue;
        };
        let root = roots.get(user).copied().flatten().unwrap_or(user);
        let moves = !inst.op.has_effect()
            && !is_cheap(&inst.op)
            && (!matches!(inst.op, Op::LoadFrame(_)) || unchanged(index, root));
        if let Some(entry) = roots.get_mut(index) {
            *entry = moves.then_some(root);
        }
    }
    roots
}

fn within_depth(users: &[Option<usize>], roots: &[Option<usize>]) -> Vec<bool> {
    let mut depths = vec![0_u32; users.len() + 1];
    let mut inline = Vec::with_capacity(users.len());
    for ((index, user), root) in users.iter().enumerate().zip(roots) {
        let depth = depths.get(index).copied().unwrap_or_default() + 1;
        let fits = root.is_some() && depth < DEPTH_MAX;
        if let (true, Some(above)) = (fits, user.and_then(|user| depths.get_mut(user))) {
            *above = depth.max(*above);
        }
        inline.push(fits);
    }
    inline
}
