/* Pages and slots: a free list and a table of pages for each group and sequence. */
#include "model/cache.h"

struct group_pages {
    int32_t *table;  /* [n_seq, max_pages], -1: not held */
    int32_t *unused; /* stack of free pages */
    int32_t  n_unused, n_pages;
    uint64_t pool_bytes;
};

struct cache {
    const struct model *m;
    struct cache_group  group[CACHE_GROUPS]; /* the model's layouts with type and pool */
    struct group_pages  pages[CACHE_GROUPS];
    int32_t            *first_page;          /* [n_seq]: window groups hold nothing before this page */
    int                 n_seq, max_pages;
};

static int32_t pages_for(int32_t tokens) { return (tokens + CACHE_PAGE - 1) / CACHE_PAGE; }

/* Sizes of rows, layers and pages once the type is known. */
static int layout_group(struct cache_group *g, enum dtype type, struct hearth_error *err)
{
    uint64_t kb, vb;
    if (g->kind == CACHE_STATE) {
        g->layer_bytes = g->state_width * (int64_t)sizeof(float);
        g->page_bytes = g->layer_bytes * g->n_layer;
        return 0;
    }
    g->type = type;
    if (!type_row_bytes(type, (uint64_t)g->key_width, &kb) || !type_row_bytes(type, (uint64_t)g->value_width, &vb))
        return fail(err, HEARTH_E_UNSUPPORTED, "heads of %d values do not fit cache type %s", g->key_width, type_of(type)->name);
    g->key_bytes = (int64_t)kb;
    g->value_bytes = (int64_t)vb;
    g->layer_bytes = CACHE_PAGE * g->n_kv * (g->key_bytes + g->value_bytes);
    g->page_bytes = g->layer_bytes * g->n_layer;
    return 0;
}

static int make_pool(struct cache *c, int i, int32_t per_seq, struct hearth_error *err)
{
    struct cache_group *g = &c->group[i];
    struct group_pages *p = &c->pages[i];
    p->n_pages = p->n_unused = c->n_seq * per_seq;
    if (!size_mul((uint64_t)g->page_bytes, (uint64_t)p->n_pages, &p->pool_bytes)) return fail(err, HEARTH_E_MEMORY, "the cache is too large");
    p->table = mem_array((uint64_t)c->n_seq * (uint64_t)c->max_pages, sizeof *p->table);
    p->unused = mem_array((uint64_t)p->n_pages, sizeof *p->unused);
    g->pool = c->m->backend->alloc(c->m->backend, p->pool_bytes);
    if (!p->table || !p->unused || !g->pool) return fail_memory(err, p->pool_bytes, "the cache");
    for (int64_t k = 0; k < (int64_t)c->n_seq * c->max_pages; k++) p->table[k] = -1;
    for (int32_t k = 0; k < p->n_pages; k++) p->unused[k] = p->n_pages - 1 - k;
    return 0;
}

int cache_new(struct cache **out, const struct model *m, int n_seq, int32_t context, int32_t step_rows, enum dtype type, struct hearth_error *err)
{
    struct cache *c = mem_array(1, sizeof *c);
    if (!c) return fail_memory(err, sizeof *c, "the cache");
    c->m = m;
    c->n_seq = n_seq;
    c->max_pages = pages_for(context);
    c->first_page = mem_array((uint64_t)n_seq, sizeof *c->first_page);
    int status = c->first_page ? 0 : fail_memory(err, (uint64_t)n_seq, "the cache");
    for (int i = 0; i < m->n_group && !status; i++) {
        c->group[i] = m->group[i];
        int32_t per_seq = c->max_pages;
        if (c->group[i].kind == CACHE_STATE) per_seq = 1;
        if (c->group[i].kind == CACHE_WINDOW && pages_for(c->group[i].window) + pages_for(step_rows) + 2 < per_seq)
            per_seq = pages_for(c->group[i].window) + pages_for(step_rows) + 2;
        status = layout_group(&c->group[i], type, err);
        if (!status) status = make_pool(c, i, per_seq, err);
    }
    if (status) {
        cache_free(c);
        return status;
    }
    *out = c;
    return 0;
}

