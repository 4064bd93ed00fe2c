/* The machine that pickles are programs for, all opcodes of protocols 0 to 5 but those that need a registry of extensions or
 * buffers outside the file. Opcodes: Lib/pickletools.py of CPython. */
#include "formats/pickle.h"

enum { VALUES_MAX = 1 << 23, PROTOCOL_MAX = 5, LINE_MAX_BYTES = 4096 };

struct ids {
    uint32_t *p;
    uint64_t  n, room;
};

struct machine {
    struct pickle       *p;
    struct cursor       *in;
    uint64_t             start; /* of this pickle */
    struct ids           stack, marks, memo;
    bool                 stopped;
    struct hearth_error *err;
};

static int damaged(const struct machine *m, const char *what)
{
    fail(m->err, HEARTH_E_FORMAT, "a damaged pickle: %s at byte %llu", what, (unsigned long long)m->in->at);
    return HEARTH_E_FORMAT;
}

/* ---- lists */

/* Makes room for one more than n. */
static int room_make(const struct machine *m, void **list, uint64_t n, uint64_t *room, uint64_t size)
{
    if (n < *room) return 0;
    if (n >= VALUES_MAX) return fail(m->err, HEARTH_E_UNSUPPORTED, "a pickle of more than %d values", VALUES_MAX);
    uint64_t more = *room ? 2 * *room : 64;
    while (more <= n) more *= 2;
    void *p = mem_resize(*list, more, size);
    if (!p) return fail_memory(m->err, more * size, "reading a pickle");
    *list = p;
    *room = more;
    return 0;
}

static int ids_push(const struct machine *m, struct ids *ids, uint32_t id)
{
    void *list = ids->p;
    const int status = room_make(m, &list, ids->n, &ids->room, sizeof *ids->p);
    ids->p = list;
    if (status == 0) ids->p[ids->n++] = id;
    return status;
}

static int value_new(const struct machine *m, struct pickle_value v, uint32_t *id)
{
    struct pickle *p = m->p;
    void *list = p->value;
    const int status = room_make(m, &list, p->n_value, &p->value_room, sizeof *p->value);
    p->value = list;
    if (status < 0) return status;
    if (p->n_value == 0) p->value[p->n_value++] = (struct pickle_value){ .kind = PICKLE_NONE };
    *id = (uint32_t)p->n_value;
    p->value[p->n_value++] = v;
    return 0;
}

/* One more item of the value `to`. */
static int item_add(const struct machine *m, uint32_t to, uint32_t item)
{
    struct pickle *p = m->p;
    void *list = p->cell;
    const int status = room_make(m, &list, p->n_cell, &p->cell_room, sizeof *p->cell);
    p->cell = list;
    if (status < 0) return status;
    if (p->n_cell == 0) p->n_cell = 1; /* number 0 is the end of a chain */
    struct pickle_value *v = &p->value[to];
    const uint32_t cell = (uint32_t)p->n_cell++;
    p->cell[cell] = (struct pickle_cell){ .value = item };
    if (v->n++) p->cell[v->last].next = cell;
    else v->first = cell;
    v->last = cell;
    return 0;
}

/* ---- stack */

/* Where what was pushed since the last mark begins. */
static uint64_t floor_of(const struct machine *m)
{
    return m->marks.n ? m->marks.p[m->marks.n - 1] : 0;
}

static int push(struct machine *m, struct pickle_value v)
{
    uint32_t id = 0;
    const int status = value_new(m, v, &id);
    return status < 0 ? status : ids_push(m, &m->stack, id);
}

static int pop(struct machine *m, uint32_t *id)
{
    if (m->stack.n <= floor_of(m)) return damaged(m, "nothing is left on the stack");
    *id = m->stack.p[--m->stack.n];
    return 0;
}

static int top(const struct machine *m, uint32_t *id)
{
    if (m->stack.n <= floor_of(m)) return damaged(m, "nothing is on the stack");
    *id = m->stack.p[m->stack.n - 1];
    return 0;
}

