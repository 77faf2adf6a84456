// What the directors of this folder share: reading a packet, rewriting its addresses, mixing bits.
// For little-endian machines.
#pragma once
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

// Types of Ethernet as a little-endian load sees them.
#define ETH_IP4 0x0008
#define ETH_VLAN 0x0081
#define ETH_QINQ 0xa888

#define TCP 6
#define UDP 17

// The service that every program serves.
#define VIP bpf_htonl(0x0ac80101) // 10.200.1.1
#define PORT bpf_htons(80)

// Addresses and ports are in network order; the source port is in the low half of `ports`.
struct packet {
    void *frame;
    u32 length;
    u32 source;
    u32 destination;
    u32 ports;
    u8 protocol;
};

#ifdef SAME_CHECKS
// What lvsc also asks of a packet: see README.md, "What is compared".
u64 own_mac SEC(".bss.own_mac"); // low 48 bits; 0: not known, every unicast frame is ours

static __always_inline int is_ours(const void *frame) {
    u64 mac = *(u64 *)frame << 16;
    u64 own = own_mac ? own_mac << 16 : mac;
    return !(*(u8 *)frame & 1) && mac == own;
}

static __always_inline int tcp_fits(const struct packet *p, const void *ip, const void *l4,
                                    const void *end) {
    u32 header = l4 - ip;
    u32 total = bpf_ntohs(*(u16 *)(ip + 2));
    if (p->protocol != TCP || l4 + 20 > end)
        return 0;
    u32 size = *(u8 *)(l4 + 12) >> 4 << 2;
    u32 begin = l4 - p->frame;
    return total >= header && size >= 20 && header + size <= total && begin + size <= p->length;
}
#endif

// Whether it is IPv4 with TCP or UDP, at most one tag (two with SAME_CHECKS), and no fragment.
static __always_inline int parse(struct xdp_md *ctx, struct packet *p) {
    void *frame = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    void *ip = frame + 14;
    p->frame = frame;
    p->length = end - frame;
    if (ip + 28 > end) // IPv4 without options, and the ports: one check for the common case
        return 0;
#ifdef SAME_CHECKS
    if (!is_ours(frame))
        return 0;
#endif
    u16 type = *(u16 *)(frame + 12);
    if (type == ETH_VLAN || type == ETH_QINQ) {
        type = *(u16 *)(ip + 2);
        ip += 4;
#ifdef SAME_CHECKS
        if (type == ETH_VLAN || type == ETH_QINQ) {
            type = *(u16 *)(ip + 2);
            ip += 4;
        }
#endif
        if (ip + 28 > end)
            return 0;
    }
    if (type != ETH_IP4)
        return 0;

    u8 version_size = *(u8 *)ip;
    u16 fragment = *(u16 *)(ip + 6);
    p->protocol = *(u8 *)(ip + 9);
    if (fragment & bpf_htons(0x3fff)) // more of them, or an offset
        return 0;
    if (p->protocol != TCP && p->protocol != UDP)
        return 0;
    void *l4 = ip + 20;
    if (version_size != 0x45) {
        u32 size = (version_size & 15) * 4;
        if (version_size >> 4 != 4 || size < 20)
            return 0;
        l4 = ip + size;
        if (l4 + 8 > end)
            return 0;
    }
#ifdef SAME_CHECKS
    if (!tcp_fits(p, ip, l4, end))
        return 0;
#endif
    p->source = *(u32 *)(ip + 12);
    p->destination = *(u32 *)(ip + 16);
    p->ports = *(u32 *)l4;
    return 1;
}

static __always_inline u16 destination_port(const struct packet *p) {
    return p->ports >> 16;
}

// Direct routing: the frame goes to `mac` (low 48 bits), and comes from whom it was sent to.
static __always_inline void readdress(void *frame, u64 mac) {
    u16 a = *(u16 *)frame, b = *(u16 *)(frame + 2), c = *(u16 *)(frame + 4);
    *(u16 *)(frame + 6) = a;
    *(u16 *)(frame + 8) = b;
    *(u16 *)(frame + 10) = c;
    *(u32 *)frame = mac;
    *(u16 *)(frame + 4) = mac >> 32;
}

// Two multiplications; the constants are those of MurmurHash3's finalizer.
static __always_inline u32 mix(u64 x) {
    x *= 0xff51afd7ed558ccdull;
    x ^= x >> 32;
    x *= 0xc4ceb9fe1a85ec53ull;
    return x >> 32;
}

char _license[] SEC("license") = "Dual MIT/GPL";
