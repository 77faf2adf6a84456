// The addresses that the benchmark serves, scattered over 10.0.0.0/8: no two are the same below
// 2^24, and no range or arithmetic finds them. The first is 10.200.1.1.
#pragma once
#include <stdint.h>

// In host order.
static inline uint32_t vip(uint32_t number) {
    uint32_t scattered = number * 0x9e3779 & 0xffffff;
    scattered ^= scattered >> 11;
    scattered = scattered * 0xb5297b & 0xffffff;
    return 10u << 24 | (scattered ^ 0xc80101);
}
