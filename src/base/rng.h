/* Random numbers for sampling: PCG32 (O'Neill 2014, pcg-random.org), one stream per session, same on every machine. */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t state, inc;
};

void     rng_seed(struct rng *r, uint64_t seed);
uint32_t rng_u32(struct rng *r);
double   rng_unit(struct rng *r); /* [0, 1), 53 bits */
uint64_t rng_entropy(void);       /* a seed from the system */

#endif
