//! What a token is, where only the tree knows: which brace opens a list, which `-` is a sign, where a column begins.

mod items;

use super::tree::Column;
use crate::source::Span;
use crate::syntax::ast::{
    Arm, BinaryOp, Block, Expr, ExprKind, File, Path, Segment, Stmt, StmtKind, Type, UnaryOp,
};
use crate::syntax::token::{Sym, Token, TokenKind};

/// What a token is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// What it looks like.
    #[default]
    Plain,
    /// A part of an operator between two expressions, or `not`.
    Operator,
    /// `and`, `or`: a long line may go on in the next one behind it.
    Joint,
    /// `-` or `~` before an expression.
    Sign,
    /// `(` behind the name of what is called or declared.
    Call,
    /// `=` between a field of a packet and its value.
    Field,
    /// `{` of members: a set, the fields of a `push`, what an `expect` expects.
    List,
    /// `{` of a declared set: its lines may have several entries.
    Entries,
}

/// The roles of a text's tokens.
pub struct Roles<'a> {
    tokens: &'a [Token],
    of: Vec<Role>,
    columns: Vec<Option<Column>>,
}

impl<'a> Roles<'a> {
    /// What the tree says of the tokens that it was made of.
    pub fn of(file: &File, tokens: &'a [Token]) -> Roles<'a> {
        let mut roles = Roles {
            tokens,
            of: vec![Role::Plain; tokens.len()],
            columns: vec![None; tokens.len()],
        };
        for item in &file.items {
            roles.item(item);
        }
        roles
    }

    /// What a token is.
    pub fn role(&self, index: usize) -> Role {
        self.of.get(index).copied().unwrap_or_default()
    }

    /// The column that begins with a token.
    pub fn column(&self, index: usize) -> Option<Column> {
        self.columns.get(index).copied().flatten()
    }

    /// The first token at or behind a byte that is neither a line's end nor a comment.
    fn from(&self, byte: u32) -> usize {
        let first = self.tokens.partition_point(|token| token.span.start < byte);
        let rest = self.tokens.get(first..).unwrap_or_default();
        let between = rest.iter().take_while(|token| is_between(token)).count();
        first + between
    }

    /// The same behind a place.
    fn behind(&self, span: Span) -> usize {
        self.from(span.end)
    }

    /// The last such token before a place.
    fn before(&self, span: Span) -> usize {
        let end = self
            .tokens
            .partition_point(|token| token.span.start < span.start);
        let earlier = self.tokens.get(..end).unwrap_or_default();
        earlier
            .iter()
            .rposition(|token| !is_between(token))
            .unwrap_or(0)
    }

    /// The first token of an expression inside of its parentheses.
    fn inside(&self, span: Span) -> usize {
        let mut index = self.from(span.start);
        while let Some(token) = self.tokens.get(index)
            && token.kind == TokenKind::Sym(Sym::LeftParen)
        {
            index = self.behind(token.span);
        }
        index
    }

    fn mark(&mut self, index: usize, role: Role) {
        if let Some(marked) = self.of.get_mut(index) {
            *marked = role;
        }
    }

    fn begin(&mut self, index: usize, column: Column) {
        if let Some(marked) = self.columns.get_mut(index) {
            *marked = Some(column);
        }
    }

    fn block(&mut self, block: &Block) {
        for stmt in &block.stmts {
            self.stmt(stmt);
        }
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Match(chain) => {
                for branch in &chain.branches {
                    self.expr(&branch.condition);
                    self.block(&branch.block);
                }
                self.blocks(chain.otherwise.as_ref());
            }
            StmtKind::Switch(switch) => {
                self.expr(&switch.value);
                for arm in &switch.arms {
                    self.arm(arm);
                }
            }
            StmtKind::Let(step) => self.step(step),
            StmtKind::Select(select) => {
                if let Some(id) = &select.id {
                    self.mark(self.behind(id.word), Role::Call);
                    self.expr(&id.value);
                }
                self.exprs(&select.by);
                self.blocks(select.otherwise.as_ref());
            }
            StmtKind::Assign(assign) => {
                self.path(&assign.target);
                self.expr(&assign.value);
            }
            StmtKind::Push(push) => {
                self.mark(self.behind(push.header.span), Role::List);
                for field in &push.fields {
                    self.expr(&field.value);
                }
            }
            StmtKind::Count(count) => self.exprs(&count.cell),
            StmtKind::Call(call) => {
                self.mark(self.behind(call.action.span), Role::Call);
                self.exprs(&call.args);
            }
            StmtKind::Send(send) => self.path(&send.to),
            StmtKind::Pop(_)
            | StmtKind::Log(_)
            | StmtKind::Drop(_)
            | StmtKind::Pass
            | StmtKind::Answer => {}
        }
    }