/* Takes the last mark away; what lies above *from was pushed after it. */
static int unmark(struct machine *m, uint64_t *from)
{
    if (m->marks.n == 0) return damaged(m, "no mark is set");
    *from = m->marks.p[--m->marks.n];
    return 0;
}

/* Moves what lies above `from` into the value `to`. */
static int items_take(struct machine *m, uint32_t to, uint64_t from)
{
    int status = 0;
    for (uint64_t i = from; i < m->stack.n && status == 0; i++) status = item_add(m, to, m->stack.p[i]);
    m->stack.n = from;
    return status;
}

static int push_items(struct machine *m, struct pickle_value v, uint64_t from)
{
    uint32_t id = 0;
    int status = value_new(m, v, &id);
    if (status == 0) status = items_take(m, id, from);
    return status < 0 ? status : ids_push(m, &m->stack, id);
}

/* ---- arguments of opcodes */

static int take(const struct machine *m, uint64_t n, struct str *out)
{
    if (n > m->in->n - m->in->at) return damaged(m, "it is cut short");
    *out = (struct str){ (const char *)m->in->p + m->in->at, n };
    m->in->at += n;
    return 0;
}

/* An unsigned number of `bytes` bytes. */
static int take_number(const struct machine *m, int bytes, uint64_t *out)
{
    struct str s;
    const int status = take(m, (uint64_t)bytes, &s);
    if (status < 0) return status;
    *out = 0;
    memcpy(out, s.p, s.n);
    return 0;
}

/* Bytes behind a length of `bytes` bytes. */
static int take_counted(const struct machine *m, int bytes, struct str *out)
{
    uint64_t n;
    const int status = take_number(m, bytes, &n);
    return status < 0 ? status : take(m, n, out);
}

static int take_line(const struct machine *m, struct str *out)
{
    const uint64_t left = m->in->n - m->in->at, most = left < LINE_MAX_BYTES ? left : LINE_MAX_BYTES;
    const char *p = (const char *)m->in->p + m->in->at, *end = most ? memchr(p, '\n', most) : NULL;
    if (!end) return damaged(m, "a line without an end");
    *out = (struct str){ p, (size_t)(end - p) };
    m->in->at += out->n + 1;
    return 0;
}

/* Decimal digits with a sign; false when it is something else or does not fit. */
static bool parse_int(struct str s, int64_t *out)
{
    const bool minus = s.n && s.p[0] == '-';
    *out = 0;
    if (s.n == (size_t)minus) return false;
    for (size_t i = minus; i < s.n; i++) {
        const int digit = s.p[i] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(*out, 10, out)) return false;
        if (__builtin_add_overflow(*out, minus ? -digit : digit, out)) return false;
    }
    return true;
}

/* ---- opcodes: plain values */

static int push_int(struct machine *m, int64_t i) { return push(m, (struct pickle_value){ .kind = PICKLE_INT, .i = i }); }

static int op_plain(struct machine *m, int kind) { return push(m, (struct pickle_value){ .kind = (uint8_t)kind }); }

static int op_keyed(struct machine *m, int kind)
{
    return push(m, (struct pickle_value){ .kind = (uint8_t)kind, .keyed = true });
}

static int op_bool(struct machine *m, int b) { return push(m, (struct pickle_value){ .kind = PICKLE_BOOL, .i = b }); }

static int op_int(struct machine *m, int bytes)
{
    uint64_t n;
    const int status = take_number(m, bytes, &n);
    return status < 0 ? status : push_int(m, bytes == 4 ? (int32_t)n : (int64_t)n);
}

