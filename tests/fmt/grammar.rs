//! Random policies that the parser takes: every production of the grammar, with comments, line ends and blanks wherever they
//! may stand. They mean nothing.

mod declarations;
mod statements;

/// Most levels of blocks and expressions.
const DEPTH: u32 = 4;
/// Bytes after which a policy comes to its end.
const LENGTH: usize = 2000;
/// Words that mean something elsewhere.
const WORDS: [&str; 12] = [
    "match", "key", "in", "not", "and", "or", "else", "by", "entries", "send", "on", "_",
];
const NAMES: [&str; 9] = [
    "x",
    "ip",
    "web",
    "rs1",
    "a_long_name_of_something",
    "dead",
    "tcp",
    "S",
    "hex",
];
const LITERALS: [&str; 22] = [
    "80",
    "0x1f",
    "1_000",
    "64K",
    "1M",
    "192.0.2.1",
    "10.0.0.0/8",
    "192.0.2.1:8080",
    "2001:db8::1",
    "2001:db8::/32",
    "::1",
    "fe80::1",
    "[2001:db8::1]:443",
    "00:0c:29:aa:bb:cc",
    "8000..8099",
    "250ms",
    "15m",
    "200/s",
    "10Gbps",
    "\"a # b\"",
    "hex\"40 00\"",
    "\"ä\"",
];
const COMPARISONS: [&str; 8] = ["==", "!=", "<", "<=", ">", ">=", "in", "not in"];
const ARITHMETIC: [&str; 10] = ["|", "^", "&", "<<", ">>", "+", "-", "*", "/", "%"];

/// A policy made of a number.
pub fn policy(seed: u64) -> String {
    let mut writer = Writer {
        state: seed ^ 0x9e37_79b9_7f4a_7c15,
        text: String::new(),
        parens: 0,
        goes_on: false,
        depth: 0,
    };
    if writer.one_in(8) {
        writer.text.push('\u{feff}');
    }
    if writer.one_in(2) {
        writer.line_end();
    }
    for _ in 0..=writer.below(5) {
        writer.item();
        writer.line_end();
    }
    writer.text
}

struct Writer {
    state: u64,
    text: String,
    parens: u32,
    /// Whether the line goes on, wherever the next word stands.
    goes_on: bool,
    depth: u32,
}

