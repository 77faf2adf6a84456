// An eBPF object in the kernel, filled.
#pragma once
#include <bpf/libbpf.h>
#include <stdint.h>

// Ends the harness: what it says is all that `run` knows of a failure.
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// Loads the program of that name (the only one, if there is no name) and nothing else of the
// object.
struct bpf_object *object_load(const char *path, const char *program, int *program_fd);

// Fills the maps that are there, by their names: those of programs/, for so many VIPs. An object of
// `lvsc build` has none of them: it begins with what its policy says.
void object_fill(struct bpf_object *object, uint32_t vips);

// Overwrites a section of global data.
void object_store(struct bpf_object *object, const char *section, const void *data, uint32_t size);