/* Two's complement of any length. */
static int op_long(struct machine *m, int bytes)
{
    struct str s;
    int64_t i = 0;
    const int status = take_counted(m, bytes, &s);
    if (status < 0) return status;
    if (s.n > sizeof i) return push(m, (struct pickle_value){ .kind = PICKLE_NUMBER, .s = s });
    if (s.n && (s.p[s.n - 1] & 0x80)) i = -1;
    memcpy(&i, s.p, s.n);
    return push_int(m, i);
}

static int op_int_line(struct machine *m, int arg)
{
    (void)arg;
    struct str s;
    int64_t i;
    const int status = take_line(m, &s);
    if (status < 0) return status;
    if (str_is(s, "00") || str_is(s, "01")) return op_bool(m, s.p[1] == '1');
    if (s.n && s.p[s.n - 1] == 'L') s.n--;
    return parse_int(s, &i) ? push_int(m, i) : push(m, (struct pickle_value){ .kind = PICKLE_NUMBER, .s = s });
}

static int op_text(struct machine *m, int bytes)
{
    struct str s;
    const int status = take_counted(m, bytes, &s);
    return status < 0 ? status : push(m, (struct pickle_value){ .kind = PICKLE_TEXT, .s = s });
}

/* Protocol 0, in quotes or bare. No name of a weight needs an escape: a text with one is nothing to us. */
static int op_text_line(struct machine *m, int quoted)
{
    struct str s;
    const int status = take_line(m, &s);
    if (status < 0) return status;
    if (quoted) {
        if (s.n < 2 || s.p[0] != s.p[s.n - 1] || (s.p[0] != '\'' && s.p[0] != '"')) return damaged(m, "a text without quotes");
        s = str_sub(s, 1, s.n - 1);
    }
    if (s.n && memchr(s.p, '\\', s.n)) return op_plain(m, PICKLE_OTHER);
    return push(m, (struct pickle_value){ .kind = PICKLE_TEXT, .s = s });
}

static int op_other_bytes(struct machine *m, int bytes)
{
    struct str s;
    const int status = take(m, (uint64_t)bytes, &s);
    return status < 0 ? status : op_plain(m, PICKLE_OTHER);
}

static int op_other_counted(struct machine *m, int bytes)
{
    struct str s;
    const int status = take_counted(m, bytes, &s);
    return status < 0 ? status : op_plain(m, PICKLE_OTHER);
}

static int op_other_line(struct machine *m, int arg)
{
    (void)arg;
    struct str s;
    const int status = take_line(m, &s);
    return status < 0 ? status : op_plain(m, PICKLE_OTHER);
}

/* ---- opcodes: collections */

static int op_mark(struct machine *m, int arg)
{
    (void)arg;
    return ids_push(m, &m->marks, (uint32_t)m->stack.n);
}

static int op_tuple(struct machine *m, int n)
{
    if (m->stack.n - floor_of(m) < (uint64_t)n) return damaged(m, "nothing is left on the stack");
    return push_items(m, (struct pickle_value){ .kind = PICKLE_TUPLE }, m->stack.n - (uint64_t)n);
}

/* Everything since the mark becomes a tuple, list, dictionary or set. */
static int op_marked(struct machine *m, int kind)
{
    uint64_t from;
    const int status = unmark(m, &from);
    if (status < 0) return status;
    if (kind == PICKLE_DICT && (m->stack.n - from) % 2) return damaged(m, "a key without a value");
    return push_items(m, (struct pickle_value){ .kind = (uint8_t)kind, .keyed = kind == PICKLE_DICT }, from);
}

/* Puts what lies above `from` into the value below it. Objects of classes take items as well as lists and dictionaries do. */
static int extend(struct machine *m, uint64_t from, bool keyed)
{
    if (from <= floor_of(m)) return damaged(m, "nothing is there to take an item");
    const uint32_t to = m->stack.p[from - 1];
    struct pickle_value *v = &m->p->value[to];
    if (v->kind == PICKLE_CALL && v->n == 0) v->keyed = keyed;
    const bool takes = v->kind == PICKLE_LIST || v->kind == PICKLE_DICT || v->kind == PICKLE_CALL || v->kind == PICKLE_OTHER;
    if (!takes || (v->keyed != keyed && v->kind != PICKLE_OTHER)) return damaged(m, "a value that takes no such items");
    if (keyed && (m->stack.n - from) % 2) return damaged(m, "a key without a value");
    return items_take(m, to, from);
}

