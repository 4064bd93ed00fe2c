/* Products: rounds activations when the arithmetic says so, cuts the weight rows over threads, calls the kernel table. A row of
 * the output is always computed from whole rows of the inputs, so neither the cut nor the number of rows changes a bit. */
#include "backends/cpu/cpu_int.h"

/* One weight matrix [n_w, k] as stored, times rows of x. */
struct matmul {
    struct cpu_backend  *b;
    const struct tensor *w;       /* the last two dims are the matrix; rank 3: a list of matrices one below the other */
    struct product       part;    /* all but w, n_w and y, which each piece sets */
    product_fn          *kernel;
    const char          *base;    /* of the matrix, when not the tensor's own rows */
    float               *y;
    const float         *bias;    /* [n_w] or NULL */
    struct act_i8        rounded;
    uint16_t            *rounded_bf16; /* [n_x, bf16_row(k)] */
    int64_t              x_rows_stride;
    const float         *x_rows;  /* to be rounded */
    bool                 in_major;
};

static bool is_in_major(const struct tensor *w)
{
    return (w->rank == 2 || w->slab) && tensor_width(w) > 1 && w->stride[w->rank - 1] != type_of(w->type)->block_bytes;
}

/* Arithmetic int8 when the caller's choice, the type and the table have it. */
static bool uses_i8(const struct cpu_backend *b, const struct tensor *w)
{
    const int block = type_of(w->type)->act_block;
    const bool chosen = b->arith == HEARTH_ARITH_AUTO || b->arith == HEARTH_ARITH_I8;
    return chosen && block > 0 && tensor_width(w) % block == 0 && b->kernels.product_i8[w->type] && !is_in_major(w);
}

static bool uses_bf16(const struct cpu_backend *b, const struct tensor *w)
{
    return b->arith == HEARTH_ARITH_BF16 && b->kernels.product_bf16[w->type] && !is_in_major(w);
}

bool cpu_backend_rounds(const struct backend *api, const struct tensor *w)
{
    return uses_i8((const struct cpu_backend *)api, w);
}

static int64_t rounded_bytes(const struct cpu_backend *b, const struct tensor *w, int64_t rows)
{
    if (uses_bf16(b, w)) return rows * bf16_row(tensor_width(w)) * (int64_t)sizeof(uint16_t);
    return uses_i8(b, w) ? (int64_t)act_i8_bytes(rows, tensor_width(w), type_of(w->type)->act_block) : 0;
}

static void round_part(void *arg, int64_t begin, int64_t end, int thread)
{
    struct matmul *m = arg;
    (void)thread;
    for (int64_t i = begin; i < end; i++) m->b->kernels.round_i8(&m->rounded, i, m->x_rows + i * m->part.x_stride);
}

static void round_bf16_part(void *arg, int64_t begin, int64_t end, int thread)
{
    struct matmul *m = arg;
    const int64_t k = m->part.k;
    (void)thread;
    for (int64_t i = begin; i < end; i++) m->b->kernels.round_bf16(m->rounded_bf16 + i * bf16_row(k), m->x_rows + i * m->x_rows_stride, k);
}

/* x: n rows of k floats, x_stride floats apart. memory: rounded_bytes of scratch. */
static void matmul_begin(struct matmul *m, struct cpu_backend *b, const struct tensor *w, const float *x, int64_t x_stride, int64_t n, void *memory)
{
    const int64_t k = tensor_width(w);
    *m = (struct matmul){ .b = b, .w = w, .x_rows = x, .in_major = is_in_major(w) };
    m->part = (struct product){ .n_x = n, .k = k, .x = x, .x_stride = x_stride };
    if (uses_i8(b, w)) {
        act_i8_place(&m->rounded, memory, n, k, type_of(w->type)->act_block);
        m->part.xq = &m->rounded;
        m->kernel = b->kernels.product_i8[w->type];
        threads_run(b->pool, n, CPU_SMALL / k + 1, round_part, m);
    } else if (uses_bf16(b, w)) {
        m->rounded_bf16 = memory;
        m->x_rows_stride = x_stride;
        m->kernel = b->kernels.product_bf16[w->type];
        threads_run(b->pool, n, CPU_SMALL / k + 1, round_bf16_part, m);
        m->part.xb = m->rounded_bf16;
        m->part.x_stride = bf16_row(k);
    } else {
        m->kernel = (m->in_major ? b->kernels.product_in_major : b->kernels.product_f32)[w->type];
    }
}

