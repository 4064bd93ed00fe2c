/* The instructions of AVX-VNNI on a processor that lacks them: each is refused by the processor, looked up where it stands, and
 * done here on the saved registers. So the very code that such processors run is tested on others. Registers only, as the kernels
 * write them (kernels/avx2/avx2_ints.h). Sources: Intel's Software Developer's Manual, volume 1, 13.4 (the saved registers), volume
 * 2, VPDPBUSD and VPDPWSSD. */
#include "emulate_vnni.h"

#if defined(__x86_64__)

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { SAVED_XMM = 160, SAVED_YMM_HIGH = 576, VPDPBUSD = 0x50, VPDPWSSD = 0x52, LENGTH = 5 };

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

/* Three bytes of prefix (c4, inverted R X B and map 0f38, W0 inverted vvvv L and 66), the operation, and the registers. */
static void emulate(int number, siginfo_t *info, void *context)
{
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    const uint8_t *p = (const uint8_t *)(uintptr_t)m->gregs[REG_RIP];
    char *saved = (char *)m->fpregs;
    (void)info;
    if (p[0] != 0xc4 || (p[1] & 0x1f) != 2 || (p[2] & 0x87) != 0x05 || (p[3] != VPDPBUSD && p[3] != VPDPWSSD) || p[4] >> 6 != 3) {
        signal(number, SIG_DFL); /* what else is refused ends the program */
        return;
    }
    union ymm sum, x, y;
    const int to = (p[4] >> 3 & 7) | (p[1] & 0x80 ? 0 : 8), from = (p[4] & 7) | (p[1] & 0x20 ? 0 : 8);
    ymm_read(&sum, saved, to);
    ymm_read(&x, saved, ~p[2] >> 3 & 15);
    ymm_read(&y, saved, from);
    dot(&sum, &x, &y, p[3]);
    ymm_write(saved, to, &sum);
    m->gregs[REG_RIP] += LENGTH;
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
