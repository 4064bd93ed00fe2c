/* PCG32 (O'Neill 2014, pcg-random.org: XSH RR 64/32) and a seed from the system. */
#include "base/rng.h"

#include <sys/random.h>
#include <time.h>

void rng_seed(struct rng *r, uint64_t seed)
{
    r->state = 0;
    r->inc = 0xda3e39cb94b95bdbu; /* one odd constant: the stream */
    rng_u32(r);
    r->state += seed;
    rng_u32(r);
}

uint32_t rng_u32(struct rng *r)
{
    const uint64_t old = r->state;
    r->state = old * 6364136223846793005u + r->inc;
    const uint32_t shifted = (uint32_t)(((old >> 18) ^ old) >> 27), turn = (uint32_t)(old >> 59);
    return shifted >> turn | shifted << (-turn & 31);
}

double rng_unit(struct rng *r)
{
    const uint64_t high = rng_u32(r) >> 5, low = rng_u32(r) >> 6; /* 27 and 26 bits */
    return (double)(high << 26 | low) * 0x1p-53;
}

uint64_t rng_entropy(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) == (ssize_t)sizeof seed) return seed;
    struct timespec t = { 0 };
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
