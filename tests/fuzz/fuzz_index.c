/* model.safetensors.index.json of a sharded model, over two parts that are sound: a holds tensors x and y, b holds z. */
#include "fuzz.h"

#define PART_A "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"y\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[8,10]}}"
#define PART_B "{\"z\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static uint8_t a[8 + sizeof PART_A - 1 + 10] = { sizeof PART_A - 1 }, b[8 + sizeof PART_B - 1 + 8] = { sizeof PART_B - 1 };
    struct hearth_error err = { 0 };
    struct container *c = NULL;
    memcpy(a + 8, PART_A, sizeof PART_A - 1);
    memcpy(b + 8, PART_B, sizeof PART_B - 1);
    fuzz_file("a.safetensors", a, sizeof a);
    fuzz_file("b.safetensors", b, sizeof b);
    fuzz_file("model.safetensors.index.json", p, n);
    const int status = container_open(&c, FUZZ_FOLDER, &err);
    if (status) fuzz_check_refusal(status, &err);
    else fuzz_walk(c);
    container_close(c);
    fuzz_files_drop();
    return 0;
}
