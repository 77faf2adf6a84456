// Makes a perfect hash of the first N VIPs, as a C header; or lists them.
#include "vips.h"
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 4096u
#define TRIES 100000
// So many find a factor that keeps them apart in a table of 16 times the smallest; more need a
// second table that moves what collides.
#define MOST_SIMPLE 256u
#define WIDENINGS 4
#define MOST_IN_BUCKET 32u

static uint32_t count, keys[MOST];
static uint32_t table[2 * MOST];
_Static_assert(MOST_SIMPLE << (WIDENINGS + 1) <= 2 * MOST, "all tables fit");

static uint32_t next_odd(void) {
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u; // Knuth's MMIX
    return state >> 32 | 1;
}

static uint32_t hash(uint32_t key, uint32_t factor, uint32_t bits) {
    return bits ? key * factor >> (32 - bits) : 0;
}

static void print_table(const char *name, const char *type, const uint32_t *data, uint32_t length) {
    printf("static const volatile %s %s[%u] = {", type, name, length);
    for (uint32_t at = 0; at < length; at++)
        printf("%s%#x,", at % 8 ? " " : "\n    ", data[at]);
    printf("\n};\n");
}

// A free slot holds an address that belongs to another one, so that nothing is equal to it.
static void print_vips(uint32_t bits) {
    uint32_t length = 1u << bits, used = 0;
    while (!table[used])
        used++;
    uint32_t other = table[used];
    for (uint32_t at = 0; at < length; at++)
        if (!table[at])
            table[at] = other;
    print_table("vips", "u32", table, length);
}

// One multiplication: for a few VIPs.
static int simple(uint32_t bits) {
    for (int try = 0; try < TRIES; try++) {
        uint32_t factor = next_odd(), at = 0;
        memset(table, 0, sizeof *table << bits);
        for (; at < count && !table[hash(keys[at], factor, bits)]; at++)
            table[hash(keys[at], factor, bits)] = keys[at];
        if (at < count)
            continue;
        print_vips(bits);
        printf("static __always_inline int is_vip(u32 address) {\n"
               "    return vips[address * %#xu >> %u] == address;\n}\n",
               factor, 32 - bits);
        return 1;
    }
    return 0;
}

// The keys of one bucket.
struct bucket {
    uint32_t number, length;
    uint32_t keys[MOST_IN_BUCKET];
};

static int by_length(const void *a, const void *b) {
    const struct bucket *left = a, *right = b;
    return (left->length < right->length) - (left->length > right->length);
}

// Puts a bucket's keys to where `shift` moves them; takes them back when one finds no place.
static int put(const struct bucket *bucket, uint32_t shift, uint32_t factor, uint32_t bits) {
    for (uint32_t at = 0; at < bucket->length; at++) {
        uint32_t *slot = &table[hash(bucket->keys[at], factor, bits) ^ shift];
        if (*slot) {
            while (at-- > 0)
                table[hash(bucket->keys[at], factor, bits) ^ shift] = 0;
            return 0;
        }
        *slot = bucket->keys[at];
    }
    return 1;
}

// Hash and displace: the keys of a bucket are moved together to where all are free, long buckets
// first.
static int displaced(uint32_t bits) {
    static struct bucket buckets[MOST];
    static uint32_t shifts[MOST];
    uint32_t bucket_bits = bits - 2, factor = next_odd(), bucket_factor = next_odd();
    memset(table, 0, sizeof *table << bits);
    for (uint32_t number = 0; number < 1u << bucket_bits; number++)
        buckets[number] = (struct bucket){.number = number};
    for (uint32_t at = 0; at < count; at++) {
        struct bucket *bucket = &buckets[hash(keys[at], bucket_factor, bucket_bits)];
        if (bucket->length == MOST_IN_BUCKET)
            return 0;
        bucket->keys[bucket->length++] = keys[at];
    }
    qsort(buckets, 1u << bucket_bits, sizeof *buckets, by_length);
    for (uint32_t at = 0; at < 1u << bucket_bits; at++) {
        uint32_t shift = 0;
        while (shift < 1u << bits && !put(&buckets[at], shift, factor, bits))
            shift++;
        if (shift == 1u << bits)
            return 0;
        shifts[buckets[at].number] = shift;
    }

    print_vips(bits);
    print_table("shifts", "u16", shifts, 1u << bucket_bits);
    printf("static __always_inline int is_vip(u32 address) {\n"
           "    u32 slot = address * %#xu >> %u ^ shifts[address * %#xu >> %u];\n"
           "    return vips[slot & %#x] == address;\n}\n",
           factor, 32 - bits, bucket_factor, 32 - bucket_bits, (1u << bits) - 1);
    return 1;
}

static int usage(void) {
    fprintf(stderr, "usage: perfect list|header N (at most %u)\n", MOST);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3)
        return usage();
    count = strtoul(argv[2], NULL, 10);
    if (!count || count > MOST)
        return usage();
    uint32_t bits = 1;
    while (1u << bits < 2 * count)
        bits++;
    for (uint32_t at = 0; at < count; at++)
        keys[at] = htonl(vip(at));
    if (!strcmp(argv[1], "list")) {
        for (uint32_t at = 0; at < count; at++)
            puts(inet_ntoa((struct in_addr){keys[at]}));
        return 0;
    }
    if (strcmp(argv[1], "header"))
        return usage();
    for (uint32_t wider = 0; count <= MOST_SIMPLE && wider <= WIDENINGS; wider++)
        if (simple(bits + wider))
            return 0;
    for (int try = 0; try < TRIES; try++)
        if (displaced(bits))
            return 0;
    fprintf(stderr, "no perfect hash of %u addresses found\n", count);
    return 1;
}
