//! The names of all diagnostics: one line here, one case in `tests/errors/`, one page in `docs/errors/`.

/// What kinds of diagnostic there are, as a reader looks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The text cannot be read.
    Text,
    /// The text can be read, and says what cannot be.
    Meaning,
    /// The policy can be built, and probably does not do what was meant.
    Doubt,
}

impl Group {
    /// Every group, in the order of the table.
    pub const ALL: [Group; 3] = [Group::Text, Group::Meaning, Group::Doubt];
}

/// Makes the enum, its names, its pages and the list of all from one table.
macro_rules! codes {
    ($([$group:ident] $($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+)+) => {
        /// The name of a kind of diagnostic.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($($(#[doc = $doc])+ $variant,)+)+
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Code] = &[$($(Code::$variant,)+)+];

            /// The name as it is printed and explained: lower case, words joined by `-`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $($(Code::$variant => $name,)+)+
                }
            }

            /// What it says, in one sentence.
            pub fn summary(self) -> &'static str {
                match self {
                    $($(Code::$variant => concat!($($doc),+).trim_ascii(),)+)+
                }
            }

            /// Its page, `docs/errors/CODE.md`: Markdown that begins with the code as its heading.
            pub fn page(self) -> &'static str {
                match self {
                    $($(Code::$variant => {
                        include_str!(concat!("../../../../docs/errors/", $name, ".md"))
                    })+)+
                }
            }

            /// Where a reader looks for it.
            pub fn group(self) -> Group {
                match self {
                    $($(Code::$variant)|+ => Group::$group,)+
                }
            }
        }
    };
}

codes! {
    [Text] // Found by the lexer and the parser.

    /// Something else is needed at this place.
    UnexpectedToken => "unexpected-token",
    /// The first word of a line is none that its block knows.
    UnknownKeyword => "unknown-keyword",
    /// A pool or a backend has no such property.
    UnknownProperty => "unknown-property",
    /// A character that is no part of the language.
    UnknownCharacter => "unknown-character",
    /// A character that looks like one of ASCII, and is not.
    LookAlike => "look-alike",
    /// A string that does not end on its line.
    UnterminatedString => "unterminated-string",
    /// A `\` in a string before a character that has no such form.
    BadEscape => "bad-escape",
    /// An IPv4 or IPv6 address, or its port, that cannot be.
    BadAddress => "bad-address",
    /// A prefix that is too long, or an address with bits set beyond it.
    BadPrefix => "bad-prefix",
    /// A MAC address that is not six groups of two hexadecimal digits.
    BadMac => "bad-mac",
    /// A number with wrong digits or suffix, or too large.
    BadNumber => "bad-number",
    /// A `hex".."` with something else than pairs of hexadecimal digits.
    BadHex => "bad-hex",
    /// A range whose ends are no numbers, or in the wrong order.
    BadRange => "bad-range",
    /// A duration or rate too large to count.
    BadDuration => "bad-duration",
    /// Blocks or expressions inside one another beyond any use.
    NestingTooDeep => "nesting-too-deep",
    /// A block without its `}`.
    UnclosedBlock => "unclosed-block",
    /// A `}` without its block.
    UnmatchedBrace => "unmatched-brace",
    /// Two comparisons in a row without parentheses.
    ChainedComparison => "chained-comparison",
    /// A text of 4 GiB or more.
    FileTooLarge => "file-too-large",

    [Meaning] // Errors of the checker.

    /// Part of the language, but without a meaning in this version.
    NotSupportedYet => "not-supported-yet",
    /// A name that nothing has.
    UnknownName => "unknown-name",
    /// No module of the language has this name.
    UnknownModule => "unknown-module",
    /// A file that a policy takes in cannot be read.
    UnreadableFile => "unreadable-file",
    /// Files that take each other in.
    UseCycle => "use-cycle",
    /// A member of a set that its type does not have, or a line of its file that is none.
    BadMember => "bad-member",
    /// A header, backend or interface has no such field.
    UnknownField => "unknown-field",
    /// No scheduler has this name.
    UnknownScheduler => "unknown-scheduler",
    /// No type has this name.
    UnknownType => "unknown-type",
    /// Two things with one name.
    DuplicateName => "duplicate-name",
    /// A property that has one value is said twice.
    DuplicateProperty => "duplicate-property",
    /// A value of another kind or width is needed.
    TypeMismatch => "type-mismatch",
    /// A constant that does not fit its width.
    ConstantTooLarge => "constant-too-large",
    /// Something that must be known at compile time is not.
    NotAConstant => "not-a-constant",
    /// A key that is a constant: it is the same for every packet.
    ConstantKey => "constant-key",
    /// A division by zero, or a shift beyond the width.
    BadArithmetic => "bad-arithmetic",
    /// A field is used as a value where its header may be absent.
    HeaderMayBeAbsent => "header-may-be-absent",
    /// Something that cannot be assigned to.
    NotAssignable => "not-assignable",
    /// An action, or a computed field, that leads back to itself.
    Recursion => "recursion",
    /// Too few, too many or wrong arguments.
    WrongArguments => "wrong-arguments",
    /// An `else` of a `select` that goes on without a backend.
    ElseMustEnd => "else-must-end",
    /// A counting scheduler without a connection table.
    FlowsNeeded => "flows-needed",
    /// A property's value is out of its range or of the wrong kind.
    BadValue => "bad-value",
    /// More than the compiler counts, or actions and computed fields that expand to more.
    PolicyTooLarge => "policy-too-large",
    /// A header whose lines contradict each other.
    BadHeader => "bad-header",
    /// A line of a test that cannot be meant.
    BadTest => "bad-test",
    /// A backend's port differs from the one that clients use, and nothing rewrites it.
    PortChangesInDr => "port-changes-in-dr",
    /// An address that no backend can have.
    ImpossibleBackend => "impossible-backend",
    /// What a policy does that asks for a network card, and cards cannot.
    NotOffloadable => "not-offloadable",
    /// A policy that is only for some targets, and another one that it speaks of or is built for.
    OtherTarget => "other-target",

    [Doubt] // Warnings.

    /// One address stands in a pool twice.
    DuplicateBackend => "duplicate-backend",
    /// A pool without a backend that takes flows.
    EmptyPool => "empty-pool",
    /// Two backends of a pool with one id.
    DuplicateId => "duplicate-id",
    /// A statement that no packet reaches.
    UnreachableStatement => "unreachable-statement",
    /// A condition that no packet meets.
    NeverTrue => "never-true",
    /// A condition whose packets ended earlier.
    TakenEarlier => "taken-earlier",
    /// A condition that keeps ICMP errors from the `select` of their flow.
    IcmpErrorsLost => "icmp-errors-lost",
    /// The addresses that clients use could not be derived.
    NoVip => "no-vip",
    /// A control character in a string, or what changes the order of reading.
    HiddenCharacter => "hidden-character",
    /// A pool, a constant or a set that nothing names.
    Unused => "unused",
    /// A backend that gets no flow and has none to keep.
    WeightlessBackend => "weightless-backend",
    /// A member of a set that another one has already.
    OverlappingPrefixes => "overlapping-prefixes",
    /// A property that changes nothing here.
    WithoutEffect => "without-effect",
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_has_a_kebab_case_name_of_its_own() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for name in names {
            let kebab = name.split('-').all(|word| {
                !word.is_empty()
                    && word
                        .chars()
                        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
            });
            assert!(kebab, "{name}");
        }
    }
}
