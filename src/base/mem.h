/* Sizes and memory. Counts from a file or a request pass through size_mul/size_add before anything is allocated. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *out = a * b or a + b; false (and *out = 0) when it does not fit. */
static inline bool size_mul(uint64_t a, uint64_t b, uint64_t *out)
{
    if (!__builtin_mul_overflow(a, b, out)) return true;
    *out = 0;
    return false;
}

static inline bool size_add(uint64_t a, uint64_t b, uint64_t *out)
{
    if (!__builtin_add_overflow(a, b, out)) return true;
    *out = 0;
    return false;
}

/* All heap memory below main comes from these three, so that tests can count allocations and make each fail in turn.
 * mem_array: n * size bytes, zeroed; NULL when that overflows, is refused, or memory is short (n = 0 gives a valid block).
 * mem_resize: like realloc, checked; the old block stays valid on failure. */
void *mem_array(uint64_t n, uint64_t size) __attribute__((malloc));
void *mem_resize(void *p, uint64_t n, uint64_t size);
void  mem_free(void *p);
char *mem_strdup(const char *s) __attribute__((malloc));

/* Asks the system to keep a block that nobody has written yet in pages of 2 MiB, as far as whole ones lie in it: they read faster. */
void mem_large_pages(void *p, uint64_t bytes);

/* Allocations since start, and a hook for tests: the allocation with number mem_fail_at (1 = next) fails; 0 = never. */
uint64_t mem_count(void);
void     mem_fail_at(uint64_t nth);

/* Arena: allocations that die together. Memory is zeroed and aligned to 64 bytes. `cap` bounds the total taken. */
struct arena_block;
struct arena {
    struct arena_block *block; /* newest first; freed by arena_free */
    uint64_t            used, cap;
};

void  arena_init(struct arena *a, uint64_t cap);
void *arena_array(struct arena *a, uint64_t n, uint64_t size); /* NULL when over the cap or out of memory */
char *arena_strndup(struct arena *a, const char *s, size_t n);  /* NUL-terminated copy */
void  arena_free(struct arena *a);

#endif