    fn blocks(&mut self, block: Option<&Block>) {
        if let Some(block) = block {
            self.block(block);
        }
    }

    fn arm(&mut self, arm: &Arm) {
        let patterns = arm.patterns.last().map(|pattern| pattern.span);
        let head = arm.guard.as_ref().map(|guard| guard.span).or(patterns);
        if let Some(head) = head {
            self.begin(self.behind(head), Column::Arrow);
        }
        if let Some(guard) = &arm.guard {
            self.expr(guard);
        }
        self.block(&arm.block);
    }

    fn exprs(&mut self, exprs: &[Expr]) {
        for expr in exprs {
            self.expr(expr);
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Lit(_) => {}
            ExprKind::Set(members) => {
                self.mark(self.inside(expr.span), Role::List);
                self.exprs(members);
            }
            ExprKind::Path(path) => self.path(path),
            ExprKind::Unary(op, operand) => {
                let role = match op {
                    UnaryOp::Not => Role::Operator,
                    UnaryOp::Neg | UnaryOp::BitNot => Role::Sign,
                };
                self.mark(self.inside(expr.span), role);
                self.expr(operand);
            }
            ExprKind::Binary(binary) => {
                let role = match binary.op {
                    BinaryOp::And | BinaryOp::Or => Role::Joint,
                    BinaryOp::Eq
                    | BinaryOp::Ne
                    | BinaryOp::Lt
                    | BinaryOp::Le
                    | BinaryOp::Gt
                    | BinaryOp::Ge
                    | BinaryOp::In
                    | BinaryOp::NotIn
                    | BinaryOp::BitOr
                    | BinaryOp::BitXor
                    | BinaryOp::BitAnd
                    | BinaryOp::Shl
                    | BinaryOp::Shr
                    | BinaryOp::Add
                    | BinaryOp::Sub
                    | BinaryOp::Mul
                    | BinaryOp::Div
                    | BinaryOp::Rem => Role::Operator,
                };
                // `not in` is two words.
                let first = self.from(binary.op_span.start);
                let end = self.behind(binary.op_span);
                for index in first..end {
                    self.mark(index, role);
                }
                self.expr(&binary.left);
                self.expr(&binary.right);
            }
            ExprKind::Tuple(members) => self.exprs(members),
        }
    }

    fn path(&mut self, path: &Path) {
        for segment in &path.tail {
            match segment {
                Segment::Field(_) => {}
                Segment::Index(args, _) => self.exprs(args),
                Segment::Call(args, span) => {
                    self.mark(self.from(span.start), Role::Call);
                    self.exprs(args);
                }
            }
        }
    }

    fn ty(&mut self, ty: &Type) {
        if let Some(argument) = &ty.argument {
            self.expr(argument);
        }
    }
}

/// Whether a token is between others and no part of a production.
fn is_between(token: &Token) -> bool {
    matches!(
        token.kind,
        TokenKind::Newline | TokenKind::Semicolon | TokenKind::Comment
    )
}
