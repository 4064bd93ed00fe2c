/* SentencePiece's precompiled normalisation: a double-array trie (Darts-clone, github.com/s-yata/darts-clone: unit layout)
 * from byte sequences to replacements. The blob comes from a file, so every index is checked. */
#include "text/tokenizer_int.h"

static uint32_t load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int charsmap_open(struct charsmap *m, struct str blob, struct hearth_error *err)
{
    *m = (struct charsmap){ 0 };
    const uint8_t *p = (const uint8_t *)blob.p;
    const uint32_t bytes = blob.n >= 4 ? load_u32(p) : 0;
    if (blob.n < 4 || bytes % 4 || bytes >= blob.n - 4 || blob.p[blob.n - 1] != 0)
        return fail(err, HEARTH_E_FORMAT, "the table of normalisation rules (%zu bytes) is truncated or corrupt", blob.n);
    m->trie = p + 4;
    m->units = bytes / 4;
    m->text = (struct str){ blob.p + 4 + bytes, blob.n - 4 - bytes };
    if (!utf8_valid(m->text)) return fail(err, HEARTH_E_FORMAT, "the normalisation rules make malformed UTF-8");
    return 0;
}

/* A unit: bits 10..30 (in steps of 256 when bit 9 is set) are the distance to the children, bits 0..7 and 31 the label,
 * bit 8 says that one child is a leaf, which holds a value instead. */
static uint32_t unit_offset(uint32_t unit)
{
    return unit >> 10 << ((unit & 1u << 9) >> 6);
}

size_t charsmap_find(const struct charsmap *m, struct str text, bool shortest, struct str *to)
{
    size_t found = 0;
    if (!m->units) return 0;
    uint32_t node = unit_offset(load_u32(m->trie));
    for (size_t i = 0; i < text.n; i++) {
        const uint8_t byte = (uint8_t)text.p[i];
        node ^= byte;
        if (node >= m->units) break;
        const uint32_t unit = load_u32(m->trie + (size_t)node * 4);
        if ((unit & (1u << 31 | 0xff)) != byte) break;
        node ^= unit_offset(unit);
        if (!(unit & 1u << 8)) continue;
        if (node >= m->units) break;
        const uint32_t value = load_u32(m->trie + (size_t)node * 4) & ~(1u << 31);
        if (value >= m->text.n || (m->text.p[value] & 0xc0) == 0x80) break; /* the second: inside a character */
        found = i + 1;
        *to = str_from(m->text.p + value); /* the table ends in NUL */
        if (shortest) break;
    }
    return found;
}
