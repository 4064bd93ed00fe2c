/* Files of PyTorch and rwkv.cpp: what torch wrote against the same tensors in safetensors, value for value; what must be refused;
 * pickles made by hand for what torch does not write. */
#include "test.h"

#include <sys/stat.h>

#include "formats/container.h"
#include "gguf_make.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

static struct container *open_ok(const char *path)
{
    struct container *c = NULL;
    struct hearth_error err = { 0 };
    assert_ok(container_open(&c, path, &err), &err);
    return c;
}

static void open_fails(const char *path, int status, const char *says)
{
    struct container *c = NULL;
    struct hearth_error err = { 0 };
    assert_fails(container_open(&c, path, &err), status, &err);
    assert_null(c);
    if (!strstr(err.text, says)) fail_msg("'%s' does not say '%s'", err.text, says);
}

static const char *more(const char *name)
{
    return test_path(hearth_golden("formats/torch-more"), name);
}

static const struct file_tensor *tensor(const struct container *c, struct str name)
{
    char text[200];
    snprintf(text, sizeof text, "%.*s", STR_ARG(name));
    const struct file_tensor *t = container_tensor(c, text);
    if (!t) fail_msg("%s has no tensor %s", c->path, text);
    return t;
}

/* Same type, shape and bits, at an address fit for its type. */
static void assert_same(const struct file_tensor *a, const struct file_tensor *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->rank, b->rank);
    for (int i = 0; i < a->rank; i++) assert_int_equal(a->dim[i], b->dim[i]);
    assert_int_equal(a->n_bytes, b->n_bytes);
    assert_memory_equal(a->data, b->data, a->n_bytes);
    assert_int_equal((uintptr_t)a->data % (uintptr_t)type_of(a->type)->block_bytes, 0);
}

/* Every tensor of `got` is as in `want`; `all`: want has no others. */
static void assert_same_file(const char *got, const char *want, bool all)
{
    struct container *g = open_ok(got), *w = open_ok(want);
    assert_true(g->n_tensor > 0 && (!all || g->n_tensor == w->n_tensor));
    for (uint64_t i = 0; i < g->n_tensor; i++) assert_same(&g->tensor[i], tensor(w, g->tensor[i].name));
    container_close(g);
    container_close(w);
}

/* ---- what torch wrote */

static void test_views(void **state)
{
    (void)state;
    static const char *const names[] = { "zip.bin", "old.bin", "nested.bin" };
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *folder = hearth_golden("formats/bin-views");
        assert_same_file(test_path(folder, names[i]), test_path(folder, "expected.safetensors"), i < 2);
    }
    struct container *nested = open_ok(hearth_golden("formats/bin-views/nested.bin"));
    assert_int_equal(nested->n_tensor, 2);
    container_close(nested);
}

static void test_protocols(void **state)
{
    (void)state;
    for (int protocol = 1; protocol <= 5; protocol++) {
        char name[40];
        snprintf(name, sizeof name, "good-zip-%d.pt", protocol);
        assert_same_file(more(name), more("expected.safetensors"), true);
        snprintf(name, sizeof name, "good-old-%d.pt", protocol);
        assert_same_file(more(name), more("expected.safetensors"), true);
    }
    assert_same_file(more("good-nested.pt"), more("expected.safetensors"), true);
}

/* The old form, its first pickle made longer by 0, 3, 6 ... bytes: its storages lie at every address modulo 8. */
static void test_odd_addresses(void **state)
{
    (void)state;
    size_t n;
    char *old = read_file(more("good-old-2.pt"), &n);
    char *moved = malloc(n + 24);
    for (size_t by = 0; by < 8; by++) {
        const char *path = test_scratch("moved.pt");
        memcpy(moved, old, 2);
        for (size_t i = 0; i < by; i++) memcpy(moved + 2 + 3 * i, "(N1", 3); /* a mark, None, and both away */
        memcpy(moved + 2 + 3 * by, old + 2, n - 2);
        write_file(path, moved, n + 3 * by);
        assert_same_file(path, more("expected.safetensors"), true);
    }
    free(moved);
    free(old);
}

