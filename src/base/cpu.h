/* What this machine is: cores, features, clock. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdint.h>

#include "base/status.h"

int      cpu_physical_cores(void); /* usable by this process (affinity counted), at least 1 */
uint64_t clock_ns(void);           /* monotonic */
uint64_t process_peak_bytes(void); /* peak resident memory so far; 0 where unknown */
void     process_peak_reset(void); /* begins anew, where the system can */

/* ---- features: bit sets */

enum cpu_feature {
#define FEATURE(id, ...) CPU_##id,
#include "base/features.def"
#undef FEATURE
    CPU_FEATURE_COUNT,
};

#define CPU_BIT(feature) (UINT64_C(1) << (feature))

uint64_t    cpu_features(void);                       /* what the processor has and the system keeps; 0 on other machines */
const char *cpu_feature_name(enum cpu_feature f);
/* "avx2,fma", "none", "all" or a number like 0x7. NULL: the environment's HEARTH_CPU_MASK, else all. */
int         cpu_mask_read(uint64_t *mask, const char *text, struct hearth_error *err);

#endif
