// The frame.
#include "frame.h"

#include "vips.h"
#include <arpa/inet.h>
#include <string.h>

// RFC 1071, over the header of IPv4.
static uint16_t internet_checksum(const void *header) {
    uint32_t sum = 0;
    for (int at = 0; at < 20; at += 2) {
        uint16_t word;
        memcpy(&word, (const uint8_t *)header + at, 2);
        sum += word;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return ~(sum + (sum >> 16));
}

const struct frame *frame_template(void) {
    static struct frame frame = {
        .to = {2, 0, 0, 0, 0, 1},
        .from = {2, 0, 0, 0, 0, 0x99},
        .version_size = 0x45,
        .ttl = 64,
        .protocol = IPPROTO_TCP,
        .size = 5 << 4,
        .flags = 0x10, // ACK
    };
    if (!frame.checksum) {
        frame.type = htons(0x0800);
        frame.total = htons(FRAME - 14);
        frame.fragment = htons(0x4000);   // do not
        frame.source = htonl(0xc6336407); // 198.51.100.7
        frame.destination = htonl(vip(0));
        frame.from_port = htons(40000);
        frame.to_port = htons(80);
        frame.window = 0xffff;
        frame.checksum = internet_checksum(&frame.version_size);
    }
    return &frame;
}

void frame_backend_mac(uint32_t number, uint8_t mac[6]) {
    memcpy(mac, (uint8_t[6]){2, 0xbb, 0, 0, number >> 8, number}, 6);
}

int frame_is_forwarded(const struct frame *in, const struct frame *out) {
    struct frame expected = *in;
    memcpy(expected.from, in->to, 6);
    memcpy(expected.to, out->to, 6);
    uint8_t prefix[6];
    frame_backend_mac(0, prefix);
    return !memcmp(out, &expected, sizeof expected) && !memcmp(out->to, prefix, 5) && out->to[5];
}
