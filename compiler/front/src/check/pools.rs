//! Pools and their backends: what the control plane fills.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use lvsc_abi::layout::slot;
use lvsc_abi::mac::Mac;
use lvsc_abi::manifest::{Backend, Counter, CounterKind, Pool};
use lvsc_abi::scheduler::Scheduler;
use lvsc_pipeline::pipeline::PoolId;

use super::Checker;
use super::fragments::Treatment;
use super::limits::{FLOWS_MAX, Limits};
use super::names::{Sort, Thing};
use crate::diagnostics::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Item, LitKind, Name, PoolLine};

/// The highest id of a backend: a ring slot names it with 16 bits, and the two highest values stand for nobody. Sections and
/// counters have a place for each id up to the highest of a pool.
const ID_MAX: u16 = slot::TAIL - 1;
/// Most backends of a pool.
const BACKENDS_MAX: usize = ID_MAX as usize + 1;

impl<'a> Checker<'a> {
    pub(super) fn unicast(&mut self, mac: Mac, span: Span) -> Option<Mac> {
        if mac.is_group() || mac.to_bits() == 0 {
            return self.bad_value("this MAC is no single station's", span);
        }
        Some(mac)
    }

    /// A value that is not what its property takes; nothing where it is a literal that the lexer has reported.
    pub(super) fn unfit<T>(&mut self, message: &str, value: &Expr) -> Option<T> {
        match value.kind {
            ExprKind::Lit(ast::Lit {
                kind: LitKind::Bad, ..
            }) => None,
            _ => self.bad_value(message, value.span),
        }
    }

    pub(super) fn bad_value<T>(&mut self, message: &str, span: Span) -> Option<T> {
        self.error(Code::BadValue, message, span)
    }

