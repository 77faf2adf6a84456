// A director as general load balancers are built: all that it knows is in maps, which a control
// plane may change at any time. With FLOWS it keeps that many flows in the kernel's LRU map.
#define SERVICE_MAP
#include "service.h"

#define SLOTS 65537 // a prime, as the paper on Maglev has it
#define BACKENDS 4096
#define SERVICES 8192

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, SLOTS);
    __type(key, u32);
    __type(value, u32);
} ring SEC(".maps");

// {MAC: low 48 bits, number: high 16}; number 0 is no backend.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, BACKENDS);
    __type(key, u32);
    __type(value, u64);
} backends SEC(".maps");

struct counter {
    u64 packets, bytes;
};
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, BACKENDS);
    __type(key, u32);
    __type(value, struct counter);
} backend_counters SEC(".maps");
struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, SERVICES);
    __type(key, u32);
    __type(value, struct counter);
} service_counters SEC(".maps");

static __always_inline u32 rotate(u32 word, u32 by) {
    return word << by | word >> (32 - by);
}

// Bob Jenkins' hash of three words (lookup3, the final part).
static __always_inline u32 jhash(u32 a, u32 b, u32 c) {
    u32 seed = 0xdeadbeef + (3 << 2) + 0x1234567;
    a += seed, b += seed, c += seed;
    c ^= b, c -= rotate(b, 14);
    a ^= c, a -= rotate(c, 11);
    b ^= a, b -= rotate(a, 25);
    c ^= b, c -= rotate(b, 16);
    a ^= c, a -= rotate(c, 4);
    b ^= a, b -= rotate(a, 14);
    c ^= b, c -= rotate(b, 24);
    return c;
}

static __always_inline u64 backend(u32 number) {
    u64 *found = bpf_map_lookup_elem(&backends, &number);
    return found ? *found : 0;
}

static __always_inline u64 choose(const struct packet *p) {
    u32 slot = jhash(p->source, p->destination, p->ports) % SLOTS;
    u32 *number = bpf_map_lookup_elem(&ring, &slot);
    return number ? backend(*number) : 0;
}

#ifdef FLOWS
struct flow {
    u32 source, destination, ports, protocol;
};
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, FLOWS);
    __type(key, struct flow);
    __type(value, u32);
} flows SEC(".maps");

static __always_inline u64 find(const struct packet *p) {
    struct flow flow = {p->source, p->destination, p->ports, p->protocol};
    u32 *known = bpf_map_lookup_elem(&flows, &flow);
    if (known)
        return backend(*known);
    u64 chosen = choose(p);
    u32 number = chosen >> 48;
    if (chosen)
        bpf_map_update_elem(&flows, &flow, &number, BPF_ANY);
    return chosen;
}
#else
static __always_inline u64 find(const struct packet *p) {
    return choose(p);
}
#endif

static __always_inline void count(void *counters, u32 index, u32 length) {
    struct counter *counter = bpf_map_lookup_elem(counters, &index);
    if (counter) {
        counter->packets++;
        counter->bytes += length;
    }
}

SEC("xdp") int generic(struct xdp_md *ctx) {
    struct packet p;
    if (!parse(ctx, &p))
        return XDP_PASS;
    u32 *served = service(&p);
    if (!served)
        return XDP_PASS;
    u64 found = find(&p);
    if (!found)
        return XDP_DROP;
    count(&backend_counters, found >> 48, p.length);
    count(&service_counters, *served, p.length);
    readdress(p.frame, found);
    return XDP_TX;
}
