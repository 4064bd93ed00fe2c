/* Types without blocks: f32, f16, bf16 and f64, one value after another. */
#ifndef QUANT_PLAIN_H
#define QUANT_PLAIN_H

#include <stdint.h>

void f32_unpack(float *dst, const void *src, int64_t n);  /* dst [n] */
void f16_unpack(float *dst, const void *src, int64_t n);  /* dst [n] */
void bf16_unpack(float *dst, const void *src, int64_t n); /* dst [n] */
void f64_unpack(float *dst, const void *src, int64_t n);  /* dst [n], rounded to nearest even */

void f32_pack(void *dst, const float *src, int64_t n);  /* src [n] */
void f16_pack(void *dst, const float *src, int64_t n);  /* src [n] */
void bf16_pack(void *dst, const float *src, int64_t n); /* src [n] */

#endif
