/* Heap memory, counted and able to fail on request; arenas. */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hearth.h"

static _Atomic uint64_t mem_counter;   /* allocations so far */
static _Atomic uint64_t mem_fail_number; /* the allocation with this number fails; 0: none */

uint64_t mem_count(void)
{
    return atomic_load(&mem_counter);
}

void mem_fail_at(uint64_t nth)
{
    atomic_store(&mem_fail_number, nth ? atomic_load(&mem_counter) + nth : 0);
}

/* Counts one allocation of n * size bytes; false when it must not happen. */
static bool mem_permit(uint64_t n, uint64_t size, uint64_t *bytes)
{
    const uint64_t number = atomic_fetch_add_explicit(&mem_counter, 1, memory_order_relaxed) + 1;
    if (number == atomic_load_explicit(&mem_fail_number, memory_order_relaxed)) return false;
    return size_mul(n, size, bytes) && *bytes <= PTRDIFF_MAX;
}

void *mem_array(uint64_t n, uint64_t size)
{
    uint64_t bytes;
    return mem_permit(n, size, &bytes) ? calloc(bytes ? bytes : 1, 1) : NULL;
}

void *mem_resize(void *p, uint64_t n, uint64_t size)
{
    uint64_t bytes;
    return mem_permit(n, size, &bytes) ? realloc(p, bytes ? bytes : 1) : NULL;
}

#define LARGE_PAGE (UINT64_C(2) << 20)

void mem_large_pages(void *p, uint64_t bytes)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t begin = ((uintptr_t)p + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE, end = ((uintptr_t)p + bytes) / LARGE_PAGE * LARGE_PAGE;
    if (begin < end) madvise((void *)begin, end - begin, MADV_HUGEPAGE);
#else
    (void)p, (void)bytes;
#endif
}

void mem_free(void *p)
{
    free(p);
}

void hearth_free(void *p)
{
    mem_free(p);
}

char *mem_strdup(const char *s)
{
    const size_t n = s ? strlen(s) : 0;
    char *copy = s ? mem_array((uint64_t)n + 1, 1) : NULL;
    if (copy) memcpy(copy, s, n);
    return copy;
}

/* ---- arena */

enum { ARENA_ALIGN = 64, ARENA_FIRST = 4096, ARENA_LARGEST = 1 << 20 };

struct arena_block {
    struct arena_block *older;
    char               *data; /* aligned to ARENA_ALIGN */
    uint64_t            at, room;
};

void arena_init(struct arena *a, uint64_t cap)
{
    *a = (struct arena){ .cap = cap };
}

/* Puts a block with room for at least `bytes` in front; blocks grow with what is in use, up to a limit. */
static bool arena_grow(struct arena *a, uint64_t bytes)
{
    uint64_t room = a->used < ARENA_FIRST ? ARENA_FIRST : a->used > ARENA_LARGEST ? ARENA_LARGEST : a->used;
    if (room < bytes) room = bytes;
    uint64_t total;
    if (!size_add(room, sizeof(struct arena_block) + ARENA_ALIGN, &total)) return false;
    struct arena_block *b = mem_array(total, 1);
    if (!b) return false;
    const uintptr_t data = (uintptr_t)(b + 1);
    b->data = (char *)(b + 1) + (-data & (ARENA_ALIGN - 1));
    b->room = room;
    b->older = a->block;
    a->block = b;
    return true;
}

void *arena_array(struct arena *a, uint64_t n, uint64_t size)
{
    uint64_t bytes, used;
    if (!size_mul(n, size, &bytes) || !size_add(bytes, ARENA_ALIGN - 1, &bytes)) return NULL;
    bytes &= ~(uint64_t)(ARENA_ALIGN - 1);
    if (!size_add(a->used, bytes, &used) || used > a->cap) return NULL;
    if ((!a->block || a->block->room - a->block->at < bytes) && !arena_grow(a, bytes)) return NULL;
    void *p = a->block->data + a->block->at;
    a->block->at += bytes;
    a->used = used;
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    uint64_t bytes;
    char *copy = size_add(n, 1, &bytes) ? arena_array(a, bytes, 1) : NULL;
    if (copy && n) memcpy(copy, s, n);
    return copy;
}

void arena_free(struct arena *a)
{
    for (struct arena_block *b = a->block, *older; b; b = older) {
        older = b->older;
        mem_free(b);
    }
    *a = (struct arena){ .cap = a->cap };
}
