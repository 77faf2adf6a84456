// What the harness tells the wrapper: ".bss.wrapper".
#pragma once
#include <linux/types.h>

#define FRAME 64           // bytes of a frame, without its checksum
#define DESTINATIONS 8192u // most addresses that packets can be spread over

struct wrapper {
    __u64 packets;          // so far
    __u64 flow_mask;        // number of flows - 1; a power of two - 1
    __u64 destination_mask; // number of destinations - 1; a power of two - 1
    __u64 frame[FRAME / 8];
    __u32 destinations[DESTINATIONS]; // IPv4, network order
};
