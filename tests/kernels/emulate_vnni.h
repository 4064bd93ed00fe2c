/* See emulate_vnni.c. */
#ifndef TESTS_EMULATE_VNNI_H
#define TESTS_EMULATE_VNNI_H

#include <stdbool.h>
#include <stdint.h>

/* From here on the instructions of AVX-VNNI work in this process; false: not on this machine. It must have AVX2. */
bool emulate_vnni_begin(void);

uint64_t emulate_vnni_count(void); /* done so far */

#endif