void cache_free(struct cache *c)
{
    if (!c) return;
    for (int i = 0; i < c->m->n_group; i++) {
        if (c->group[i].pool) c->m->backend->release(c->m->backend, c->group[i].pool, c->pages[i].pool_bytes);
        mem_free(c->pages[i].table);
        mem_free(c->pages[i].unused);
    }
    mem_free(c->first_page);
    mem_free(c);
}

const struct cache_group *cache_groups(const struct cache *c) { return c->group; }

static int32_t *table_of(const struct cache *c, int group, int seq) { return c->pages[group].table + (int64_t)seq * c->max_pages; }

static void give_back(struct cache *c, int group, int seq, int32_t page)
{
    int32_t *entry = &table_of(c, group, seq)[page];
    if (*entry < 0) return;
    c->pages[group].unused[c->pages[group].n_unused++] = *entry;
    *entry = -1;
}

static int take_pages(struct cache *c, int group, int seq, int32_t first, int32_t n, struct hearth_error *err)
{
    int32_t *table = table_of(c, group, seq);
    if (n > c->max_pages) return fail(err, HEARTH_E_CONTEXT, "%d tokens do not fit the %d that a sequence may hold", n * CACHE_PAGE, c->max_pages * CACHE_PAGE);
    for (int32_t p = first; p < n; p++) {
        if (table[p] >= 0) continue;
        if (!c->pages[group].n_unused) return fail(err, HEARTH_E_INTERNAL, "the cache has no free page");
        table[p] = c->pages[group].unused[--c->pages[group].n_unused];
    }
    return 0;
}

int cache_extend(struct cache *c, int seq, int32_t from, int32_t n, struct hearth_error *err)
{
    int status = 0;
    for (int i = 0; i < c->m->n_group && !status; i++) {
        const struct cache_group *g = &c->group[i];
        int32_t first = 0;
        if (g->kind == CACHE_WINDOW) {
            first = from + 1 > g->window ? (from + 1 - g->window) / CACHE_PAGE : 0;
            for (int32_t p = c->first_page[seq]; p < first; p++) give_back(c, i, seq, p);
            if (first > c->first_page[seq]) c->first_page[seq] = first;
        }
        if (g->kind == CACHE_FULL || g->kind == CACHE_WINDOW) status = take_pages(c, i, seq, first, pages_for(n), err);
    }
    return status;
}

int cache_extend_source(struct cache *c, int seq, int32_t n, struct hearth_error *err)
{
    return c->m->cross_group < 0 ? 0 : take_pages(c, c->m->cross_group, seq, 0, pages_for(n), err);
}

bool cache_can_resume(const struct cache *c, int seq, int32_t held, int32_t n)
{
    for (int i = 0; i < c->m->n_group; i++) {
        const struct cache_group *g = &c->group[i];
        if (g->kind == CACHE_STATE && n != held) return false;
        if (g->kind == CACHE_WINDOW && n + 1 > g->window && (n + 1 - g->window) / CACHE_PAGE < c->first_page[seq]) return false;
        if (g->kind == CACHE_WINDOW && n + 1 <= g->window && c->first_page[seq] > 0) return false;
    }
    return true;
}

static void zero_state(struct cache *c, int group, int seq)
{
    static const char zeros[4096];
    char *at = c->group[group].pool + (int64_t)seq * c->group[group].page_bytes;
    for (int64_t left = c->group[group].page_bytes; left > 0; left -= (int64_t)sizeof zeros, at += sizeof zeros)
        c->m->backend->write(c->m->backend, at, zeros, (uint64_t)(left < (int64_t)sizeof zeros ? left : (int64_t)sizeof zeros));
}

void cache_trim(struct cache *c, int seq, int32_t n)
{
    for (int i = 0; i < c->m->n_group; i++) {
        if (c->group[i].kind == CACHE_STATE) {
            if (n == 0) zero_state(c, i, seq);
            continue;
        }
        if (c->group[i].kind == CACHE_CROSS && n > 0) continue;
        for (int32_t p = pages_for(n); p < c->max_pages; p++) give_back(c, i, seq, p);
    }
    if (n == 0) c->first_page[seq] = 0;
}

void cache_describe(const struct cache *c, int seq, struct ragged_seq *s)
{
    s->slot = seq;
    for (int i = 0; i < c->m->n_group; i++) s->pages[i] = table_of(c, i, seq);
}
