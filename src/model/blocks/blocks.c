/* The tables of mixers and feed-forward parts. */
#include "model/blocks/blocks.h"

const struct mixer_info mixer_table[MIXER_COUNT] = {
    [MIXER_ATTENTION] = { "attention", attention_mixer, NULL },
    [MIXER_LATENT]    = { "latent attention", latent_mixer, NULL },
    [MIXER_MAMBA]     = { "mamba", mamba_mixer, mamba_state_width },
    [MIXER_RWKV4]     = { "rwkv4", rwkv4_mixer, rwkv4_state_width },
    [MIXER_RWKV5]     = { "rwkv5", rwkv5_mixer, wkv_state_width },
    [MIXER_RWKV6]     = { "rwkv6", rwkv6_mixer, wkv_state_width },
    [MIXER_RWKV7]     = { "rwkv7", rwkv7_mixer, wkv_state_width },
    [MIXER_MAMBA2]    = { "mamba2", mamba2_mixer, mamba2_state_width },
};

const struct ffn_info ffn_table[FFN_COUNT] = {
    [FFN_NONE]    = { "none", NULL },
    [FFN_DENSE]   = { "dense", ffn_dense },
    [FFN_GATED]   = { "gated", ffn_gated },
    [FFN_EXPERTS] = { "experts", ffn_experts },
    [FFN_RWKV]    = { "rwkv channel mix", rwkv_channel_mix },
};

struct tensor *block_norm_(struct tape *t, const struct arch *a, struct tensor *x, struct tensor *w, struct tensor *b)
{
    return a->norm == NORM_RMS ? op_rms_norm_(t, x, w, a->norm_eps) : op_layer_norm_(t, x, w, b, a->norm_eps);
}
