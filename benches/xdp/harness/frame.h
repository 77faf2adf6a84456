// The frame that is sent, and what must become of it.
#pragma once
#include "../programs/wrapper.h"
#include <stdint.h>

// A TCP acknowledgement from a client, shortest on the wire; numbers in network order.
struct __attribute__((packed)) frame {
    uint8_t to[6], from[6];
    uint16_t type;
    uint8_t version_size, dscp;
    uint16_t total, id, fragment;
    uint8_t ttl, protocol;
    uint16_t checksum;
    uint32_t source, destination;
    uint16_t from_port, to_port;
    uint32_t sequence, acknowledged;
    uint8_t size, flags;
    uint16_t window, tcp_checksum, urgent;
    uint8_t payload[FRAME - 54];
};
_Static_assert(sizeof(struct frame) == FRAME, "the wrapper restores all of it");

// To the first VIP, port 80.
const struct frame *frame_template(void);

// The MAC of a backend, from 1 on.
void frame_backend_mac(uint32_t number, uint8_t mac[6]);

// Whether `out` is `in`, readdressed to a backend by whom it was sent to.
int frame_is_forwarded(const struct frame *in, const struct frame *out);