    /// All pools.
    pub(super) fn pools(&mut self, items: &[&'a Item]) {
        for item in items {
            let Item::Pool(item) = item else { continue };
            let pool = self.pool(item);
            let count = self.policy.manifest.pools.len();
            let id = PoolId(self.next_id(count, "pools", item.name.span));
            self.policy.manifest.pools.push(pool);
            self.names.set(&item.name.text, Thing::Pool(id));
        }
    }

    fn pool(&mut self, item: &'a ast::Pool) -> Pool {
        let mut scheduler = (Scheduler::Maglev, item.name.span);
        let mut key: &'a [Expr] = &[];
        let mut backends: Vec<Backend> = Vec::new();
        let mut places: Vec<Span> = Vec::new();
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        let given = self.given_ids(item);
        let mut ids = (0..=ID_MAX).filter(|id| !given.contains(id));
        let (mut flows, mut capacity, mut full) = (None, None, false);
        let (mut slow_start, mut timeouts) = (None, None);
        let (mut treatment, mut persist) = (Treatment::default(), None);
        let before = self.diagnostics.len();
        for line in &item.lines {
            match line {
                PoolLine::Scheduler(line) => {
                    if let Some(found) = self.scheduler(line) {
                        scheduler = (found, line.span);
                        key = &line.by;
                        self.check_key(key);
                    }
                }
                PoolLine::Backend(line) => {
                    if backends.len() == BACKENDS_MAX {
                        if !std::mem::replace(&mut full, true) {
                            let message = format!("more than {BACKENDS_MAX} backends");
                            let _: Option<()> = self.bad_value(&message, line.span);
                        }
                        continue;
                    }
                    let Some(backend) = self.backend(line, &mut ids) else {
                        continue;
                    };
                    self.note_twice(&mut seen, &backend, line);
                    backends.push(backend);
                    places.push(line.span);
                }
                PoolLine::Prop(prop) if prop.name.text == "flows" => {
                    flows = self.flows(prop).map(|found| (found, prop.span));
                }
                PoolLine::Prop(prop) if prop.name.text == "timeout" => {
                    timeouts = self.timeout(prop).map(|found| (found, prop.span));
                }
                PoolLine::Prop(prop) if prop.name.text == "fragments" => {
                    treatment = self.fragments_line(prop).unwrap_or_default();
                }
                PoolLine::Prop(prop) if prop.name.text == "persist" => {
                    persist = self.persist_line(prop).map(|found| (found, prop.span));
                }
                PoolLine::Prop(prop) if prop.name.text == "slow_start" => {
                    slow_start = self.slow_start(prop).map(|time| (time, prop.span));
                }
                PoolLine::Prop(prop) if prop.name.text == "capacity" => {
                    capacity = self.capacity_of_pool(prop).map(|found| (found, prop.span));
                }
                PoolLine::Prop(prop) => {
                    let _: Option<()> = self.later(&format!("`{}`", prop.name.text), prop.span);
                }
            }
        }
        // A line that is wrong, or could not be read, may be that of a backend.
        let fine = before == self.diagnostics.len() && self.unread.is_empty();
        if fine
            && !backends
                .iter()
                .any(|backend| backend.weight > 0 && !backend.drain)
        {
            self.report(
                Diagnostic::warning(
                    Code::EmptyPool,
                    "no backend of this pool takes flows",
                    item.name.span,
                )
                .note("a backend with weight 0 keeps its flows and gets no new ones"),
            );
        }
        let name = item.name.text.clone();
        self.keys.push(key);
        self.fragments.push(treatment);
        let flows = self.table(scheduler, persist.map(|(_, line)| line), flows, timeouts);
        self.weightless(&backends, &places, flows.is_some() || persist.is_some());
        self.limited(&backends, &places, flows.as_ref());
        self.compared(scheduler, &backends, capacity);
        self.unheeded_weight(&backends, &places, scheduler);
        self.unheeded_start(slow_start, scheduler);
        if let Some(capacity) = capacity {
            self.within(capacity, &backends, &places);
        }
        if flows.is_some() {
            self.counter(CounterKind::Refused, &name, item.name.span);
        }
        let pool = Pool {
            name,
            scheduler: scheduler.0,
            backends,
            flows,
            fragments: treatment.followed(),
            no_fragments: treatment.refused(),
            persist: persist.map(|(found, _)| found),
            slow_start: slow_start.map(|(time, _)| time),
            counters: self.policy.manifest.counters.len() as u32,
            capacity: capacity.map(|(capacity, _)| capacity),
        };
        // One for each id, whether a backend has it or not.
        for id in 0..pool.ids() {
            let counter = match pool.backend(id as u16) {
                Some(backend) => Counter {
                    name: format!("{}.{}", pool.name, backend.name),
                    kind: CounterKind::Backend,
                },
                None => Counter::of_nobody(&pool.name, id),
            };
            self.policy.manifest.counters.push(counter);
        }
        pool
    }

    /// The ids that the lines of a pool give: no other backend gets one of them.
    fn given_ids(&mut self, item: &'a ast::Pool) -> BTreeSet<u16> {
        let mut ids = BTreeSet::new();
        for line in &item.lines {
            let PoolLine::Backend(backend) = line else {
                continue;
            };
            let mut options = backend.options.iter();
            let given = options.find(|option| option.name.text == "id");
            let given = given.and_then(|option| option.value.as_ref());
            let number = given.and_then(|value| self.constant_number(value));
            ids.extend(number.and_then(|number| u16::try_from(number).ok()));
        }
        ids
    }

    /// `capacity 32`
    fn capacity_of_pool(&mut self, prop: &'a ast::Prop) -> Option<u32> {
        let message = format!("`capacity` is a number of backends, from 1 to {BACKENDS_MAX}");
        let [value] = prop.values.as_slice() else {
            return self.bad_value(&message, prop.span);
        };
        let number = self.constant_number(value)?;
        let fits = usize::try_from(number).is_ok_and(|number| (1..=BACKENDS_MAX).contains(&number));
        if !fits {
            return self.bad_value(&message, value.span);
        }
        Some(number as u32)
    }

    /// Every backend has its place among as many as the pool says that it can have.
    fn within(&mut self, (capacity, line): (u32, Span), backends: &[Backend], places: &[Span]) {
        let mut each = backends.iter().zip(places);
        let beyond = each.find(|(backend, _)| u32::from(backend.id) >= capacity);
        if let Some((backend, place)) = beyond {
            let id = backend.id;
            let message = format!("there is no place for a backend with the id {id}");
            let error = Diagnostic::error(Code::BadValue, message, *place)
                .secondary(line, format!("places for the ids 0 to {}", capacity - 1))
                .note("raise `capacity`; a backend without an `id` has the first free one");
            self.report(error);
        }
    }

    fn scheduler(&mut self, line: &'a ast::Scheduler) -> Option<Scheduler> {
        let name = &line.name;
        let word = if name.text == "mh" {
            "maglev"
        } else {
            &name.text
        };
        if let Some(found) = Scheduler::named(word) {
            return Some(found);
        }
        let known: Vec<String> = Scheduler::ALL.iter().map(ToString::to_string).collect();
        let message = format!("no scheduler is called `{}`", name.text);
        self.unknown(name, Code::UnknownScheduler, &message, &known)
    }

    fn backend(
        &mut self,
        line: &'a ast::Backend,
        ids: &mut impl Iterator<Item = u16>,
    ) -> Option<Backend> {
        let span = line.address.span;
        let (address, port) = match line.address.kind {
            LitKind::Ip4(address) => (IpAddr::V4(address), None),
            LitKind::Ip6(address) => (IpAddr::V6(address), None),
            LitKind::Endpoint(endpoint) => (endpoint.ip(), Some(endpoint.port())),
            LitKind::Bad => return None,
            _ => {
                return self.bad_value("a backend is an address, or an address and a port", span);
            }
        };
        self.backend_address(address, span)?;
        if let Some(port) = port {
            let pool = self.policy.manifest.pools.len();
            self.ports.push((pool, port, self.port_span(span)));
        }
        let name = line
            .name
            .as_ref()
            .map_or_else(|| address.to_string(), |name| name.text.clone());
        let mut backend = Backend {
            port,
            ..Backend::new(slot::NONE, name, address)
        };
        let mut limits = Limits::default();
        for option in &line.options {
            self.option(option, &mut backend, &mut limits)?;
        }
        backend.limit = self.limit(limits)?;
        if backend.id == slot::NONE {
            backend.id = ids.next()?; // there are as many of them as backends
        }
        Some(backend)
    }

    /// The port of an endpoint.
    fn port_span(&self, endpoint: Span) -> Span {
        let address = self
            .sources
            .snippet(endpoint)
            .rfind(':')
            .map_or(0, |at| at + 1);
        Span {
            start: endpoint.start + address as u32,
            ..endpoint
        }
    }

    fn option(
        &mut self,
        option: &'a ast::BackendOption,
        backend: &mut Backend,
        limits: &mut Limits,
    ) -> Option<()> {
        let word = option.name.text.as_str();
        match (word, option.value.as_ref()) {
            ("weight", Some(value)) => {
                let number = self.constant_number(value)?;
                let Ok(weight @ 0..=65_535) = u32::try_from(number) else {
                    return self.bad_value("`weight` is a number from 0 to 65535", value.span);
                };
                backend.weight = weight;
            }
            ("mac", Some(value)) => {
                let ExprKind::Lit(ast::Lit {
                    kind: LitKind::Mac(mac),
                    span,
                }) = &value.kind
                else {
                    return self.unfit("`mac` is a MAC address: 02:00:00:00:00:01", value);
                };
                backend.mac = Some(self.unicast(Mac(*mac), *span)?);
            }
            ("via", Some(value)) => {
                let Some(name) = word_of(value) else {
                    return self.unfit("`via` takes the name of an interface", value);
                };
                let Some(Thing::Interface(id)) = self.names.get(&name.text) else {
                    return self.unknown_name(name, &[Sort::Interface]);
                };
                backend.interface = id.0 as u8;
            }
            ("id", Some(value)) => {
                let number = self.constant_number(value)?;
                let Some(id) = u16::try_from(number).ok().filter(|id| *id <= ID_MAX) else {
                    let message = format!("`id` is a number from 0 to {ID_MAX}");
                    return self.bad_value(&message, value.span);
                };
                backend.id = id;
            }
            ("drain", _) => backend.drain = true,
            ("backup", _) => backend.backup = true,
            ("weight" | "mac" | "via" | "id" | "limit" | "reopen", None) => {
                return self.bad_value(&format!("`{word}` needs a value"), option.span);
            }
            ("limit" | "reopen", Some(value)) => {
                let number = self.constant_number(value)?;
                let Ok(flows @ 1..=FLOWS_MAX) = u32::try_from(number) else {
                    let message = format!("`{word}` is a number of flows from 1 to {FLOWS_MAX}");
                    return self.bad_value(&message, value.span);
                };
                if word == "limit" {
                    limits.limit = Some((flows, option.span));
                } else {
                    limits.reopen = Some((flows, option.span));
                }
            }
            _ => {} // the parser has said that there is no such property
        }
        Some(())
    }

    fn note_twice(
        &mut self,
        seen: &mut BTreeMap<String, Span>,
        backend: &Backend,
        line: &ast::Backend,
    ) {
        let key = backend.address.to_string();
        if let Some(first) = seen.get(&key) {
            let message = format!("{key} stands in this pool twice");
            self.report(
                Diagnostic::warning(Code::DuplicateBackend, message, line.address.span)
                    .secondary(*first, "first here"),
            );
        }
        if let Some(name) = &line.name {
            if let Some(first) = seen.get(&name.text).copied() {
                let message = format!("two backends are called `{}`", name.text);
                self.report(
                    Diagnostic::error(Code::DuplicateName, message, name.span)
                        .secondary(first, "first here"),
                );
            }
            seen.insert(name.text.clone(), name.span);
        }
        seen.insert(key, line.address.span);
        let given = line.options.iter().find(|option| option.name.text == "id");
        let place = given.map_or(line.address.span, |option| option.span);
        if let Some(first) = seen.insert(format!("#{}", backend.id), place) {
            let message = format!("two backends have the id {}", backend.id);
            let error = Diagnostic::error(Code::DuplicateId, message, place);
            self.report(error.secondary(first, "first here"));
        }
    }
}

/// The one name that an expression is.
pub(super) fn word_of(expr: &Expr) -> Option<&Name> {
    match &expr.kind {
        ExprKind::Path(path) => path.as_name(),
        _ => None,
    }
}
