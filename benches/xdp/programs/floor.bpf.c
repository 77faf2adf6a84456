// What a packet costs that nothing is done to: the harness alone.
#include "packet.h"

SEC("xdp") int send(struct xdp_md *ctx) {
    return XDP_TX;
}

SEC("xdp") int pass(struct xdp_md *ctx) {
    return XDP_PASS;
}
