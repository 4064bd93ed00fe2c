/* What this machine is: cores, features, clock. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdint.h>

int      cpu_physical_cores(void); /* usable by this process (affinity counted), at least 1 */
uint64_t clock_ns(void);           /* monotonic */
uint64_t process_peak_bytes(void); /* peak resident memory so far; 0 where unknown */

#endif
