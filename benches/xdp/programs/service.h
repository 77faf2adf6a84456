// Whether a packet is for a service of ours: a constant, a hash map (SERVICE_MAP), or a perfect
// hash that `perfect` has made (SERVICE_TABLE names its header).
#pragma once
#include "packet.h"

#if defined(SERVICE_MAP)
struct service {
    u32 address;
    u16 port;
    u8 protocol, unused;
};
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 8192);
    __type(key, struct service);
    __type(value, u32);
} services SEC(".maps");

// The number of the service.
static __always_inline u32 *service(const struct packet *p) {
    struct service key = {p->destination, destination_port(p), p->protocol, 0};
    return bpf_map_lookup_elem(&services, &key);
}

static __always_inline int is_served(const struct packet *p) {
    return service(p) != 0;
}
#else

#ifdef SERVICE_TABLE
#include SERVICE_TABLE
#else
static __always_inline int is_vip(u32 address) {
    return address == VIP;
}
#endif

static __always_inline int is_served(const struct packet *p) {
    return is_vip(p->destination) && destination_port(p) == PORT && p->protocol == TCP;
}
#endif
