/* The instructions of AVX-VNNI on a processor that lacks them: each is refused by the processor, looked up where it stands, and
 * done here on the saved registers. So the very code that such processors run is tested on others. The kernels write them with
 * registers (kernels/avx2/avx2_ints.h), but clang finds them by itself too, in 128 bits and with operands in memory. Sources:
 * Intel's Software Developer's Manual, volume 1, 13.4 (the saved registers), volume 2, 2.1.5 (operands), VPDPBUSD, VPDPWSSD. */
#include "emulate_vnni.h"

#if defined(__x86_64__)

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

enum { SAVED_XMM = 160, SAVED_YMM_HIGH = 576, VPDPBUSD = 0x50, VPDPWSSD = 0x52 };

union ymm {
    uint8_t  u8[32];
    int8_t   i8[32];
    int16_t  i16[16];
    uint32_t u32[8];
};

static uint64_t emulated;

static void ymm_read(union ymm *v, const char *saved, int i)
{
    memcpy(v->u8, saved + SAVED_XMM + i * 16, 16);
    memcpy(v->u8 + 16, saved + SAVED_YMM_HIGH + i * 16, 16);
}

static void ymm_write(char *saved, int i, const union ymm *v)
{
    memcpy(saved + SAVED_XMM + i * 16, v->u8, 16);
    memcpy(saved + SAVED_YMM_HIGH + i * 16, v->u8 + 16, 16);
}

static void dot(union ymm *sum, const union ymm *x, const union ymm *y, int op)
{
    for (int lane = 0; lane < 8; lane++) {
        for (int i = 0; i < 4 && op == VPDPBUSD; i++) sum->u32[lane] += (uint32_t)(x->u8[lane * 4 + i] * y->i8[lane * 4 + i]);
        for (int i = 0; i < 2 && op == VPDPWSSD; i++) sum->u32[lane] += (uint32_t)(x->i16[lane * 2 + i] * y->i16[lane * 2 + i]);
    }
}

static uintptr_t general(const mcontext_t *m, int number)
{
    static const int order[] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                 REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
    return (uintptr_t)m->gregs[order[number]];
}

/* The address that the ModRM byte at *p, one of memory, and what follows it say; *p goes behind them. b, x: of the prefix. */
static const void *operand(const mcontext_t *m, const uint8_t **p, int b, int x)
{
    const int mod = **p >> 6, low = **p & 7;
    int base = low | b, index = 4, scale = 0;
    ++*p;
    if (low == 4) {
        scale = **p >> 6;
        index = (**p >> 3 & 7) | x;
        base = (**p & 7) | b;
        ++*p;
    }
    const bool bare = mod == 0 && (base & 7) == 5; /* no register: behind the instruction, or only the index */
    const int32_t bytes = mod == 1 ? 1 : mod == 2 || bare ? 4 : 0;
    int32_t distance = 0;
    memcpy(&distance, *p, (size_t)bytes);
    *p += bytes;
    if (mod == 1) distance = (int8_t)distance;
    uintptr_t at = !bare ? general(m, base) : low == 4 ? 0 : (uintptr_t)*p;
    if (index != 4) at += general(m, index) << scale;
    return (const void *)(at + (uintptr_t)(intptr_t)distance);
}

/* Three bytes of prefix (c4, inverted R X B and map 0f38, W0 inverted vvvv L and 66), the operation, and the operands. */
static void emulate(int number, siginfo_t *info, void *context)
{
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    const uint8_t *p = (const uint8_t *)(uintptr_t)m->gregs[REG_RIP], prefix = p[1], registers = p[2], op = p[3], *end = p + 4;
    const size_t bytes = registers & 4 ? 32 : 16;
    char *saved = (char *)m->fpregs;
    (void)info;
    if (p[0] != 0xc4 || (prefix & 0x1f) != 2 || (registers & 0x83) != 1 || (op != VPDPBUSD && op != VPDPWSSD)) {
        signal(number, SIG_DFL); /* what else is refused ends the program */
        return;
    }
    union ymm sum, x, y = { { 0 } };
    const int to = (*end >> 3 & 7) | (prefix & 0x80 ? 0 : 8), b = prefix & 0x20 ? 0 : 8;
    ymm_read(&sum, saved, to);
    ymm_read(&x, saved, ~registers >> 3 & 15);
    if (*end >> 6 == 3) ymm_read(&y, saved, (*end++ & 7) | b);
    else memcpy(y.u8, operand(m, &end, b, prefix & 0x40 ? 0 : 8), bytes);
    dot(&sum, &x, &y, op);
    memset(sum.u8 + bytes, 0, sizeof sum - bytes);
    ymm_write(saved, to, &sum);
    m->gregs[REG_RIP] = (greg_t)(uintptr_t)end;
    emulated++;
}

bool emulate_vnni_begin(void)
{
    struct sigaction a = { .sa_sigaction = emulate, .sa_flags = SA_SIGINFO };
    return sigaction(SIGILL, &a, NULL) == 0;
}

uint64_t emulate_vnni_count(void)
{
    return emulated;
}

#else

bool emulate_vnni_begin(void)
{
    return false;
}

uint64_t emulate_vnni_count(void)
{
    return 0;
}

#endif
