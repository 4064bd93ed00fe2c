/* Containers of weights: any file or folder as downloaded becomes typed key-values plus named tensors in place (mapped, not
 * copied). Each format is one row in formats.def and one file. Everything read is validated before use: after a successful
 * container_open every tensor lies inside its file, has a known type and a size that matches its shape. */
#ifndef FORMATS_CONTAINER_H
#define FORMATS_CONTAINER_H

#include "base/mem.h"
#include "base/status.h"
#include "base/str.h"
#include "quant/types.h"

enum kv_type { KV_BOOL, KV_INT, KV_FLOAT, KV_STRING, KV_NULL, KV_ARRAY };

/* Elements of an array stay where the file has them; kv_array_next walks them in order without allocating. */
struct kv_array {
    uint64_t     n;
    enum kv_type element; /* KV_NULL when the array is empty or mixed (each element still tells its own type) */
    struct str   raw;     /* private to the format */
    uint32_t     raw_type;
};

struct kv {
    struct str   key;
    enum kv_type type;
    bool         b;
    int64_t      i;
    double       f;   /* also set for KV_INT */
    struct str   s;   /* KV_STRING: decoded bytes, not NUL-terminated */
    struct kv_array array;
};

struct kv_iter {
    const struct container *c;
    struct kv_array         array;
    uint64_t                at, index;
};

/* A tensor in place. dim[0] is the outermost dimension, dim[rank - 1] the one that lies contiguous in memory (PyTorch order;
 * GGUF's are turned round). rank 0 is a scalar. */
struct file_tensor {
    struct str  name;
    enum dtype  type;
    int         rank;
    uint64_t    dim[4];
    const void *data; /* aligned to the size of its elements */
    uint64_t    n_bytes;
};

struct container {
    const char         *format;  /* "gguf v3", "safetensors folder", "llama2.c": for people */
    const char         *path;    /* as given */
    const char         *folder;  /* where neighbouring files (tokenizers) lie: the folder itself, or the file's folder */
    struct kv          *kv;      /* configuration: GGUF keys as they are; config.json flattened with dots
                                    ("rope_scaling.factor"), generation_config.json under "generation.", the settings of
                                    sentence-transformers under "sentence." */
    uint64_t            n_kv;
    struct file_tensor *tensor;
    uint64_t            n_tensor;
    uint64_t            file_bytes; /* all files together */
    /* private */
    struct arena        arena;
    struct file_map    *map;
    int                 n_map;
    uint32_t           *kv_index, *tensor_index; /* hash tables over key and name */
    uint64_t            kv_slots, tensor_slots;
    bool                keys_repeat; /* JSON: of a key given twice the last one counts */
};

int  container_open(struct container **out, const char *path, struct hearth_error *err);
void container_close(struct container *c);

const struct kv          *container_kv(const struct container *c, const char *key);      /* NULL: absent */
const struct file_tensor *container_tensor(const struct container *c, const char *name); /* NULL: absent */

/* Walks an array: fills *out (key empty) and returns true, false at the end. Nested arrays come as KV_ARRAY. */
void kv_iterate(struct kv_iter *it, const struct container *c, const struct kv *array);
bool kv_next(struct kv_iter *it, struct kv *out);

#endif
