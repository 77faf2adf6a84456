// Runs in front of the measured program. BPF_PROG_TEST_RUN gives the same frame to all repeats, as
// the one before has left it: so this restores it, makes it the next packet, and calls the program.
#include "wrapper.h"
#include "packet.h"

struct {
    __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
    __uint(max_entries, 1);
    __type(key, u32);
    __type(value, u32);
} programs SEC(".maps");

struct wrapper wrapper SEC(".bss.wrapper");

SEC("xdp") int wrap(struct xdp_md *ctx) {
    void *frame = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    if (frame + FRAME > end)
        return XDP_ABORTED;
#pragma clang loop unroll(full)
    for (int word = 0; word < FRAME / 8; word++)
        ((u64 *)frame)[word] = wrapper.frame[word];

    // An odd factor visits all flows before one comes again, in an order that no prefetcher knows.
    u64 packet = wrapper.packets++;
    u64 flow = packet * 0x9e3779b1 & wrapper.flow_mask;
    u32 destination = mix(packet) & wrapper.destination_mask & (DESTINATIONS - 1);
    *(u32 *)(frame + 26) ^= bpf_htonl(flow >> 16);
    *(u32 *)(frame + 30) = wrapper.destinations[destination];
    *(u16 *)(frame + 34) ^= (u16)flow;

    // A frame comes from memory, not from stores just made: a program that loads across two of the
    // stores above would wait for them, and be judged by that. Reading the clock holds up all that
    // follows (rdtsc_ordered() in the kernel's asm/msr.h), and meanwhile the stores are done.
    if (!bpf_ktime_get_ns())
        return XDP_ABORTED;
    bpf_tail_call(ctx, &programs, 0);
    return XDP_ABORTED;
}
