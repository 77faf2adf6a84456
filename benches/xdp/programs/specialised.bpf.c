// A director as one writes it who knows the service beforehand: constants in the code, state in
// global data. With FLOWS_LOG2 it has a table of 2^FLOWS_LOG2 flows, eight to a cache line.
#include "service.h"
#include "state.h"

// Client address and port: the VIP and its port are the same for all.
static __always_inline u64 client(const struct packet *p) {
    return (u64)p->source << 16 | (p->ports & 0xffff);
}

#ifdef FLOWS_LOG2
#define WAYS 8
// {client: high 48 bits, number of the backend: low 16}; 0 is free.
u64 flows[1u << FLOWS_LOG2] SEC(".bss.flows");

static __always_inline u64 find(const struct packet *p) {
    u64 key = client(p);
    u32 hash = mix(key);
    u64 *line = &flows[(hash & ((1u << FLOWS_LOG2) - 1)) & ~(WAYS - 1)];
#pragma clang loop unroll(full)
    for (u32 way = 0; way < WAYS; way++) {
        u64 entry = line[way];
        if (entry >> 16 == key && (u16)entry)
            return backend((u16)entry);
    }

    u64 chosen = choose(hash);
    u32 place = hash >> 29; // a full line loses one
#pragma clang loop unroll(full)
    for (u32 way = WAYS; way-- > 0;)
        if (!line[way])
            place = way;
    line[place & (WAYS - 1)] = key << 16 | chosen >> 48;
    return chosen;
}
#else
static __always_inline u64 find(const struct packet *p) {
    return choose(mix(client(p)));
}
#endif

SEC("xdp") int specialised(struct xdp_md *ctx) {
    struct packet p;
    if (!parse(ctx, &p) || !is_served(&p))
        return XDP_PASS;
    u64 found = find(&p);
    if (!found)
        return XDP_DROP;
    count(found, p.length);
    readdress(p.frame, found);
    return XDP_TX;
}