/* The last one or two values; pairs are keyed. */
static int op_extend(struct machine *m, int n)
{
    if (m->stack.n - floor_of(m) <= (uint64_t)n) return damaged(m, "nothing is left on the stack");
    return extend(m, m->stack.n - (uint64_t)n, n == 2);
}

static int op_extend_marked(struct machine *m, int keyed)
{
    uint64_t from;
    const int status = unmark(m, &from);
    return status < 0 ? status : extend(m, from, keyed);
}

/* ---- opcodes: stack and memo */

static int op_pop(struct machine *m, int arg)
{
    (void)arg;
    uint32_t id = 0;
    if (m->marks.n && floor_of(m) == m->stack.n) return m->marks.n--, 0;
    return pop(m, &id);
}

static int op_pop_mark(struct machine *m, int arg)
{
    (void)arg;
    return unmark(m, &m->stack.n);
}

static int op_dup(struct machine *m, int arg)
{
    (void)arg;
    uint32_t id = 0;
    const int status = top(m, &id);
    return status < 0 ? status : ids_push(m, &m->stack, id);
}

/* The number of a memo, on a line (0) or in so many bytes. */
static int memo_number(const struct machine *m, int bytes, uint64_t *out)
{
    struct str s;
    int64_t i;
    if (bytes) return take_number(m, bytes, out);
    const int status = take_line(m, &s);
    if (status < 0) return status;
    if (!parse_int(s, &i) || i < 0) return damaged(m, "an impossible memo");
    *out = (uint64_t)i;
    return 0;
}

static int memo_set(struct machine *m, uint64_t at)
{
    uint32_t id = 0;
    int status = top(m, &id);
    /* Writers count up, and each takes a byte at least: so a short file cannot ask for a long list. */
    if (status == 0 && at > m->in->at - m->start) status = damaged(m, "an impossible memo");
    while (status == 0 && m->memo.n <= at) status = ids_push(m, &m->memo, 0);
    if (status == 0) m->memo.p[at] = id;
    return status;
}

static int op_put(struct machine *m, int bytes)
{
    uint64_t at;
    const int status = memo_number(m, bytes, &at);
    return status < 0 ? status : memo_set(m, at);
}

static int op_memoize(struct machine *m, int arg)
{
    (void)arg;
    return memo_set(m, m->memo.n);
}

static int op_get(struct machine *m, int bytes)
{
    uint64_t at;
    const int status = memo_number(m, bytes, &at);
    if (status < 0) return status;
    if (at >= m->memo.n || !m->memo.p[at]) return damaged(m, "a memo that was never set");
    return ids_push(m, &m->stack, m->memo.p[at]);
}

/* ---- opcodes: globals and calls */

static int push_global(struct machine *m, struct str module, struct str name)
{
    uint64_t n;
    if (!size_add(module.n + 1, name.n, &n) || n > LINE_MAX_BYTES) return damaged(m, "an impossible name");
    char *text = arena_array(m->p->arena, n, 1);
    if (!text) return fail_memory(m->err, n, "a name in a pickle");
    memcpy(text, module.p, module.n);
    text[module.n] = '.';
    memcpy(text + module.n + 1, name.p, name.n);
    return push(m, (struct pickle_value){ .kind = PICKLE_GLOBAL, .s = { text, n } });
}

static int op_global(struct machine *m, int arg)
{
    (void)arg;
    struct str module, name;
    int status = take_line(m, &module);
    if (status == 0) status = take_line(m, &name);
    return status < 0 ? status : push_global(m, module, name);
}

