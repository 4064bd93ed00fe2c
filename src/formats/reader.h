/* What the readers of formats share; private to this folder. */
#ifndef FORMATS_READER_H
#define FORMATS_READER_H

#include "base/file.h"
#include "base/json.h"
#include "formats/container.h"

/* A reader. The container comes with path, folder and, for a file, map[0]; open fills kv and tensor and ends with
 * container_index. Whatever it took is freed by container_close, also after an error. `file` is the path of map[0], or the
 * folder. */
struct format {
    const char *name;
    bool (*probe)(const struct container *c);
    int (*open)(struct container *c, const char *file, struct hearth_error *err);
};

#define FORMAT(name, probe, open)           \
    bool probe(const struct container *c); \
    int  open(struct container *c, const char *file, struct hearth_error *err);
#include "formats/formats.def"
#undef FORMAT

/* Each adds the tensors of one file. */
int safetensors_read(struct container *c, struct file_map m, struct hearth_error *err);
int torch_read(struct container *c, struct file_map m, struct hearth_error *err);

/* Maps one more file, which stays mapped until container_close; *out may be NULL. */
int container_map(struct container *c, const char *path, struct file_map *out, struct hearth_error *err);
/* Maps path and opens it with the format that knows it. */
int container_open_file(struct container *c, const char *path, struct hearth_error *err);
/* Reads config.json and its like where they lie beside the weights. */
int hf_configs_read(struct container *c, struct hearth_error *err);
/* Where `file` is one of several parts and their index lies beside it: opens them all and returns 1; else returns 0. */
int hf_parts_open(struct container *c, const char *file, struct hearth_error *err);
/* One more zeroed entry. The pointer holds until the next one is added. */
int container_add_kv(struct container *c, struct kv **out, struct hearth_error *err);
int container_add_tensor(struct container *c, struct file_tensor **out, struct hearth_error *err);
/* The last step of every open: hash tables over keys and names; the same name twice is refused. */
int container_index(struct container *c, struct hearth_error *err);

/* Bytes by type and shape; false when a row is no whole number of blocks, or the size or any product of dimensions
 * overflows. */
bool tensor_size(const struct file_tensor *t, uint64_t *bytes);
/* Places a tensor whose name, type and shape are set at m.p + offset; fails when it does not fit there. */
int tensor_place(struct file_tensor *t, struct file_map m, uint64_t offset, struct hearth_error *err);

/* Data at an address that its elements may not be read from (writers that pad nothing) are copied. For formats whose tensors
 * do not overlap, so that all copies together are no larger than the file. */
int tensor_align(struct container *c, struct file_tensor *t, struct hearth_error *err);

/* ---- reading bytes, every one checked */

struct cursor {
    const uint8_t *p;
    uint64_t       n, at;
    bool           narrow; /* counts and lengths have 32 bits (GGUF v1), not 64 */
    bool           packed; /* our own packing of JSON arrays: VALUE_ANY and VALUE_NULL may occur */
};

bool cursor_u32(struct cursor *r, uint32_t *out);
bool cursor_u64(struct cursor *r, uint64_t *out);
bool cursor_count(struct cursor *r, uint64_t *out);
bool cursor_str(struct cursor *r, struct str *out);

/* ---- values in GGUF's encoding; arrays from JSON are packed into the same */

enum value_type {
    VALUE_U8, VALUE_I8, VALUE_U16, VALUE_I16, VALUE_U32, VALUE_I32, VALUE_F32, VALUE_BOOL, VALUE_STRING, VALUE_ARRAY,
    VALUE_U64, VALUE_I64, VALUE_F64, VALUE_FILE_TYPES,
    VALUE_ANY = 0x80, /* each element is preceded by its type; only in packed arrays */
    VALUE_NULL,
    VALUE_NARROW = 0x100, /* flag in kv_array.raw_type: the array is from a GGUF v1 */
};

#define VALUE_DEPTH 8 /* arrays in arrays */

/* Reads and checks one value (an array to its end); sets all of *out but the key. NULL, or what is wrong. */
const char *value_read(struct cursor *r, uint32_t type, struct kv *out);

/* Adds the members of a JSON object, names of nested objects joined with dots, all behind `prefix`. */
int kv_from_json(struct container *c, struct str text, const char *prefix, struct hearth_error *err);

#endif
