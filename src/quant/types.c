/* The table of element types and its look-ups. */
#include "quant/types.h"

#include "base/mem.h"
#include "quant/mxfp4/mxfp4.h"
#include "quant/plain/plain.h"
#include "quant/q4_0/q4_0.h"
#include "quant/q4_1/q4_1.h"
#include "quant/q4_k/q4_k.h"
#include "quant/q5_0/q5_0.h"
#include "quant/q5_1/q5_1.h"
#include "quant/q5_k/q5_k.h"
#include "quant/q6_k/q6_k.h"
#include "quant/q8_0/q8_0.h"

const struct type_info type_table[DTYPE_COUNT] = {
#define TYPE(id, ...) [DTYPE_##id] = { __VA_ARGS__ },
#include "quant/types.def"
#undef TYPE
};

bool type_row_bytes(enum dtype t, uint64_t n, uint64_t *bytes)
{
    const struct type_info *info = type_of(t);
    *bytes = 0;
    return n % (uint64_t)info->block == 0 && size_mul(n / (uint64_t)info->block, (uint64_t)info->block_bytes, bytes);
}

int type_from_name(struct str name)
{
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (str_is(name, type_table[t].name)) return t;
    }
    return -1;
}

int type_from_gguf(uint32_t id)
{
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (type_table[t].gguf_id >= 0 && (uint32_t)type_table[t].gguf_id == id) return t;
    }
    return -1;
}

int type_from_safetensors(struct str name)
{
    for (int t = 0; t < DTYPE_COUNT; t++) {
        if (type_table[t].safetensors && str_is(name, type_table[t].safetensors)) return t;
    }
    return -1;
}
