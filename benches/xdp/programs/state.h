// The state of the specialised programs, in global data: no map lookup, no helper call.
#pragma once
#include "packet.h"

#define SLOTS 16384 // as many as lvsc gives to 16 backends
#define BACKENDS 256
#define CPUS 128

// {MAC: low 48 bits, number: high 16}; number 0 is no backend.
u64 backends[BACKENDS] SEC(".bss.backends");
u16 ring[SLOTS] SEC(".bss.ring");

struct counter {
    u64 packets, bytes;
};
struct counter counters[CPUS][BACKENDS] SEC(".bss.counters");

static __always_inline u64 backend(u32 number) {
    return backends[number & (BACKENDS - 1)];
}

// The backend that the ring has for a flow.
static __always_inline u64 choose(u32 hash) {
    return backend(ring[hash & (SLOTS - 1)]);
}

static __always_inline void count(u64 backend, u32 length) {
    u32 cpu = bpf_get_smp_processor_id() & (CPUS - 1);
    struct counter *counter = &counters[cpu][backend >> 48 & (BACKENDS - 1)];
    counter->packets++;
    counter->bytes += length;
}
