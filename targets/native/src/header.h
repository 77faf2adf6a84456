/* Of @POLICY@, by lvsc: what a program includes that links the object. Sections of the image, by their names: the offset of
   the first element, their number, and the size of one (bytes). */
#ifndef LVSC_H
#define LVSC_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

@NUMBERS@

/* What becomes of a packet. */
enum lvsc_verdict { LVSC_DROP = 0, LVSC_SEND = 1, LVSC_PASS = 2, LVSC_PENDING = 255 };

/* A packet of a batch. */
struct lvsc_descriptor {
  uint32_t offset;   /* of the frame's first byte, from `frames` on */
  uint16_t length;   /* of the frame (bytes) */
  uint8_t verdict;   /* LVSC_PENDING before, then what becomes of the packet */
  uint8_t interface; /* by which it came; with LVSC_SEND by which it leaves */
};

#ifdef __cplusplus
extern "C" {
#endif

/* Decides `count` packets in order. The image is aligned to LVSC_IMAGE_ALIGN; two calls at a time need two images. */
void lvsc_batch(void *image, void *frames, struct lvsc_descriptor *descriptors, size_t count, uint32_t worker);

/* What of the first image is not zero: runs of {offset, size, bytes}, the last one of size 0. */
extern const uint64_t lvsc_initial[];

/* Makes LVSC_IMAGE_SIZE bytes the first image, as the policy says it. */
static inline void lvsc_initialise(void *image) {
  const uint64_t *run = lvsc_initial;
  memset(image, 0, LVSC_IMAGE_SIZE);
  while (run[1] > 0) {
    memcpy((unsigned char *)image + run[0], run + 2, run[1]);
    run += 2 + run[1] / 8;
  }
}

#ifdef __cplusplus
}
#endif

#endif
