//! Clients that keep their backends: the `persist` line of a pool.
//!
//! A client is the source of a packet under a mask; that of an ICMP error is the one whose packet it quotes, which was sent to it.

use std::time::Duration;

use lvsc_abi::flows::IDLE_MAX;
use lvsc_abi::manifest::{FlowKind, Persist};
use lvsc_pipeline::pipeline::{Alternative, Binary, Expr, PoolId};

use super::Checker;
use super::pools::word_of;
use crate::diagnostics::{Code, Diagnostic};
use crate::policy::Clients;
use crate::source::Span;
use crate::syntax::ast::{Expr as Written, Prop};

/// Entries of a table that does not say how many.
const ENTRIES: u32 = 1 << 16;
/// Most entries of a table: 512 MiB.
const ENTRIES_MAX: u32 = 1 << 26;

/// In each version of IP its header, that of what an ICMP error quotes, and the width of an address.
const FAMILIES: [(&str, &str, u8); 2] = [("ip4", "quoted4", 32), ("ip6", "quoted6", 128)];

/// Who has sent the packet, or what it only tells of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Own,
    Quoted,
}

impl<'a> Checker<'a> {
    /// `persist 5m`, `persist 5m 64K mask 24 mask6 64`.
    pub(super) fn persist_line(&mut self, prop: &'a Prop) -> Option<Persist> {
        let word = |value| word_of(value).map_or("", |name| &name.text);
        let Some((time, mut rest)) = prop.values.split_first() else {
            return self.bad_persist(prop.span);
        };
        let limit = Duration::from_secs(IDLE_MAX.into());
        let life = self.seconds(time, limit, "`persist` begins with a time from 1s to 9h")?;
        let mut entries = ENTRIES;
        // What is no word is a number, right or wrong.
        if let Some((size, behind)) = rest.split_first().filter(|(size, _)| word(size).is_empty()) {
            entries = self.table_size(
                size,
                ENTRIES_MAX,
                "a table of clients has from 8 to 64M entries",
            )?;
            rest = behind;
        }
        let (mut mask, mut mask6) = (None, None);
        while let [of, bits, behind @ ..] = rest {
            let (place, most) = match word(of) {
                "mask" => (&mut mask, 32),
                "mask6" => (&mut mask6, 128),
                _ => return self.bad_persist(of.span),
            };
            if place.is_some() {
                let message = format!("`{}` stands here twice", word(of));
                return self.bad_value(&message, of.span);
            }
            *place = Some(self.prefix_length(bits, word(of), most)?);
            rest = behind;
        }
        if let [odd, ..] = rest {
            return self.bad_persist(odd.span);
        }
        Some(Persist {
            entries,
            life,
            mask: mask.unwrap_or(32),
            mask6: mask6.unwrap_or(128),
        })
    }

    fn prefix_length(&mut self, bits: &'a Written, word: &str, most: u8) -> Option<u8> {
        let number = self.constant_number(bits)?;
        match u8::try_from(number) {
            Ok(length) if (1..=most).contains(&length) => Some(length),
            Ok(_) | Err(_) => {
                let message = format!("`{word}` is a number of bits from 1 to {most}");
                self.bad_value(&message, bits.span)
            }
        }
    }

    fn bad_persist<T>(&mut self, span: Span) -> Option<T> {
        let message = "`persist` is a time, and may have a size, `mask` and `mask6`";
        self.report(
            Diagnostic::error(Code::BadValue, message, span)
                .note("write `persist 5m`, `persist 5m mask 24 mask6 64` or `persist 5m 64K`"),
        );
        None
    }

    /// By what a pool knows the clients that it keeps; `Some(None)` where it keeps none.
    pub(super) fn by_client(&mut self, pool: PoolId, span: Span) -> Option<Option<Clients>> {
        let pool = self.policy.manifest.pools.get(usize::from(pool.0));
        let Some(persist) = pool.and_then(|pool| pool.persist) else {
            return Some(None);
        };
        let mut part = |who, title: &str| {
            let ways = self.client_ways(persist, who)?;
            let key = self.equal_choice(title.to_owned(), ways, span);
            Some((self.hash(title, span), key))
        };
        Some(Some(Clients {
            own: part(Who::Own, "client")?,
            quoted: part(Who::Quoted, "quoted_client")?,
        }))
    }

    /// The client's address under its mask, in each version of IP.
    fn client_ways(&self, persist: Persist, who: Who) -> Option<Vec<Alternative>> {
        let ways = FAMILIES.iter().map(|(ip, quoted, width)| {
            let headers = [self.instance_named(ip)?, self.instance_named(quoted)?];
            let [present, tells] = headers.map(Expr::Present);
            let [header, inner] = headers;
            let (condition, address) = match who {
                Who::Own => (
                    Expr::And(Box::new(present), Box::new(Expr::Not(Box::new(tells)))),
                    Expr::Field(header, self.fixed_field(header, "src")?),
                ),
                Who::Quoted => (tells, Expr::Field(inner, self.fixed_field(inner, "dst")?)),
            };
            let length = if *width == 32 {
                persist.mask
            } else {
                persist.mask6
            };
            Some(Alternative {
                name: format!("{ip} client"),
                condition,
                key: vec![masked(address, length, *width)],
                passive: who == Who::Quoted,
                signs: None,
                kind: FlowKind::Other,
            })
        });
        ways.collect()
    }
}

/// The first `length` bits of an address of this width, which has 32 bits or 128.
fn masked(address: Expr, length: u8, width: u8) -> Expr {
    if length == width {
        return address;
    }
    let host = u32::from(width - length);
    let mask = Expr::Constant {
        value: (u128::MAX >> (128 - u32::from(width))) >> host << host,
        width: u16::from(width),
    };
    Expr::Binary(Binary::And, Box::new(address), Box::new(mask))
}
