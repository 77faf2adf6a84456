// Loading and filling.
#include "object.h"

#include "frame.h"
#include "vips.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKENDS 16

void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

struct bpf_object *object_load(const char *path, const char *program, int *program_fd) {
    struct bpf_object *object = bpf_object__open(path);
    if (!object)
        fail("%s: cannot be read: %s", path, strerror(errno));
    struct bpf_program *each, *wanted = NULL;
    bpf_object__for_each_program(each, object) {
        if (!wanted && (!program || !strcmp(bpf_program__name(each), program)))
            wanted = each;
        else
            bpf_program__set_autoload(each, false);
    }
    if (!wanted)
        fail("%s: no program %s", path, program ? program : "");
    bpf_program__set_type(wanted, BPF_PROG_TYPE_XDP);
    if (bpf_object__load(object))
        fail("%s: the kernel refuses it: %s", path, strerror(errno));
    *program_fd = bpf_program__fd(wanted);
    return object;
}

void object_store(struct bpf_object *object, const char *section, const void *data, uint32_t size) {
    struct bpf_map *map = bpf_object__find_map_by_name(object, section);
    if (!map || bpf_map__value_size(map) != size)
        fail("no section %s of %u bytes", section, size);
    uint32_t key = 0;
    if (bpf_map_update_elem(bpf_map__fd(map), &key, data, BPF_ANY))
        fail("%s cannot be stored: %s", section, strerror(errno));
}

// An element of a table; `data` is zero before.
typedef void element(uint32_t index, void *data);

static void ring2(uint32_t slot, void *data) {
    *(uint16_t *)data = 1 + slot % BACKENDS;
}

static void ring4(uint32_t slot, void *data) {
    *(uint32_t *)data = 1 + slot % BACKENDS;
}

static void backend(uint32_t number, void *data) {
    if (number == 0 || number > BACKENDS)
        return;
    frame_backend_mac(number, data);
    memcpy((uint8_t *)data + 6, &(uint16_t){number}, 2);
}

static void own_mac(uint32_t index, void *data) {
    (void)index;
    memcpy(data, frame_template()->to, 6);
}

// A section of global data, where there is one.
static void fill_section(struct bpf_object *object, const char *name, uint32_t size,
                         element *generate) {
    struct bpf_map *map = bpf_object__find_map_by_name(object, name);
    if (!map)
        return;
    uint32_t bytes = bpf_map__value_size(map);
    uint8_t *data = calloc(1, bytes);
    for (uint32_t index = 0; index < bytes / size; index++)
        generate(index, data + index * size);
    object_store(object, name, data, bytes);
    free(data);
}

// An array map, where there is one.
static void fill_array(struct bpf_object *object, const char *name, element *generate) {
    struct bpf_map *map = bpf_object__find_map_by_name(object, name);
    for (uint32_t index = 0; map && index < bpf_map__max_entries(map); index++) {
        uint64_t data = 0;
        generate(index, &data);
        if (bpf_map_update_elem(bpf_map__fd(map), &index, &data, BPF_ANY))
            fail("%s cannot be filled: %s", name, strerror(errno));
    }
}

static void fill_services(struct bpf_object *object, uint32_t vips) {
    struct bpf_map *map = bpf_object__find_map_by_name(object, "services");
    for (uint32_t number = 0; map && number < vips; number++) {
        struct {
            uint32_t address;
            uint16_t port;
            uint8_t protocol, unused;
        } service = {htonl(vip(number)), frame_template()->to_port, IPPROTO_TCP, 0};
        if (bpf_map_update_elem(bpf_map__fd(map), &service, &number, BPF_ANY))
            fail("services cannot be filled: %s", strerror(errno));
    }
}

// Which backend a slot has is of no account: a lookup costs the same. So no scheduler is needed
// here.
void object_fill(struct bpf_object *object, uint32_t vips) {
    fill_section(object, ".bss.own_mac", 8, own_mac);
    fill_section(object, ".bss.ring", 2, ring2);
    fill_section(object, ".bss.backends", 8, backend);
    fill_array(object, "ring", ring4);
    fill_array(object, "backends", backend);
    fill_services(object, vips);
}
