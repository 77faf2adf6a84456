// Loads an XDP program, sees that it does its work, and says how many nanoseconds of CPU a packet
// takes: one number a trial, by BPF_PROG_TEST_RUN, behind the wrapper.
#define _GNU_SOURCE
#include "../programs/wrapper.h"
#include "frame.h"
#include "object.h"
#include "vips.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define USAGE                                                                                      \
    "usage: xdpbench -w WRAPPER [-p PROGRAM] [-e forward|send|pass] [-f FLOWS] [-v VIPS] [-m]\n"   \
    "                [-n PACKETS] [-t TRIALS] [-c CPU] OBJECT\n"                                   \
    "FLOWS and VIPS are powers of two; -m: the packets are for addresses that are no VIPs"

// A trial takes no longer, whatever the program.
#define LONGEST_NS 200e6
#define WARM_UP 100000u
// No VIP has such a number.
#define OTHERS 65536u

struct options {
    const char *wrapper, *program, *expected, *object;
    uint32_t flows, vips, packets, trials;
    int cpu, misses;
};

static uint32_t number(const char *text) {
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || value > 1u << 30)
        fail("`%s` is no number up to 2^30", text);
    return value;
}

static uint32_t power_of_two(const char *text) {
    uint32_t value = number(text);
    if (!value || value & (value - 1))
        fail("`%s` is no power of two", text);
    return value;
}

static struct options read_options(int argc, char **argv) {
    struct options o = {
        .expected = "forward", .flows = 1, .vips = 1, .packets = 1000000, .trials = 3};
    for (int option; (option = getopt(argc, argv, "w:p:e:f:v:n:t:c:m")) != -1;) {
        switch (option) {
        case 'w':
            o.wrapper = optarg;
            break;
        case 'p':
            o.program = optarg;
            break;
        case 'e':
            o.expected = optarg;
            break;
        case 'f':
            o.flows = power_of_two(optarg);
            break;
        case 'v':
            o.vips = power_of_two(optarg);
            break;
        case 'n':
            o.packets = number(optarg);
            break;
        case 't':
            o.trials = number(optarg);
            break;
        case 'c':
            o.cpu = number(optarg);
            break;
        case 'm':
            o.misses = 1;
            break;
        default:
            fail(USAGE);
        }
    }
    if (!o.wrapper || optind + 1 != argc || o.vips > DESTINATIONS || !o.packets)
        fail(USAGE);
    o.object = argv[optind];
    return o;
}

static int silent(enum libbpf_print_level level, const char *format, va_list args) {
    return level == LIBBPF_WARN ? vfprintf(stderr, format, args) : 0;
}

// The verdict of the last of so many packets; `out` is how it leaves.
static uint32_t run(int program, uint32_t packets, struct frame *out) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = out, .data_size_in = sizeof *out,
                .data_out = out, .data_size_out = sizeof *out, .repeat = packets);
    if (bpf_prog_test_run_opts(program, &options))
        fail("BPF_PROG_TEST_RUN: %s", strerror(errno));
    return options.retval;
}

static void check(const struct options *o, int program, const struct frame *in) {
    struct frame out = *in;
    uint32_t verdict = run(program, 1, &out);
    int unchanged = !memcmp(in, &out, sizeof out);
    int right = !strcmp(o->expected, "forward") ? verdict == XDP_TX && frame_is_forwarded(in, &out)
                : !strcmp(o->expected, "send")  ? verdict == XDP_TX && unchanged
                : !strcmp(o->expected, "pass")  ? verdict == XDP_PASS && unchanged
                                                : 0;
    if (!right)
        fail("%s: does not do its work (%s): verdict %u", o->object, o->expected, verdict);
}

// The wrapper in front of the program; gives back what to run.
static int wrap(const struct options *o, int program) {
    int wrapped;
    struct bpf_object *object = object_load(o->wrapper, NULL, &wrapped);
    uint32_t key = 0;
    int programs = bpf_object__find_map_fd_by_name(object, "programs");
    if (bpf_map_update_elem(programs, &key, &program, BPF_ANY))
        fail("the wrapper cannot call the program: %s", strerror(errno));

    static struct wrapper config;
    config.flow_mask = o->flows - 1;
    config.destination_mask = o->vips - 1;
    memcpy(config.frame, frame_template(), FRAME);
    for (uint32_t each = 0; each < o->vips; each++)
        config.destinations[each] = htonl(vip(o->misses ? OTHERS + each : each));
    object_store(object, ".bss.wrapper", &config, sizeof config);
    return wrapped;
}

static double cpu_time_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

// Nanoseconds a packet.
static double measure(const struct options *o, int program, uint32_t packets) {
    struct frame out = *frame_template();
    double begin = cpu_time_ns();
    uint32_t verdict = run(program, packets, &out);
    double taken = cpu_time_ns() - begin;
    if (verdict != (strcmp(o->expected, "pass") ? XDP_TX : XDP_PASS))
        fail("%s: verdict %u under load", o->object, verdict);
    return taken / packets;
}

int main(int argc, char **argv) {
    struct options o = read_options(argc, argv);
    libbpf_set_print(silent);
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(o.cpu, &cpus);
    if (sched_setaffinity(0, sizeof cpus, &cpus))
        fail("CPU %d cannot be had: %s", o.cpu, strerror(errno));

    int program;
    object_fill(object_load(o.object, o.program, &program), o.vips);
    struct frame first = *frame_template();
    if (o.misses)
        first.destination = htonl(vip(OTHERS));
    check(&o, program, &first);

    int wrapped = wrap(&o, program);
    double estimate = measure(&o, wrapped, WARM_UP);
    if (o.flows > WARM_UP / 2) // each flow is seen twice
        measure(&o, wrapped, 2 * o.flows);
    uint32_t most = LONGEST_NS / estimate;
    for (uint32_t trial = 0; trial < o.trials; trial++)
        printf("%.3f\n", measure(&o, wrapped, o.packets < most ? o.packets : most));
    return 0;
}