static void test_folders(void **state)
{
    (void)state;
    static const char *const whole[] = { "formats/bin-zip", "formats/bin-old-pickle", "formats/bin-zip-sharded" };
    for (size_t i = 0; i < COUNT(whole); i++) {
        struct container *c = open_ok(hearth_golden(whole[i]));
        assert_int_equal(c->n_tensor, 30);
        assert_int_equal(container_kv(c, "model_type")->type, KV_STRING);
        assert_string_equal(c->format, i == 2 ? "PyTorch folder, sharded" : "PyTorch folder");
        container_close(c);
        assert_same_file(hearth_golden(whole[i]), hearth_golden("formats/bin-zip"), true);
        assert_same_file(hearth_golden(whole[i]), hearth_golden("formats/bin-zip/pytorch_model.bin"), true);
    }
    assert_same_file(hearth_golden("formats/bin-zip-sharded/pytorch_model-00002-of-00002.bin"), hearth_golden("formats/bin-zip"), true);
}

/* safetensors beside a .bin win, whatever the .bin holds. */
static void test_safetensors_win(void **state)
{
    (void)state;
    char folder[4096];
    snprintf(folder, sizeof folder, "%s", test_scratch("both"));
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_int_equal(symlink(hearth_golden("formats/bin-zip/pytorch_model.bin"), test_path(folder, "pytorch_model.bin")), 0);
    struct container *c = open_ok(folder);
    assert_string_equal(c->format, "PyTorch folder");
    container_close(c);
    assert_int_equal(symlink(more("expected.safetensors"), test_path(folder, "model.safetensors")), 0);
    c = open_ok(folder);
    assert_string_equal(c->format, "safetensors folder");
    assert_int_equal(c->n_tensor, 11);
    container_close(c);
}

/* A checkpoint of a training program, with its optimizer, against the weights that were exported from it. */
static void test_checkpoint(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "tok_embeddings.weight", "token_embd.weight" },
        { "layers.3.attention.wq.weight", "blk.3.attn_q.weight" },
        { "layers.0.feed_forward.w2.weight", "blk.0.ffn_down.weight" },
        { "norm.weight", "output_norm.weight" },
    };
    const char *path = hearth_shared("data/models/llama2xs/ckpt.pt"), *exported = hearth_shared("data/models/llama2xs/llama2xs-280K.bin");
    if (!path || !exported) SKIP("no llama2xs here");
    struct container *c = open_ok(path), *w = open_ok(exported);
    for (size_t i = 0; i < COUNT(pairs); i++) assert_same(tensor(c, str_from(pairs[i][0])), tensor(w, str_from(pairs[i][1])));
    container_close(c);
    container_close(w);
}

/* RWKV-LM has no configuration; a folder with one such file and a vocabulary is a model. Meta's files are not taken for it. */
static void test_rwkv_native(void **state)
{
    (void)state;
    assert_same_file(more("rwkv.pth"), more("rwkv-expected.safetensors"), true);
    struct container *c = open_ok(more("rwkv.pth"));
    assert_true(str_is(container_kv(c, "general.architecture")->s, "rwkv-native"));
    assert_int_equal(tensor(c, STR("blocks.1.att.time_mix_k"))->rank, 3);
    assert_string_equal(c->folder, hearth_golden("formats/torch-more"));
    container_close(c);
    char folder[4096], meta[4096];
    snprintf(folder, sizeof folder, "%s", test_scratch("rwkv"));
    snprintf(meta, sizeof meta, "%s", test_scratch("meta"));
    assert_int_equal(mkdir(folder, 0777) + mkdir(meta, 0777), 0);
    assert_int_equal(symlink(more("rwkv.pth"), test_path(folder, "RWKV-4-tiny.pth")), 0);
    assert_int_equal(symlink(more("rwkv.pth"), test_path(meta, "consolidated.00.pth")), 0);
    c = open_ok(folder);
    assert_string_equal(c->format, "RWKV-LM");
    container_close(c);
    open_fails(meta, HEARTH_E_UNSUPPORTED, "consolidated.00.pth");
}

/* ---- what is refused */

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *says;
    } cases[] = {
        { "bad-call.pt", "tensor x is made by posixpath.join" },
        { "bad-quantized.pt", "tensor x is made by torch._utils._rebuild_qtensor" },
        { "bad-complex.pt", "tensor x lies in a torch.ComplexFloatStorage" },
        { "bad-single.pt", "no dictionary of tensors" },
        { "bad-evil.pt", "no dictionary of tensors" },
        { "bad-plain.pkl", "torch.save did not write" },
        { "bad-numpy.npz", "without data.pkl" },
        { "bad-deflated.pt", "compressed" },
        { "bad-script.pt", "TorchScript" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) open_fails(more(cases[i].name), HEARTH_E_UNSUPPORTED, cases[i].says);
}