impl Writer {
    /// A number below another one (Marsaglia 2003).
    fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }

    fn one_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        of[self.below(of.len())]
    }

    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A word behind blanks, and a comment or a line end where one may stand.
    fn w(&mut self, word: &str) {
        if (self.parens > 0 || self.goes_on) && self.one_in(12) {
            self.between();
        }
        let closes = [")", "]", ",", ";"].contains(&word);
        let opened = self.text.ends_with(['(', '[', '{', ',', '\n']);
        if !(closes || opened) || self.one_in(6) {
            let blanks = self.pick(&[" ", " ", " ", "  ", "\t"]);
            self.raw(blanks);
        }
        self.raw(word);
        match word {
            "(" | "[" => self.parens += 1,
            ")" | "]" => self.parens -= 1,
            _ => {}
        }
        let operator = ARITHMETIC.contains(&word) || COMPARISONS.contains(&word);
        self.goes_on = operator || [",", "=", "+=", "-=", "->", "~"].contains(&word);
    }

    fn joint(&mut self, word: &str) {
        self.w(word);
        self.goes_on = true;
    }

    /// Line ends and comments between words.
    fn between(&mut self) {
        for _ in 0..=self.below(2) {
            let between = self.pick(&[
                "\n",
                "\r\n",
                " # a comment\n",
                "\n# own\n",
                "\n\n\n",
                "#\t\n",
            ]);
            self.raw(between);
        }
    }

    fn line_end(&mut self) {
        let ends = [
            "\n",
            "\n",
            "\n",
            ";",
            "; ",
            "\n\n\n",
            " # behind\n",
            "\n  # own\n",
            "\r\n",
            ";\n",
            "\n#own \n\n#more\n",
            ";; # ä\n",
            "\n\n# own\n\n",
        ];
        let end = self.pick(&ends);
        self.raw(end);
        self.goes_on = false;
    }

    fn name(&mut self) {
        let name = self.pick(&NAMES);
        self.w(name);
    }

    /// Whether it is time to come to an end.
    fn is_deep(&self) -> bool {
        self.depth > DEPTH || self.text.len() > LENGTH
    }

    fn any_name(&mut self) {
        if self.one_in(5) {
            let name = self.pick(&WORDS);
            self.w(name);
            self.goes_on = false;
        } else {
            self.name();
        }
    }

    fn literal(&mut self) {
        let literal = self.pick(&LITERALS);
        self.w(literal);
    }

    fn text_literal(&mut self) {
        let text = self.pick(&["\"web\"", "\"a # b\"", "\"\\\"{\""]);
        self.w(text);
    }

    fn maybe(&mut self, part: impl FnOnce(&mut Self)) {
        if self.one_in(2) {
            part(self);
        }
    }

    /// Parts with commas between.
    fn several(&mut self, most: usize, part: impl Fn(&mut Self)) {
        let many = self.one_in(20) && !self.is_deep();
        let count = if many { 6 * most } else { self.below(most) };
        part(self);
        for _ in 0..count {
            self.w(",");
            part(self);
        }
    }

    /// `{ lines }`.
    fn lines(&mut self, line: impl Fn(&mut Self)) {
        self.w("{");
        let (parens, depth) = (std::mem::take(&mut self.parens), self.depth);
        self.depth += 1;
        let one_line = self.one_in(3);
        if !one_line {
            self.maybe(Self::line_end);
        }
        let count = if self.is_deep() {
            self.below(2)
        } else {
            self.below(5)
        };
        for index in 0..count {
            line(self);
            if !one_line {
                self.line_end();
            } else if index + 1 < count {
                self.w(";");
            }
            self.goes_on = false;
        }
        self.w("}");
        (self.parens, self.depth) = (parens, depth);
        self.goes_on = false;
    }

    /// `{ members }`.
    fn members(&mut self, least: usize, part: impl Fn(&mut Self)) {
        self.w("{");
        let parens = std::mem::take(&mut self.parens);
        let many = self.one_in(12) && !self.is_deep();
        let broken = self.one_in(3);
        let most = if many { 30 } else { 4 };
        let count = least + self.below(most);
        for index in 0..count {
            if broken && self.one_in(2) {
                self.between();
            }
            self.goes_on = false;
            part(self);
            if index + 1 < count || self.one_in(4) {
                self.w(",");
            }
        }
        self.goes_on = false;
        if broken {
            self.between();
        }
        self.w("}");
        self.parens = parens;
        self.goes_on = false;
    }

    fn set(&mut self) {
        self.members(1, Self::expr);
    }

    fn expr(&mut self) {
        self.depth += 1;
        let most = if self.is_deep() {
            1
        } else if self.one_in(8) {
            9
        } else {
            2
        };
        for index in 0..=self.below(most) {
            if index > 0 {
                let joint = self.pick(&["and", "or"]);
                self.joint(joint);
            }
            if self.one_in(6) {
                self.joint("not");
            }
            self.sum();
            if self.one_in(2) {
                let comparison = self.pick(&COMPARISONS);
                self.joint(comparison);
                self.sum();
            }
        }
        self.depth -= 1;
    }

    fn sum(&mut self) {
        self.term();
        while self.one_in(4) {
            let operator = self.pick(&ARITHMETIC);
            self.w(operator);
            self.term();
        }
    }

    fn term(&mut self) {
        while self.one_in(10) {
            let sign = self.pick(&["-", "~"]);
            self.w(sign);
        }
        self.primary();
    }

    fn primary(&mut self) {
        match self.below(if self.is_deep() { 4 } else { 8 }) {
            0 | 1 => self.literal(),
            2 | 3 => self.path(),
            4 => {
                self.w("(");
                self.expr();
                self.w(")");
            }
            5 => {
                self.w("(");
                self.expr();
                self.w(",");
                self.several(2, Self::expr);
                self.w(")");
            }
            6 => self.set(),
            _ => {
                self.name();
                self.steps(true);
            }
        }
    }

    /// Names joined by dots.
    fn path(&mut self) {
        self.name();
        while self.one_in(2) {
            self.w(".");
            self.any_name();
        }
    }

    fn steps(&mut self, calls: bool) {
        for _ in 0..self.below(3) {
            match self.below(if calls { 3 } else { 2 }) {
                0 => {
                    self.w(".");
                    self.any_name();
                }
                1 => {
                    self.w("[");
                    self.several(2, Self::expr);
                    self.w("]");
                }
                _ => {
                    self.w("(");
                    self.maybe(|w| w.several(2, Self::expr));
                    self.w(")");
                }
            }
        }
    }
}
