/* Links a policy's object and decides frames with it.
 *
 *   forward [FRAME ...]
 *
 * Frames are hexadecimal. Says of each frame, decided in one batch, the verdict, the interface and the bytes.
 */

#include "policy.h"

#include <stdio.h>

enum { MOST = 8, LONGEST = 2048, WORKER = 3 };

static _Alignas(LVSC_IMAGE_ALIGN) unsigned char image[LVSC_IMAGE_SIZE];
static unsigned char frames[MOST][LONGEST];
static struct lvsc_descriptor descriptors[MOST];

static size_t bytes(const char *text, unsigned char *to)
{
	size_t count = 0;
	unsigned int byte;

	while (count < LONGEST && sscanf(text + 2 * count, "%2x", &byte) == 1)
		to[count++] = byte;
	return count;
}

int main(int count, char **words)
{
	size_t packets = 0;

	if (count - 1 > MOST)
		return fprintf(stderr, "at most %d frames\n", MOST), 2;
	lvsc_initialise(image);
	for (int at = 1; at < count; at++, packets++) {
		struct lvsc_descriptor *packet = &descriptors[packets];

		packet->offset = packets * LONGEST;
		packet->length = bytes(words[at], frames[packets]);
		packet->verdict = LVSC_PENDING;
		packet->interface = LVSC_INTERFACE_lan;
	}
	lvsc_batch(image, frames, descriptors, packets, WORKER);
	for (size_t at = 0; at < packets; at++) {
		struct lvsc_descriptor *packet = &descriptors[at];

		printf("verdict %u interface %u frame ", packet->verdict, packet->interface);
		for (size_t byte = 0; byte < packet->length; byte++)
			printf("%02x", frames[at][byte]);
		printf("\n");
	}
	return 0;
}