/* An old file with this object, as text, and three storages, "f" of 6 floats from 0 to 5, "h" of 3 halves, "b" of 1 byte. The text
 * writes \n between lines; F, H, B stand for the storages' persistent ids, T for the function that makes tensors. */
static void old_make(struct gguf_make *g, const char *object, const char *system)
{
    static const char magic[] = "L119547037146038801333356L\n.I1001\n.";
    static const char *const words[][2] = {
        { "F", "(Vstorage\nctorch\nFloatStorage\nVf\nVcpu\nI6\ntQ" },
        { "H", "(Vstorage\nctorch\nHalfStorage\nVh\nVcpu\nI3\ntQ" },
        { "B", "(Vstorage\nctorch.cuda\nByteStorage\nVb\nVcuda:0\nI1\nNtQ" },
        { "W", "(Vstorage\nctorch\nFloatStorage\nVf\nVcpu\nI6\n(Vv\nI2\nI3\nttQ" }, /* values 2 to 4 of F */
        { "T", "ctorch._utils\n_rebuild_tensor_v2\n" },
    };
    *g = (struct gguf_make){ .version = 3 };
    make_bytes(g, magic, strlen(magic));
    make_bytes(g, system, strlen(system));
    for (const char *p = object; *p; p++) {
        const char *word = NULL;
        for (size_t i = 0; i < COUNT(words); i++)
            if (*p == *words[i][0]) word = words[i][1];
        if (word) make_bytes(g, word, strlen(word));
        else make_bytes(g, p, 1);
    }
    static const char keys[] = "0(lp0\n0(Vf\nVh\nVb\nl.";
    make_bytes(g, keys + 1, sizeof keys - 2);
    make_u64(g, 6), make_bytes(g, (const float[]){ 0, 1, 2, 3, 4, 5 }, 24);
    make_u64(g, 3), make_bytes(g, "\0\1\0\2\0\3", 6);
    make_u64(g, 1), make_bytes(g, "\7", 1);
}

static const char *old_write(const char *object)
{
    struct gguf_make g;
    const char *path = test_scratch("by-hand.pt");
    old_make(&g, object, "(d.");
    write_file(path, g.p, g.n);
    free(g.p);
    return path;
}

#define TAIL "I00\n(dtR"
#define SMALL "(dVf\nT(FI0\n(I6\nt(I1\nt" TAIL "sVh\nT(HI0\n(I3\nt(I1\nt" TAIL "s" \
    "Vb\nT(BI0\n(I1\nt(I1\nt" TAIL "s"

static void test_by_hand(void **state)
{
    (void)state;
    struct container *c = open_ok(old_write(SMALL "Vx\nT(FI1\n(I2\nI2\nt(I3\nI1\nt" TAIL "sVw\nT(WI0\n(I3\nt(I1\nt" TAIL "s."));
    assert_int_equal(c->n_tensor, 5);
    const struct file_tensor *x = tensor(c, STR("x")), *w = tensor(c, STR("w"));
    assert_memory_equal(x->data, ((const float[]){ 1, 2, 4, 5 }), 16);
    assert_memory_equal(w->data, ((const float[]){ 2, 3, 4 }), 12);
    assert_true(tensor(c, STR("b"))->n_bytes == 1 && *(const uint8_t *)tensor(c, STR("b"))->data == 7);
    container_close(c);
    /* Python 2: an OrderedDict is a call with a list of pairs; texts are in quotes; classes are made by INST. */
    c = open_ok(old_write("ccollections\nOrderedDict\n((l(S'x'\nT(FI0\n(I6\nt(I1\nt" TAIL "la(S'n'\n(isome\nclass\nlatR" "p1\n" SMALL "0g1\n."));
    assert_int_equal(c->n_tensor, 1);
    assert_int_equal(tensor(c, STR("x"))->dim[0], 6);
    container_close(c);
}

