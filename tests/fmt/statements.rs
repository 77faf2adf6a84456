//! Random statements and lines of tests.

use super::Writer;

impl Writer {
    pub(super) fn block(&mut self) {
        self.lines(Self::stmt);
    }

    pub(super) fn stmt(&mut self) {
        match self.below(if self.is_deep() { 12 } else { 16 }) {
            0 => self.step(),
            1 => {
                let head = self.pick(&["x", "eth.dst", "match.x", "count"]);
                self.w(head);
                let steps = head != "count";
                if steps {
                    self.steps(false);
                }
                let operator = self.pick(if steps { &["=", "+=", "-="] } else { &["="] });
                self.w(operator);
                self.expr();
            }
            2 => {
                self.w("push");
                self.name();
                self.members(0, |w| {
                    w.any_name();
                    w.w(":");
                    w.expr();
                });
            }
            3 => {
                self.w("pop");
                self.name();
            }
            4 => {
                self.w("count");
                self.name();
                self.maybe(|w| {
                    w.w("[");
                    w.several(2, Self::expr);
                    w.w("]");
                });
            }
            5 => {
                self.w("log");
                self.text_literal();
            }
            6 => {
                self.name();
                self.w("(");
                self.maybe(|w| w.several(3, Self::expr));
                self.w(")");
            }
            7 | 8 => {
                self.w("drop");
                self.maybe(Self::any_name);
            }
            9 => {
                let word = self.pick(&["pass", "answer"]);
                self.w(word);
            }
            10 | 11 => {
                self.w("send");
                self.path();
            }
            12 => {
                self.w("select");
                self.any_name();
                self.w("from");
                self.name();
                self.maybe(|w| {
                    if w.below(3) == 0 {
                        w.w("by");
                        w.w("id");
                        w.w("(");
                        w.expr();
                        w.w(")");
                    } else {
                        w.by();
                    }
                });
                self.maybe(|w| {
                    w.w("else");
                    w.block();
                });
            }
            13 => {
                self.w("switch");
                self.expr();
                self.lines(|w| {
                    w.several(3, Self::pattern);
                    if w.one_in(4) {
                        w.w("if");
                        w.expr();
                    }
                    w.w("->");
                    if w.one_in(2) { w.block() } else { w.stmt() }
                });
            }
            _ => {
                self.w("match");
                self.expr();
                self.block();
                while self.one_in(4) {
                    self.w("else");
                    self.w("match");
                    self.expr();
                    self.block();
                }
                self.maybe(|w| {
                    w.w("else");
                    w.block();
                });
            }
        }
    }

    pub(super) fn test_line(&mut self) {
        match self.below(10) {
            0..=2 => {
                self.w("send");
                self.layer();
                for _ in 0..self.below(5) {
                    self.w("/");
                    self.layer();
                }
                self.maybe(|w| {
                    w.w("on");
                    w.name();
                });
            }
            3 => self.w("expect same backend"),
            4 | 5 => {
                self.w("expect");
                match self.below(3) {
                    0 => self.w("pass"),
                    1 => {
                        self.w("drop");
                        self.maybe(Self::any_name);
                    }
                    _ => {
                        self.w("send");
                        self.path();
                    }
                }
                self.maybe(|w| {
                    w.members(1, |w| {
                        w.expr();
                        w.maybe(|w| w.w("unchanged"));
                    });
                });
            }
            6 => {
                self.w("add");
                self.path();
                self.several(2, Self::expr);
                self.maybe(|w| {
                    w.w("->");
                    w.several(2, Self::expr);
                });
            }
            7 => {
                self.w("backend");
                self.path();
                self.any_name();
            }
            8 => {
                self.w("advance");
                self.literal();
            }
            _ => {
                self.w("replay");
                self.text_literal();
            }
        }
    }

    pub(super) fn layer(&mut self) {
        if self.one_in(6) {
            let payload = self.pick(&["hex\"00 01\"", "\"text\""]);
            return self.w(payload);
        }
        self.name();
        self.maybe(|w| {
            w.primary();
            w.w("->");
            w.primary();
        });
        for _ in 0..self.below(4) {
            match self.below(4) {
                0 => self.name(),
                1 => self.literal(),
                _ => {
                    self.name();
                    self.w("=");
                    self.primary();
                }
            }
        }
    }
}
