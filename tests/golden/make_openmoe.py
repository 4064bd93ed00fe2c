"""A tiny random OpenMoE with what it computes in float64.

usage: make_openmoe.py OUTDIR     (OUTDIR: tests/golden/text, which must hold rwkv4 already)

Written out here after ColossalAI 0.3.6 (colossalai/moe: routers.py, experts.py, layers.py, utils.py) and, from memory, the code beside
the models (modeling_openmoe.py). No expert ever refuses a token: the limit of a large router_capacity_factor_eval.
"""
import torch
import torch.nn.functional as F
from make_recurrent import OUT, folder, matrix, randn, record

CONFIG = dict(architectures=["OpenMoeForCausalLM"], auto_map={"AutoModelForCausalLM": "modeling_openmoe.OpenMoeForCausalLM"}, model_type="llama", vocab_size=512, hidden_size=32, intermediate_size=40, num_hidden_layers=4,
              num_attention_heads=3, num_key_value_heads=3, head_dim=8, hidden_act="swiglu", mlp_gated=True, max_position_embeddings=2048, rms_norm_eps=1e-6, num_experts=6, moe_layer_interval=2, router_topk=2,
              router_capacity_factor_train=1.25, router_capacity_factor_eval=2.0, router_min_capacity=4, router_noisy_policy=None, router_drop_tks=True, router_aux_loss_factor=0.01, router_z_loss_factor=0.0001,
              attention_bias=False, pretraining_tp=1, rope_scaling=None, tie_word_embeddings=False, bos_token_id=1, eos_token_id=2, pad_token_id=0, initializer_range=0.02, use_cache=True, torch_dtype="bfloat16")


def has_experts(c, i): return (i + 1) % c["moe_layer_interval"] == 0

# ---- the model

def norm(c, x, w): return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + c["rms_norm_eps"]) * w

def swiglu(x):
    x1, x2 = x.chunk(2, -1)
    return x1 * x2 * torch.sigmoid(x2)

def rotate(x):
    """x [T, heads, d], turned in pairs (i, i + d / 2)."""
    T, _, d = x.shape
    frequency = 1.0 / 10000.0 ** (torch.arange(0, d, 2, dtype=torch.float64) / d)
    angle = torch.outer(torch.arange(T, dtype=torch.float64), frequency)
    cos, sin = (torch.cat([z, z], -1)[:, None] for z in (angle.cos(), angle.sin()))
    return x * cos + torch.cat([-x[..., d // 2:], x[..., :d // 2]], -1) * sin

def attention(c, w, p, x):
    T, d = x.shape[0], c["head_dim"]
    q, k, v = ((x @ w[p + n + "_proj.weight"].T).view(T, -1, d) for n in "qkv")
    share = c["num_attention_heads"] // c["num_key_value_heads"]
    q, k, v = rotate(q), rotate(k).repeat_interleave(share, 1), v.repeat_interleave(share, 1)
    scores = torch.einsum("ihd,jhd->hij", q, k).masked_fill(torch.ones(T, T, dtype=torch.bool).triu(1), float("-inf"))
    return torch.einsum("hij,jhd->ihd", scores.softmax(-1), v).reshape(T, -1) @ w[p + "o_proj.weight"].T

def mlp(w, p, x): return (swiglu(x @ w[p + "gate_proj.weight"].T) * (x @ w[p + "up_proj.weight"].T)) @ w[p + "down_proj.weight"].T

def experts(c, w, p, x):
    probs = (x @ w[p + "gate_weight"].T).softmax(-1)
    weight, chosen = probs.topk(c["router_topk"], -1)
    y = torch.zeros_like(x)
    for t in range(x.shape[0]):
        for share, e in zip(weight[t], chosen[t]):
            h = swiglu(x[t] @ w[p + "experts.wi_gate"][e]) * (x[t] @ w[p + "experts.wi_up"][e])
            y[t] += share * (h @ w[p + "experts.wo"][e])
    return y

def run(c, w, ids):
    x = w["model.embed_tokens.weight"][ids]
    hidden = [x]
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        x = x + attention(c, w, p + "self_attn.", norm(c, x, w[p + "input_layernorm.weight"]))
        h = norm(c, x, w[p + "post_attention_layernorm.weight"])
        x = x + (experts(c, w, p + "mlp.", h) if has_experts(c, i) else mlp(w, p + "mlp.", h))
        if has_experts(c, i): x = x + mlp(w, p + "extra_mlp.", norm(c, x, w[p + "pre_extra_mlp_layernorm.weight"]))
        hidden.append(x)
    hidden[-1] = norm(c, x, w["model.norm.weight"])
    return hidden[-1] @ w["model.embed_tokens.weight" if c["tie_word_embeddings"] else "lm_head.weight"].T, hidden

# ---- random weights

def make(c):
    d, ff, n = c["hidden_size"], c["intermediate_size"], c["num_experts"]
    q, kv = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]
    gain = lambda: randn(d, mean=1.0, std=0.2)
    w = {"model.embed_tokens.weight": randn(c["vocab_size"], d), "model.norm.weight": gain()}
    if not c["tie_word_embeddings"]: w["lm_head.weight"] = matrix(c["vocab_size"], d, 1.2)
    def dense(p):
        w[p + "gate_proj.weight"], w[p + "up_proj.weight"], w[p + "down_proj.weight"] = matrix(2 * ff, d), matrix(ff, d), matrix(d, ff)
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        w[p + "input_layernorm.weight"], w[p + "post_attention_layernorm.weight"] = gain(), gain()
        for name, out in (("q", q), ("k", kv), ("v", kv)): w[p + f"self_attn.{name}_proj.weight"] = matrix(out, d, 1.0 if name == "v" else 0.7)
        w[p + "self_attn.o_proj.weight"] = matrix(d, q)
        if not has_experts(c, i):
            dense(p + "mlp.")
            continue
        w[p + "mlp.gate_weight"] = matrix(n, d, 1.5)
        w[p + "mlp.experts.wi_gate"], w[p + "mlp.experts.wi_up"] = randn(n, d, 2 * ff, std=d ** -0.5), randn(n, d, ff, std=d ** -0.5)
        w[p + "mlp.experts.wo"] = randn(n, ff, d, std=ff ** -0.5)
        w[p + "pre_extra_mlp_layernorm.weight"] = gain()
        dense(p + "extra_mlp.")
    return w

def golden(d, seed, dtype=torch.bfloat16, **changes):
    torch.manual_seed(seed)
    c = {**CONFIG, "torch_dtype": str(dtype)[6:], **changes}
    d.mkdir(parents=True, exist_ok=True)
    w = {k: v.to(dtype) for k, v in make(c).items()}
    folder(d, c, w)
    full = {k: v.double() for k, v in w.items()}
    record(d, lambda ids: run(c, full, ids), str(dtype)[6:], f"tests/golden/make_openmoe.py, torch {torch.__version__}, float64")

if __name__ == "__main__":
    golden(OUT / "openmoe", 3400)
