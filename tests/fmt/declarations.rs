//! Random declarations.

use super::Writer;

impl Writer {
    pub(super) fn prop(&mut self, names: &[&'static str]) {
        let name = self.pick(names);
        self.w(name);
        for _ in 0..self.below(4) {
            match self.below(4) {
                0 => self.set(),
                1 => self.path(),
                _ => self.literal(),
            }
        }
    }

    pub(super) fn params(&mut self) {
        self.w("(");
        self.maybe(|w| w.several(3, Self::typed));
        self.w(")");
    }

    pub(super) fn item(&mut self) {
        match self.below(20) {
            0 => {
                self.w("use");
                if self.one_in(2) {
                    self.any_name();
                } else {
                    self.text_literal();
                }
            }
            1 => {
                self.w("const");
                self.any_name();
                self.w("=");
                self.expr();
            }
            2 => {
                self.w("interface");
                self.name();
                self.maybe(|w| w.lines(|w| w.prop(&["mac", "ip", "vip"])));
            }
            3 | 4 => {
                self.w("pool");
                self.name();
                self.lines(Self::pool_line);
            }
            5 => {
                self.w("set");
                self.name();
                self.w(":");
                self.ty();
                self.lines(Self::entries);
            }
            6 => {
                self.w("table");
                self.name();
                self.lines(Self::table_line);
            }
            7 => {
                let word = self.pick(&["meter", "target"]);
                self.w(word);
                self.name();
                self.lines(|w| w.prop(&["key", "rate", "burst", "mode"]));
            }
            8 => {
                self.w("counter");
                self.name();
                self.maybe(Self::by);
                self.maybe(|w| {
                    w.w("capacity");
                    w.literal();
                });
            }
            9 | 10 => self.header(),
            11 => {
                self.w("group");
                self.name();
                self.w("=");
                self.name();
                while self.one_in(2) {
                    self.w("|");
                    self.any_name();
                }
            }
            12 => self.function(),
            13 => {
                self.w("action");
                self.name();
                self.params();
                self.lines(Self::stmt);
            }
            14 | 15 => {
                self.w("test");
                self.text_literal();
                self.lines(Self::test_line);
            }
            _ => self.stmt(),
        }
    }

    pub(super) fn by(&mut self) {
        self.w("by");
        self.several(2, Self::expr);
    }

    pub(super) fn pool_line(&mut self) {
        match self.below(6) {
            0 => {
                self.w("scheduler");
                self.any_name();
                self.maybe(Self::by);
            }
            1 => self.prop(&[
                "flows",
                "timeout",
                "fragments",
                "slow_start",
                "persist",
                "check",
                "quorum",
                "capacity",
            ]),
            _ => {
                self.w("backend");
                self.maybe(Self::name);
                self.literal();
                for _ in 0..self.below(4) {
                    let option = self.pick(&[
                        "weight", "mac", "via", "id", "limit", "reopen", "drain", "backup",
                    ]);
                    self.w(option);
                    if !["drain", "backup"].contains(&option) {
                        match self.below(3) {
                            0 => self.path(),
                            _ => self.literal(),
                        }
                    }
                }
            }
        }
    }

    pub(super) fn entries(&mut self) {
        self.several(3, |w| match w.below(6) {
            0 => {
                w.w("file");
                w.text_literal();
            }
            1 => {
                w.w("capacity");
                w.literal();
            }
            _ => w.expr(),
        });
    }

    pub(super) fn table_line(&mut self) {
        match self.below(4) {
            0 => {
                self.w("key");
                self.several(2, |w| {
                    w.expr();
                    w.maybe(|w| {
                        let kind = w.pick(&["exact", "lpm", "ternary", "range"]);
                        w.w(kind);
                    });
                });
            }
            1 => {
                self.w("value");
                self.several(2, Self::typed);
            }
            2 => {
                self.w("entries");
                self.lines(|w| {
                    w.several(2, Self::pattern);
                    w.w("->");
                    w.several(2, Self::expr);
                });
            }
            _ => self.prop(&["capacity", "default"]),
        }
    }

    pub(super) fn pattern(&mut self) {
        match self.below(8) {
            0 => self.w("_"),
            1 => self.w("default"),
            2 => self.path(),
            3 => {
                self.literal();
                self.w("&");
                self.literal();
            }
            4 => {
                self.w("(");
                self.literal();
                while self.one_in(2) {
                    self.w(",");
                    self.literal();
                }
                self.w(")");
            }
            _ => self.literal(),
        }
    }

    pub(super) fn header(&mut self) {
        self.w("header");
        self.name();
        self.maybe(|w| {
            w.w("after");
            w.several(2, Self::name);
        });
        self.maybe(|w| {
            w.w("when");
            w.expr();
        });
        self.maybe(|w| {
            w.w("max");
            w.literal();
        });
        self.lines(|w| match w.below(8) {
            0 => {
                let word = w.pick(&["size", "valid"]);
                w.w(word);
                w.expr();
            }
            1 => {
                w.w("checksum");
                w.any_name();
            }
            2 => w.step(),
            _ => {
                w.typed();
                for _ in 0..w.below(6) {
                    w.w(";");
                    w.typed();
                }
            }
        });
    }

    pub(super) fn step(&mut self) {
        self.w("let");
        self.any_name();
        self.maybe(|w| {
            w.w(":");
            w.ty();
        });
        self.w("=");
        self.expr();
    }

    pub(super) fn function(&mut self) {
        self.w("fn");
        self.name();
        self.params();
        self.w("->");
        self.ty();
        if self.one_in(2) {
            self.w("=");
            self.expr();
            return;
        }
        self.w("{");
        self.goes_on = false;
        self.maybe(Self::line_end);
        for _ in 0..self.below(3) {
            self.step();
            self.line_end();
        }
        self.expr();
        self.maybe(Self::line_end);
        self.w("}");
        self.goes_on = false;
    }

    pub(super) fn ty(&mut self) {
        self.name();
        if self.one_in(4) {
            self.w("[");
            self.expr();
            self.w("]");
        }
    }

    pub(super) fn typed(&mut self) {
        self.any_name();
        self.w(":");
        self.ty();
    }
}