static int op_stack_global(struct machine *m, int arg)
{
    (void)arg;
    uint32_t module, name;
    int status = pop(m, &name);
    if (status == 0) status = pop(m, &module);
    if (status < 0) return status;
    const struct pickle_value *v = m->p->value;
    if (v[module].kind != PICKLE_TEXT || v[name].kind != PICKLE_TEXT) return damaged(m, "a global without a name");
    return push_global(m, v[module].s, v[name].s);
}

/* Calls what lies below `n_args` values, the first of which are the arguments; further ones are of no interest. */
static int op_call(struct machine *m, int n_args)
{
    uint32_t of, args = 0;
    int status = 0;
    for (int i = 0; i < n_args && status == 0; i++) status = pop(m, &args);
    if (status == 0) status = pop(m, &of);
    return status < 0 ? status : push(m, (struct pickle_value){ .kind = PICKLE_CALL, .of = of, .args = args });
}

/* Protocol 0: the arguments lie after the mark; what is called comes first there, or on two lines. */
static int op_call_marked(struct machine *m, int on_lines)
{
    uint64_t from;
    uint32_t of = 0;
    int status = unmark(m, &from);
    if (status < 0) return status;
    if (on_lines) {
        status = op_global(m, 0);
        if (status == 0) status = pop(m, &of);
    } else {
        if (m->stack.n == from) return damaged(m, "nothing is left on the stack");
        of = m->stack.p[from];
        memmove(&m->stack.p[from], &m->stack.p[from + 1], (m->stack.n - from - 1) * sizeof of);
        m->stack.n--;
    }
    if (status == 0) status = push_items(m, (struct pickle_value){ .kind = PICKLE_TUPLE }, from);
    uint32_t args = 0;
    if (status == 0) status = pop(m, &args);
    return status < 0 ? status : push(m, (struct pickle_value){ .kind = PICKLE_CALL, .of = of, .args = args });
}

/* The state of an object: attributes, which weights do not need. */
static int op_build(struct machine *m, int arg)
{
    (void)arg;
    uint32_t id = 0;
    const int status = pop(m, &id);
    return status < 0 ? status : top(m, &id);
}

static int op_persistent(struct machine *m, int arg)
{
    (void)arg;
    uint32_t of;
    const int status = pop(m, &of);
    return status < 0 ? status : push(m, (struct pickle_value){ .kind = PICKLE_PERSISTENT, .of = of });
}

/* ---- opcodes: frame */

static int op_protocol(struct machine *m, int arg)
{
    (void)arg;
    uint64_t n;
    const int status = take_number(m, 1, &n);
    if (status < 0) return status;
    return n <= PROTOCOL_MAX ? 0 : fail(m->err, HEARTH_E_UNSUPPORTED, "a pickle of protocol %d, which hearth does not know", (int)n);
}

static int op_skip(struct machine *m, int bytes)
{
    struct str s;
    return take(m, (uint64_t)bytes, &s);
}

static int op_stop(struct machine *m, int arg)
{
    (void)arg;
    m->stopped = true;
    return 0;
}

