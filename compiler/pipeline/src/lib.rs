//! The meaning of a policy: the pipeline graph, the interpreter that defines what it does, and its lowering.
//!
//! # What a pipeline means
//!
//! A packet enters at the graph's entry and follows edges until a `Verdict`. The graph has no cycle.
//!
//! **Presence.** Headers form a tree of possibilities. Header `h` is present when, for the first of its `after` edges
//! that fits: the predecessor is present, the edge's `when` holds, the fixed fields and the `size` of `h` lie inside the
//! frame and inside the extent of every header before it, `size` is not smaller than the fixed fields, and `valid`
//! holds. A header without `after` edges is at the frame's begin. Presence and offsets are those of the frame as it
//! arrived; fields are read when they are used.
//!
//! **Conditions.** Every comparison and membership on a field of an absent header is false, also `!=` and `not in`; so is
//! every condition built of it without a comparison. `not` negates. `and` and `or` decide from left to right.
//!
//! **Choices.** A choice is a list of alternatives; the first whose condition holds is taken. Groups of headers (`ip` is
//! `ip4` or `ip6`) and the flow are choices.
//!
//! **Named.** The value of `id`, where it is there and below the number of the pool's ids
//! ([`lvsc_abi::manifest::Pool::ids`]), names the backend whose record is `backends.<pool>[id]`. Where that is usable, the
//! pool's counter of that backend counts, then `Yes`: no ring is read, no table is asked and nothing is noted. Else `No`,
//! and what follows chooses as if nothing had been asked.
//!
//! **Select.** The key of the alternative that is taken is hashed (`h`, see [`lvsc_abi::hash`]; the values are written one
//! after the other, each at its width). `slot(h)` is the backend in the ring's slot of that hash ([`lvsc_abi::hash::slot`]),
//! and in `ring.<pool>[c]` for a cursor `c`; its record is `backends.<pool>[slot]`. Indices are masked to the section's length, and a
//! pool's `backends` section has at least one element more than backends ([`lvsc_abi::manifest::Pool::records`]), so that "none" reads
//! a record that is never usable.
//!
//! A select may have a home, which is the hash of another key ([`lvsc_abi::hash::state`], a variable that was bound before). It has a
//! table of every flow, and there `h` is the ring hash of the home wherever the ring is asked; the table goes by the flow's key as
//! ever.
//!
//! Without a connection table the backend is `slot(h)`. With one, `t` is the table hash of `h` with the clock's seed, the
//! bucket is `t` modulo the number of buckets, and `now` the clock's seconds. An entry is too old that is older than
//! [`lvsc_abi::manifest::Flows::oldest`]. With a table of every flow:
//! 1. The bucket has an entry with the flow's tag, it is not too old, and its backend is usable: that is the
//!    backend. Unless the packet is passive, the entry is written anew as below.
//! 2. Else a passive packet gets `slot(h)`, and nothing is written.
//! 3. Else a place is sought: the entry with the flow's tag if there is one, else the first that is empty or too
//!    old. Without a place the pool's `Refused` counter counts and the backend is `slot(h)`. With a place the backend is `slot(h)` for
//!    a scheduler that picks by hash; for one that picks by cursor it is `slot(c)`, where `c` is the worker's element of
//!    `cursor.<pool>`, which then is one more. One that counts flows asks `loads.<pool>`: for the backend that has least to do
//!    ([`lvsc_abi::loads::least`] of all the pool's ids); for the one of `slot(h)` and `slot(h << 32)` that has less
//!    ([`lvsc_abi::loads::second_has_less`]); for a home, which is `slot(h)`, or the one of those two that has less: where it does
//!    not stay there ([`lvsc_abi::loads::stays`]) the backend is the one that has the fewest connections. So it is where backends of
//!    the pool have limits and the one that was chosen otherwise [is full](lvsc_abi::loads::Load::is_full); it is nobody where all
//!    are. If it is usable, the new entry is exchanged for what was found there; where
//!    another worker was faster with the same flow, its backend is taken. Where it was faster with another one, the new entry
//!    is exchanged for nothing in the next place of the bucket (behind the last one comes the first); where that is not empty, the
//!    flow counts as refused and goes where it was to go.
//!
//! An entry is new ([`lvsc_abi::flows::NEW`]), being closed ([`lvsc_abi::flows::CLOSING`]), or plain. The alternative's signs
//! tell whether the packet opens its flow or closes it ([`lvsc_abi::flows::tcp`]); what has no signs does neither. One that closes makes
//! the entry one that is being closed. One that opens leaves a plain one plain, and makes any other new, and so the first of a flow.
//! Any other packet leaves one that is being closed so, and makes any other plain. The entry's life is that of openings or of flows
//! that are being closed ([`lvsc_abi::manifest::Flows`]), else that of the alternative's kind, and its seconds become `now` less the
//! seconds by which that is shorter than the age of the oldest.
//!
//! Where flows are counted ([`lvsc_abi::manifest::Pool::counts_flows`]), whoever has exchanged an entry for another one then
//! takes what that counted ([`lvsc_abi::loads::unit`]) from its backend's element of `loads.<pool>`, and adds what the new one
//! counts to that of its own. Between both a count lacks what is under way: where several workers give flows to a backend
//! at once, it may get one more than its limit for each of them but one. Who got no entry, or is passive, is not counted.
//!
//! With a table of flows whose slots have changed, the slot also names a previous backend `p` ([`lvsc_abi::slots`]), which is
//! kept where it is one and usable. `changes.<pool>[h]` has the times `since` and `elsewhere`. The alternative's signs tell
//! as above whether the packet closes or opens its flow; what has no signs has the mark 0:
//! 1. `p` is none: the backend is `slot(h)`, and no table is asked.
//! 2. The bucket has a living entry ([`lvsc_abi::flows::Entry::is_live`]) with the flow's tag. Where an opening made it and
//!    the packet is none and not passive, and its mark does not fit, and `p` is kept, its backend becomes `p`. If its backend
//!    is usable, that is the backend, and unless the packet is passive the entry is written anew. A packet that closes the
//!    flow makes it one of a flow that is being closed, which lives [`lvsc_abi::flows::CLOSING_LIFE`] seconds or `idle`, and
//!    stays so until an opening; else one that an opening made stays so with its mark for a packet that opens the flow, and
//!    is confirmed by any other. Its seconds become `now`.
//! 3. Else, where `p` is not kept, the backend is `slot(h)`, and nothing is written. Else a passive packet gets `p`.
//! 4. Else the backend is `slot(h)` for a packet that opens the flow, if `since` was [`lvsc_abi::slots::LEARN`] seconds ago or
//!    longer, and `p` for all others. A place is sought as with a table of every flow, where one that an opening made is no
//!    place for another flow. Without a place the pool's `Refused` counter counts, `since` becomes `LEARN` seconds before
//!    `now` unless it is later, and the backend is `p`. With a place and a usable backend the new entry is exchanged for what
//!    was found there: of an opening with its mark, if its packets have sequence numbers. Where another worker was faster
//!    with the same flow, its backend is taken; with another one, or with emptying it, the flow is one without a place.
//! 5. Where an entry was written in 2 or 4 for another backend than that of `slot(h)`, `elsewhere` becomes `now`.
//!
//! A backend whose record is not usable is none: `No`. Else the pool's counter of that backend counts, then `Yes`.
//!
//! **Clients.** Where the select has a client, `s` is its `own` or its `quoted` variable, whichever is not 0; both 0 is no client,
//! and a packet without one is chosen for as above. Else, wherever a packet gets a backend that no flow's entry names (`slot(h)`
//! without a connection table, and `slot(h)` and the scheduler's in 2 and 3 with one of every flow), its client is asked first. `t`
//! is the table hash of `s` with the clock's seed, and the bucket that of `t` in `persist.<pool>`:
//! 1. The bucket has an entry with the client's tag, it is not older than `life`, and its backend is usable and not full: that is
//!    the backend, and no scheduler is asked. Where `own` is not 0 the entry's seconds become `now`.
//! 2. Else the backend is what it would be without a client. Where `own` is not 0 and that is usable, a place is sought as with a
//!    table of every flow, where older than `life` is too old. With a place the new entry is exchanged for what was found there.
//!    Where another worker was faster with the same client, its backend is taken if that is usable and not full: a client has one
//!    whatever workers its flows begin at, as long as no earlier place of its bucket comes free just then. Without a place, or where
//!    another client has got it, nothing is written and nothing counts.
//!
//! **Fragments.** A hash is what the key of the alternative that is taken was absorbed into ([`lvsc_abi::hash::state`]), and 0 where
//! none is: so it tells of a fragment to which datagram it belongs, and of every other packet nothing. Where it is not 0, `t` is the
//! table hash of it with the clock's seed, and the bucket that of `t` in `fragments.<pool>`:
//! 1. To follow: the bucket has an entry with the datagram's tag, it is not older than `life`, and its backend is usable: that is
//!    the backend, the pool's counter of it counts, then `Yes`. Nothing is written. Else `No`, and nothing counts.
//! 2. To remember: a place is sought as with a table of every flow, where older than `life` is too old. With a place the new
//!    entry, with the backend that the packet got, is exchanged for what was found there; where another worker was faster with
//!    another datagram, for nothing in the next place, as there. Without a place nothing is remembered.
//!
//! **Counting by key.** The key of the alternative that is taken becomes a row of words, and the packet is counted in the
//! cell that the counter's table has for it, or gives it: [`lvsc_abi::cells`] tells how. Where another worker was faster
//! with the same key, its cell is taken. Where it was faster with another one, or no cell is free, the counter's `Others`
//! counts.
//!
//! **Interfaces.** An interface's MAC, where it is not known, is the destination of the frame as it arrived. Where a policy has one
//! interface, every index of one is 0.

#![allow(
    clippy::indexing_slicing,
    reason = "arenas are indexed by the ids that they gave"
)]
#![allow(
    clippy::wildcard_enum_match_arm,
    reason = "walks over expressions and steps ask for a few shapes among many"
)]

pub mod drawing;
pub mod interp;
pub mod layout;
pub mod lower;
pub mod members;
mod overlap;
pub mod pipeline;
#[cfg(test)]
mod sample;
pub mod simplify;
pub mod text;
pub mod trace;
pub mod words;
