/* Loads an object with libbpf as it is, and lets the kernel run its program on frames.
 *
 *   libbpf OBJECT PROGRAM [FRAME ...]
 *
 * Frames are hexadecimal. Says what the kernel knows of the program, and of each frame the verdict and the bytes.
 */

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 2048 };

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static size_t bytes(const char *text, unsigned char *to)
{
	size_t count = 0;
	unsigned int byte;

	while (count < LONGEST && sscanf(text + 2 * count, "%2x", &byte) == 1)
		to[count++] = byte;
	return count;
}

static int run(int program, const char *text)
{
	unsigned char frame[LONGEST], out[LONGEST];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);

	options.data_size_in = bytes(text, frame);
	if (bpf_prog_test_run_opts(program, &options))
		return fail("run");
	printf("verdict %u frame ", options.retval);
	for (size_t at = 0; at < options.data_size_out; at++)
		printf("%02x", out[at]);
	printf("\n");
	return 0;
}

int main(int count, char **words)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_map *map;

	if (count < 3)
		return fprintf(stderr, "libbpf OBJECT PROGRAM [FRAME ...]\n"), 2;
	object = bpf_object__open_file(words[1], NULL);
	if (!object)
		return fail("open");
	if (bpf_object__load(object))
		return fail("load");
	program = bpf_object__find_program_by_name(object, words[2]);
	if (!program)
		return fail("find");
	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size))
		return fail("ask");
	printf("types %s\n", info.btf_id ? "yes" : "no");
	printf("lines %s\n", info.nr_line_info ? "yes" : "no");
	bpf_object__for_each_map(map, object)
		printf("map %s types %s\n", bpf_map__name(map), bpf_map__btf_value_type_id(map) ? "yes" : "no");
	for (int at = 3; at < count; at++)
		if (run(bpf_program__fd(program), words[at]))
			return 1;
	bpf_object__close(object);
	return 0;
}