/* Weight rows [begin, end), which may span several matrices of a rank 3 weight. */
static void matmul_part(void *arg, int64_t begin, int64_t end, int thread)
{
    const struct matmul *m = arg;
    const struct tensor *w = m->w;
    const int64_t per = m->base || w->rank == 2 ? INT64_MAX : w->dim[1];
    for (int64_t i = begin; i < end && !cpu_cancelled(m->b);) {
        struct product p = m->part;
        const int64_t stop = per == INT64_MAX || (i / per + 1) * per > end ? end : (i / per + 1) * per;
        p.n_w = stop - i;
        p.y = m->y + i;
        p.scratch = cpu_own(m->b, thread);
        p.w_stride = (size_t)w->stride[m->in_major ? w->rank - 1 : w->rank - 2];
        if (m->base)
            p.w = m->base + i * w->stride[w->rank - 2];
        else
            p.w = m->in_major ? (const char *)w->data + i * w->stride[0] : tensor_row(w, i);
        m->kernel(&p);
        i = stop;
    }
    if (m->bias)
        for (int64_t j = 0; j < m->part.n_x; j++)
            for (int64_t i = begin; i < end; i++) m->y[j * m->part.y_stride + i] += m->bias[i];
}

static void matmul_rows(struct matmul *m, int64_t n_w)
{
    const int64_t work = m->part.k * m->part.n_x;
    int64_t grain = (CPU_SMALL / 2 / (work + 1) / KERNEL_GRAIN + 1) * KERNEL_GRAIN;
    threads_run(m->b->pool, n_w, work * n_w < CPU_SMALL ? n_w : grain, matmul_part, m);
}

/* ---- linear */

void cpu_linear_scratch(const struct cpu_backend *b, const struct op_record *r, const struct ragged *g, int64_t *shared, int64_t *each)
{
    (void)g;
    *shared = rounded_bytes(b, r->in[0], r->in[1]->dim[0]);
    *each = PRODUCT_SCRATCH;
}

void cpu_linear_run(struct cpu_backend *b, const struct op_record *r, const struct ragged *g)
{
    const struct tensor *w = r->in[0], *x = r->in[1], *y = r->out[0];
    struct matmul m;
    (void)g;
    matmul_begin(&m, b, w, x->data, x->stride[0] / (int64_t)sizeof(float), x->dim[0], cpu_shared(b));
    m.y = y->data;
    m.part.y_stride = y->dim[1];
    m.bias = r->in[2] ? r->in[2]->data : NULL;
    matmul_rows(&m, y->dim[1]);
}

/* ---- experts: the (row, choice) pairs are grouped by expert, gathered, multiplied, and put back */

void cpu_experts_scratch(const struct cpu_backend *b, const struct op_record *r, const struct ragged *g, int64_t *shared, int64_t *each)
{
    const int64_t pairs = tensor_count(r->in[2]);
    (void)g;
    *shared = rounded_bytes(b, r->in[0], pairs) + 64 + pairs * (tensor_width(r->in[0]) + r->in[0]->dim[1] + 32) * (int64_t)sizeof(float);
    *each = PRODUCT_SCRATCH;
}

void cpu_experts_run(struct cpu_backend *b, const struct op_record *r, const struct ragged *g)
{
    const struct tensor *w = r->in[0], *x = r->in[1], *ids = r->in[2];
    const int64_t pairs = tensor_count(ids), k = tensor_width(w), n_w = w->dim[1], per_row = x->rank == 3 ? 1 : ids->dim[1];
    float *gathered = cpu_shared(b), *out = gathered + pairs * k;
    void *memory = (void *)(((uintptr_t)(out + pairs * n_w) + 63) / 64 * 64);
    (void)g;
    for (int64_t e = 0; e < w->dim[0]; e++) {
        const int32_t *chosen = ids->data;
        int64_t n = 0;
        for (int64_t p = 0; p < pairs; p++)
            if (chosen[p] == e) memcpy(gathered + n++ * k, tensor_row(x, p / per_row), (size_t)k * sizeof(float));
        if (!n) continue;
        struct matmul m;
        matmul_begin(&m, b, w, gathered, k, n, memory);
        m.bias = r->in[3] ? (const float *)tensor_row(r->in[3], e) : NULL;
        m.base = w->slab ? w->slab[e] : (const char *)w->data + e * w->stride[0];
        m.y = out;
        m.part.y_stride = n_w;
        matmul_rows(&m, n_w);
        n = 0;
        for (int64_t p = 0; p < pairs; p++)
            if (chosen[p] == e) memcpy(tensor_row(r->out[0], p), out + n++ * n_w, (size_t)n_w * sizeof(float));
    }
}