static const struct op {
    int (*run)(struct machine *m, int arg);
    int arg;
} ops[256] = {
    ['('] = { op_mark, 0 },
    ['.'] = { op_stop, 0 },
    ['0'] = { op_pop, 0 },
    ['1'] = { op_pop_mark, 0 },
    ['2'] = { op_dup, 0 },
    ['N'] = { op_plain, PICKLE_NONE },
    ['I'] = { op_int_line, 0 },
    ['J'] = { op_int, 4 },
    ['K'] = { op_int, 1 },
    ['M'] = { op_int, 2 },
    ['L'] = { op_int_line, 0 },
    ['F'] = { op_other_line, 0 },
    ['G'] = { op_other_bytes, 8 },
    ['S'] = { op_text_line, true },
    ['V'] = { op_text_line, false },
    ['T'] = { op_text, 4 },
    ['U'] = { op_text, 1 },
    ['X'] = { op_text, 4 },
    ['B'] = { op_other_counted, 4 },
    ['C'] = { op_other_counted, 1 },
    [')'] = { op_plain, PICKLE_TUPLE },
    [']'] = { op_plain, PICKLE_LIST },
    ['}'] = { op_keyed, PICKLE_DICT },
    ['t'] = { op_marked, PICKLE_TUPLE },
    ['l'] = { op_marked, PICKLE_LIST },
    ['d'] = { op_marked, PICKLE_DICT },
    ['a'] = { op_extend, 1 },
    ['s'] = { op_extend, 2 },
    ['e'] = { op_extend_marked, false },
    ['u'] = { op_extend_marked, true },
    ['p'] = { op_put, 0 },
    ['q'] = { op_put, 1 },
    ['r'] = { op_put, 4 },
    ['g'] = { op_get, 0 },
    ['h'] = { op_get, 1 },
    ['j'] = { op_get, 4 },
    ['c'] = { op_global, 0 },
    ['i'] = { op_call_marked, true },
    ['o'] = { op_call_marked, false },
    ['R'] = { op_call, 1 },
    ['b'] = { op_build, 0 },
    ['P'] = { op_other_line, 0 },
    ['Q'] = { op_persistent, 0 },
    [0x80] = { op_protocol, 0 },
    [0x81] = { op_call, 1 },
    [0x85] = { op_tuple, 1 },
    [0x86] = { op_tuple, 2 },
    [0x87] = { op_tuple, 3 },
    [0x88] = { op_bool, true },
    [0x89] = { op_bool, false },
    [0x8a] = { op_long, 1 },
    [0x8b] = { op_long, 4 },
    [0x8c] = { op_text, 1 },
    [0x8d] = { op_text, 8 },
    [0x8e] = { op_other_counted, 8 },
    [0x8f] = { op_plain, PICKLE_OTHER },
    [0x90] = { op_extend_marked, false },
    [0x91] = { op_marked, PICKLE_OTHER },
    [0x92] = { op_call, 2 },
    [0x93] = { op_stack_global, 0 },
    [0x94] = { op_memoize, 0 },
    [0x95] = { op_skip, 8 },
    [0x96] = { op_other_counted, 8 },
};

/* ---- running */

static int run(struct machine *m)
{
    while (!m->stopped) {
        uint64_t code;
        int status = take_number(m, 1, &code);
        if (status < 0) return status;
        if (!ops[code].run)
            return fail(m->err, HEARTH_E_FORMAT, "a damaged pickle: unknown opcode 0x%02x at byte %llu", (unsigned)code,
                        (unsigned long long)(m->in->at - 1));
        status = ops[code].run(m, ops[code].arg);
        if (status < 0) return status;
    }
    return 0;
}

int pickle_read(struct pickle *p, struct cursor *in, uint32_t *root, struct hearth_error *err)
{
    struct machine m = { .p = p, .in = in, .start = in->at, .err = err };
    int status = run(&m);
    if (status == 0) status = pop(&m, root);
    mem_free(m.stack.p);
    mem_free(m.marks.p);
    mem_free(m.memo.p);
    return status;
}

void pickle_free(struct pickle *p)
{
    mem_free(p->value);
    mem_free(p->cell);
    p->value = NULL;
    p->cell = NULL;
}

const struct pickle_value *pickle_next(const struct pickle *p, uint32_t *cell)
{
    if (!*cell) return NULL;
    const struct pickle_cell *at = &p->cell[*cell];
    *cell = at->next;
    return &p->value[at->value];
}

const struct pickle_value *pickle_item(const struct pickle *p, const struct pickle_value *v, uint32_t i)
{
    uint32_t cell = v->first;
    const struct pickle_value *item = NULL;
    if (i >= v->n) return NULL;
    do item = pickle_next(p, &cell);
    while (i--);
    return item;
}