static void test_by_hand_refused(void **state)
{
    (void)state;
    static const struct {
        const char *object;
        int         status;
        const char *says;
    } cases[] = {
        { "Vx\nT(FI5\n(I2\nt(I1\nt" TAIL "s.", HEARTH_E_FORMAT, "reaches beyond the 6 values" },
        { "Vx\nT(WI0\n(I4\nt(I1\nt" TAIL "s.", HEARTH_E_FORMAT, "reaches beyond the 5 values" },
        { "Vx\nT(FI-1\n(I2\nt(I1\nt" TAIL "s.", HEARTH_E_FORMAT, "damaged description" },
        { "Vx\nT(FI0\n(I2\nt(I-1\nt" TAIL "s.", HEARTH_E_FORMAT, "damaged description" },
        { "Vx\nT(FI0\n(I2\nI1\nt(I1\nt" TAIL "s.", HEARTH_E_FORMAT, "damaged description" },
        { "Vx\nT(FI0\n(I2\nI9223372036854775807\nt(I9223372036854775807\nI9223372036854775807\nt" TAIL "s.", HEARTH_E_FORMAT, "reaches beyond" },
        { "Vx\nT(FI0\n(I4611686018427387904\nI4611686018427387904\nt(I0\nI0\nt" TAIL "s.", HEARTH_E_FORMAT, "impossible shape" },
        { "Vx\nT(FI0\n(I1099511627776\nt(I0\nt" TAIL "s.", HEARTH_E_FORMAT, "more memory than the file" },
        { "I5\nT(FI0\n(I2\nt(I1\nt" TAIL "s.", HEARTH_E_FORMAT, "without a name" },
        { "Vb\nT(FI0\n(I2\nt(I1\nt" TAIL "s.", HEARTH_E_FORMAT, "tensor b occurs twice" },
        { "Vx\ncposix\nsystem\n(FtRs.", HEARTH_E_UNSUPPORTED, "tensor x is made by posix.system" },
        { "Vx\ng9\ns.", HEARTH_E_FORMAT, "never set" },
        { "Vx\nNp99999\ns.", HEARTH_E_FORMAT, "impossible memo" },
        { "s.", HEARTH_E_FORMAT, "nothing is left" },
        { "t.", HEARTH_E_FORMAT, "no mark" },
        { "Vx\n\x82\1.", HEARTH_E_FORMAT, "unknown opcode 0x82" },
        { "Vx\n\x80\x09.", HEARTH_E_UNSUPPORTED, "protocol 9" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char object[2000];
        snprintf(object, sizeof object, "%s%s", SMALL, cases[i].object);
        open_fails(old_write(object), cases[i].status, cases[i].says);
    }
    struct gguf_make g;
    const char *path = test_scratch("by-hand.pt");
    old_make(&g, SMALL ".", "(dVlittle_endian\nI00\ns.");
    write_file(path, g.p, g.n);
    open_fails(path, HEARTH_E_UNSUPPORTED, "big-endian");
    free(g.p);
    old_make(&g, SMALL ".", "(d.");
    write_file(path, g.p, g.n - 1);
    open_fails(path, HEARTH_E_FORMAT, "storage b");
    free(g.p);
}

/* Lists in lists a million deep, objects that hold themselves, half a million references to one view: a moment each. */
static void test_deep(void **state)
{
    (void)state;
    enum { DEEP = 1 << 20 };
    char *object = malloc(2 * DEEP + 1000);
    memset(object, ']', DEEP);
    memset(object + DEEP, 'a', DEEP - 1);
    strcpy(object + 2 * DEEP - 1, "0" SMALL ".");
    struct container *c = open_ok(old_write(object));
    assert_int_equal(c->n_tensor, 3);
    container_close(c);
    c = open_ok(old_write("(lp0\ng0\na0" SMALL "p1\nVlist\ng0\nsVmodel\ng1\ns."));
    assert_int_equal(c->n_tensor, 3);
    container_close(c);
    int n = sprintf(object, "%s", SMALL "Vy\np1\n0T(FI0\n(I2\nt(I3\nt" TAIL "p2\n0(");
    for (int i = 0; i < DEEP / 2; i++) n += sprintf(object + n, "h\1h\2");
    strcpy(object + n, "u.");
    open_fails(old_write(object), HEARTH_E_FORMAT, "tensor y occurs twice");
    free(object);
}

/* ---- zip archives by hand */

/* One entry: its own header and bytes; and its line in the directory, which says sizes and offset in 64 bits. */
static void put_entry(struct gguf_make *file, struct gguf_make *directory, const char *name, const void *data, size_t n)
{
    const size_t offset = file->n, length = strlen(name);
    make_bytes(file, "PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 26);
    make_u32(file, (uint32_t)length | 5u << 16);
    make_bytes(file, name, length);
    make_bytes(file, "\xfe\xca\1\0 ", 5); /* an extra field of another kind */
    make_bytes(file, data, n);
    make_bytes(directory, "PK\1\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 28);
    make_u32(directory, (uint32_t)length | 33u << 16);
    make_bytes(directory, "\1\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff", 14);
    make_bytes(directory, name, length);
    make_bytes(directory, "\xfe\xca\1\0 \1\0\x18\0", 9);
    make_u64(directory, n), make_u64(directory, n), make_u64(directory, offset);
    make_bytes(directory, "c", 1);
}

/* An archive of a tensor x of six floats, in the 64-bit form. */
static void zip64_make(struct gguf_make *g)
{
    static const char object[] = "\x80\2}(Vx\nctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nVf\nVcpu\nI6\ntQI0\n(I6\nt(I1\nt" TAIL "u.";
    struct gguf_make directory = { .version = 3 };
    *g = (struct gguf_make){ .version = 3 };
    put_entry(g, &directory, "x/data.pkl", object, sizeof object - 1);
    put_entry(g, &directory, "x/data/f", (const float[]){ 0, 1, 2, 3, 4, 5 }, 24);
    const size_t offset = g->n;
    make_bytes(g, directory.p, directory.n);
    const size_t end = g->n;
    make_bytes(g, "PK\6\6", 4), make_u64(g, 44), make_u32(g, 0), make_u64(g, 0);
    make_u64(g, 2), make_u64(g, 2), make_u64(g, directory.n), make_u64(g, offset);
    make_bytes(g, "PK\6\7\0\0\0\0", 8), make_u64(g, end), make_u32(g, 1);
    make_bytes(g, "PK\5\6\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\2\0ok", 24);
    free(directory.p);
}

static void test_zip64(void **state)
{
    (void)state;
    struct gguf_make g;
    const char *path = test_scratch("zip64.pt");
    zip64_make(&g);
    write_file(path, g.p, g.n);
    struct container *c = open_ok(path);
    assert_memory_equal(tensor(c, STR("x"))->data, ((const float[]){ 0, 1, 2, 3, 4, 5 }), 24);
    container_close(c);
    for (size_t n = 4; n < g.n; n++) { /* cut anywhere */
        write_file(path, g.p, n);
        open_fails(path, HEARTH_E_FORMAT, "zip archive");
    }
    free(g.p);
}

/* ---- rwkv.cpp */

static void put_tensor(struct gguf_make *g, const char *name, uint32_t type, int rank, const uint32_t *dim, const void *data, size_t n)
{
    make_u32(g, (uint32_t)rank), make_u32(g, (uint32_t)strlen(name)), make_u32(g, type);
    for (int i = rank - 1; i >= 0; i--) make_u32(g, dim[i]);
    make_bytes(g, name, strlen(name));
    make_bytes(g, data, n);
}

static void put_header(struct gguf_make *g, uint32_t version)
{
    *g = (struct gguf_make){ .version = 3 };
    make_u32(g, 0x67676d66), make_u32(g, version);
    make_u32(g, 256), make_u32(g, 32), make_u32(g, 2), make_u32(g, 0);
}

static void test_rwkv_cpp(void **state)
{
    (void)state;
    static const float floats[6] = { 1, 2, 3, 4, 5, 6 };
    static const uint8_t halves[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, blocks[68] = { 9, 8, 7 };
    struct gguf_make g;
    const char *path = test_scratch("made.bin");
    put_header(&g, 101);
    put_tensor(&g, "a", 0, 2, (const uint32_t[]){ 3, 2 }, floats, sizeof floats);
    put_tensor(&g, "bb", 1, 1, (const uint32_t[]){ 4 }, halves, sizeof halves);
    put_tensor(&g, "odd", 0, 3, (const uint32_t[]){ 1, 1, 6 }, floats, sizeof floats);
    put_tensor(&g, "q", 9, 2, (const uint32_t[]){ 2, 32 }, blocks, sizeof blocks);
    write_file(path, g.p, g.n);
    struct container *c = open_ok(path);
    assert_string_equal(c->format, "rwkv.cpp");
    assert_true(str_is(container_kv(c, "general.architecture")->s, "rwkv-cpp"));
    assert_int_equal(container_kv(c, "rwkv-cpp.vocab_size")->i, 256);
    assert_int_equal(container_kv(c, "rwkv-cpp.embedding_length")->i, 32);
    assert_int_equal(container_kv(c, "rwkv-cpp.block_count")->i, 2);
    const struct file_tensor *a = tensor(c, STR("a")), *odd = tensor(c, STR("odd")), *q = tensor(c, STR("q"));
    assert_true(a->rank == 2 && a->dim[0] == 3 && a->dim[1] == 2 && odd->rank == 3 && odd->dim[2] == 6 && q->type == DTYPE_Q8_0);
    assert_memory_equal(a->data, floats, sizeof floats);
    assert_memory_equal(odd->data, floats, sizeof floats);
    assert_memory_equal(tensor(c, STR("bb"))->data, halves, sizeof halves);
    assert_memory_equal(q->data, blocks, sizeof blocks);
    assert_int_equal((uintptr_t)odd->data % 4 + (uintptr_t)a->data % 4 + (uintptr_t)q->data % 2, 0);
    container_close(c);
    memcpy(g.p + 4, &(uint32_t){ 100 }, 4);
    write_file(path, g.p, g.n);
    open_fails(path, HEARTH_E_UNSUPPORTED, "version 100");
    memcpy(g.p + 4, &(uint32_t){ 101 }, 4);
    write_file(path, g.p, g.n - 1);
    open_fails(path, HEARTH_E_FORMAT, "outside");
    free(g.p);
    put_header(&g, 101);
    put_tensor(&g, "old", 5, 1, (const uint32_t[]){ 32 }, blocks, 20);
    write_file(path, g.p, g.n);
    open_fails(path, HEARTH_E_UNSUPPORTED, "type 5");
    free(g.p);
}

/* Trained models: as many layers as the header says, and all bytes are some tensor's. */
static void test_rwkv_cpp_real(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t    vocabulary, width, layers;
    } files[] = {
        { "tiny-rwkv-4v0-660K-FP32.bin", 256, 128, 4 },
        { "tiny-rwkv-5v1-730K-FP32.bin", 256, 64, 12 },
    };
    if (!hearth_shared("data/models/rwkv-tiny")) SKIP("no rwkv-tiny here");
    for (size_t i = 0; i < COUNT(files); i++) {
        struct container *c = open_ok(test_path(hearth_shared("data/models/rwkv-tiny"), files[i].name));
        char name[64];
        uint64_t bytes = 24;
        for (uint64_t k = 0; k < c->n_tensor; k++) bytes += 12 + 4 * (uint64_t)c->tensor[k].rank + c->tensor[k].name.n + c->tensor[k].n_bytes;
        assert_int_equal(bytes, c->file_bytes);
        const struct file_tensor *head = tensor(c, STR("head.weight"));
        assert_true(head->dim[0] == files[i].vocabulary && head->dim[1] == files[i].width);
        for (uint64_t layer = 0; layer <= files[i].layers; layer++) {
            snprintf(name, sizeof name, "blocks.%d.ffn.key.weight", (int)layer);
            assert_true((container_tensor(c, name) != NULL) == (layer < files[i].layers));
        }
        container_close(c);
    }
}

/* The quantised file of a model against its floats: the same names and shapes; our own packing gives the same bytes. */
static void test_rwkv_cpp_quantised(void **state)
{
    (void)state;
    const char *folder = hearth_shared("data/models/rwkv-tiny");
    if (!folder) SKIP("no rwkv-tiny here");
    struct container *f = open_ok(test_path(folder, "tiny-rwkv-4v0-660K-FP32.bin")), *q = open_ok(test_path(folder, "tiny-rwkv-4v0-660K-Q5_1.bin"));
    int quantised = 0;
    assert_int_equal(f->n_tensor, q->n_tensor);
    for (uint64_t i = 0; i < f->n_tensor; i++) {
        const struct file_tensor *a = &f->tensor[i], *b = tensor(q, a->name);
        if (b->type == DTYPE_F32) {
            assert_same(a, b);
            continue;
        }
        assert_true(b->type == DTYPE_Q5_1 && b->rank == 2 && a->rank == 2 && a->dim[0] == b->dim[0] && a->dim[1] == b->dim[1]);
        quantised++;
        void *packed = malloc(b->n_bytes);
        type_of(DTYPE_Q5_1)->pack(packed, a->data, (int64_t)(a->dim[0] * a->dim[1]));
        assert_memory_equal(packed, b->data, b->n_bytes);
        free(packed);
    }
    assert_true(quantised >= 4 * 7);
    container_close(f);
    container_close(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),       cmocka_unit_test(test_protocols),  cmocka_unit_test(test_odd_addresses),
        cmocka_unit_test(test_folders),     cmocka_unit_test(test_safetensors_win), cmocka_unit_test(test_checkpoint),
        cmocka_unit_test(test_rwkv_native), cmocka_unit_test(test_refused),    cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_by_hand_refused), cmocka_unit_test(test_deep),   cmocka_unit_test(test_zip64),
        cmocka_unit_test(test_rwkv_cpp),
        cmocka_unit_test(test_rwkv_cpp_real), cmocka_unit_test(test_rwkv_cpp_quantised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
