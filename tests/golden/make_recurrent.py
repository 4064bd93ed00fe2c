"""Tiny random RWKV-5, 6 and 7 and Mamba 2 models with what they compute in float64.

usage: make_recurrent.py OUTDIR [NAME...]     (OUTDIR: tests/golden/text, which must hold rwkv4 already)

RWKV is written out here after the papers (arXiv 2404.05892, 2503.14456) and the training code's demos, one token at a time; the
results were compared with the rwkv package 0.8 on the same weights. Mamba 2 is computed by transformers. Beside each folder's
model.safetensors under Hugging Face names lie native.gguf, the same tensors under the names of the training code, and cpp.gguf,
as rwkv.cpp's converter lays them out. model.gguf is what llama.cpp's converter makes of the folder (in rwkv7-native of rwkv7's).
"""
import json, pathlib, shutil, sys
import gguf, numpy as np, torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

OUT, ONLY = pathlib.Path(sys.argv[1]), set(sys.argv[2:])
V, D, H, N, L, FF, GREEDY = 512, 32, 4, 8, 3, 64, 24
f64 = lambda w: {k: v.double() for k, v in w.items()}


# ---- the models: native names -> logits and hidden states

def ln(x, w, b, eps=1e-5): return F.layer_norm(x, x.shape[-1:], w, b, eps)

def head_norm(x, w, b, heads, eps): return F.group_norm(x.view(1, -1), heads, w, b, eps).view(-1)

def shift(x): return torch.cat([torch.zeros_like(x[:1]), x[:-1]])

def channel_mix(w, p, x, version):
    xx = shift(x)
    if version == 7:
        k = x + (xx - x) * w[p + "x_k"].view(-1)
        return torch.relu(k @ w[p + "key.weight"].T) ** 2 @ w[p + "value.weight"].T
    if version == 6:
        k, r = x + (xx - x) * w[p + "time_maa_k"].view(-1), x + (xx - x) * w[p + "time_maa_r"].view(-1)
    else:
        mk, mr = w[p + "time_mix_k"].view(-1), w[p + "time_mix_r"].view(-1)
        k, r = x * mk + xx * (1 - mk), x * mr + xx * (1 - mr)
    return torch.sigmoid(r @ w[p + "receptance.weight"].T) * (torch.relu(k @ w[p + "key.weight"].T) ** 2 @ w[p + "value.weight"].T)

def wkv56(r, k, v, decay, u, heads):
    """decay [T, width]: what the state is multiplied by; u [width]."""
    T, n = r.shape[0], r.shape[1] // heads
    S, out = torch.zeros(heads, n, n, dtype=r.dtype), []
    for t in range(T):
        kv = k[t].view(heads, n, 1) @ v[t].view(heads, 1, n)
        out.append((r[t].view(heads, 1, n) @ (u.view(heads, n, 1) * kv + S)).reshape(-1))
        S = kv + decay[t].view(heads, n, 1) * S
    return torch.stack(out)

def time_mix5(w, p, x, carried, heads, layer, eps):
    xx = shift(x)
    mix = lambda n: x * w[p + n].view(-1) + xx * (1 - w[p + n].view(-1))
    r, k, v = mix("time_mix_r") @ w[p + "receptance.weight"].T, mix("time_mix_k") @ w[p + "key.weight"].T, mix("time_mix_v") @ w[p + "value.weight"].T
    n = r.shape[1] // heads
    wide = lambda z: z.reshape(heads, -1).expand(heads, n).reshape(-1)
    decay = torch.exp(-torch.exp(wide(w[p + "time_decay"])))
    u = wide(w[p + "time_faaaa"] if p + "time_faaaa" in w else torch.exp(w[p + "time_first"]))
    y = wkv56(r, k, v, decay.expand(x.shape[0], -1), u, heads)
    y = torch.stack([head_norm(z, w[p + "ln_x.weight"], w[p + "ln_x.bias"], heads, eps) for z in y])
    if p + "gate.weight" in w: y = y * F.silu(mix("time_mix_g") @ w[p + "gate.weight"].T)
    return y @ w[p + "output.weight"].T, None

def time_mix6(w, p, x, carried, heads, layer):
    sx = shift(x) - x
    low = torch.tanh((x + sx * w[p + "time_maa_x"].view(-1)) @ w[p + "time_maa_w1"]).view(x.shape[0], 5, -1)
    m = torch.einsum("tir,ird->itd", low, w[p + "time_maa_w2"])
    xw, xk, xv, xr, xg = (x + sx * (w[p + "time_maa_" + c].view(-1) + m[i]) for i, c in enumerate("wkvrg"))
    r, k, v = xr @ w[p + "receptance.weight"].T, xk @ w[p + "key.weight"].T, xv @ w[p + "value.weight"].T
    decay = w[p + "time_decay"].view(-1) + torch.tanh(xw @ w[p + "time_decay_w1"]) @ w[p + "time_decay_w2"]
    y = wkv56(r, k, v, torch.exp(-torch.exp(decay)), w[p + "time_faaaa"].reshape(-1), heads)
    y = torch.stack([head_norm(z, w[p + "ln_x.weight"], w[p + "ln_x.bias"], heads, 64e-5) for z in y])
    return (y * F.silu(xg @ w[p + "gate.weight"].T)) @ w[p + "output.weight"].T, None

def time_mix7(w, p, x, carried, heads, layer, eps):
    sx, T = shift(x) - x, x.shape[0]
    xr, xw, xk, xv, xa, xg = (x + sx * w[p + "x_" + c].view(-1) for c in "rwkvag")
    r, k, v = xr @ w[p + "receptance.weight"].T, xk @ w[p + "key.weight"].T, xv @ w[p + "value.weight"].T
    n = r.shape[1] // heads
    decay = torch.exp(-np.exp(-0.5) * torch.sigmoid(w[p + "w0"].view(-1) + torch.tanh(xw @ w[p + "w1"]) @ w[p + "w2"]))
    a = torch.sigmoid(w[p + "a0"].view(-1) + xa @ w[p + "a1"] @ w[p + "a2"])
    g = torch.sigmoid(xg @ w[p + "g1"]) @ w[p + "g2"]
    if layer == 0: carried = v
    else: v = v + (carried - v) * torch.sigmoid(w[p + "v0"].view(-1) + xv @ w[p + "v1"] @ w[p + "v2"])
    kk = F.normalize((k * w[p + "k_k"].view(-1)).view(T, heads, n), dim=-1, p=2.0).view(T, -1)
    k = k * (1 + (a - 1) * w[p + "k_a"].view(-1))
    S, out = torch.zeros(heads, n, n, dtype=x.dtype), [] # [value, key]
    for t in range(T):
        h = lambda z: z[t].view(heads, n, 1)
        S = S * decay[t].view(heads, 1, n) + S @ (-h(kk)) @ h(kk * a).mT + h(v) @ h(k).mT
        y = head_norm((S @ h(r)).reshape(-1), w[p + "ln_x.weight"], w[p + "ln_x.bias"], heads, eps)
        out.append(y + ((r[t] * k[t] * w[p + "r_k"].reshape(-1)).view(heads, n).sum(-1, keepdim=True) * v[t].view(heads, n)).view(-1))
    return (torch.stack(out) * g) @ w[p + "output.weight"].T, carried

def run(w, ids, version, heads, eps=64e-5):
    raw = w["emb.weight"][ids]
    x = ln(raw, w["blocks.0.ln0.weight"], w["blocks.0.ln0.bias"])
    hidden, carried = [], None
    for i in range(L):
        b = f"blocks.{i}."
        h = ln(x, w[b + "ln1.weight"], w[b + "ln1.bias"])
        if version == 7: y, carried = time_mix7(w, b + "att.", h, carried, heads, i, eps)
        elif version == 6: y, _ = time_mix6(w, b + "att.", h, None, heads, i)
        else: y, _ = time_mix5(w, b + "att.", h, None, heads, i, eps)
        x = x + y
        x = x + channel_mix(w, b + "ffn.", ln(x, w[b + "ln2.weight"], w[b + "ln2.bias"]), version)
        hidden.append(x)
    out = ln(x, w["ln_out.weight"], w["ln_out.bias"])
    hidden = [raw] + hidden[:-1] + [out] if version == 7 else hidden + [out]
    return out @ w["head.weight"].T, hidden


# ---- random weights under native names

def randn(*shape, mean=0.0, std=1.0): return torch.randn(*shape) * std + mean

def matrix(out, inp, gain=1.0): return randn(out, inp, std=gain / inp ** 0.5)

def norm(w, name, n):
    w[name + ".weight"], w[name + ".bias"] = randn(n, mean=1.0, std=0.2), randn(n, std=0.2)

def make(version, minor=0, nd=D, heads=H, layers=L, ff=FF):
    w, n = {"emb.weight": randn(V, nd)}, nd // heads
    norm(w, "blocks.0.ln0", nd)
    for i in range(layers):
        b, a, f = f"blocks.{i}.", f"blocks.{i}.att.", f"blocks.{i}.ffn."
        norm(w, b + "ln1", nd); norm(w, b + "ln2", nd); norm(w, a + "ln_x", nd)
        for m in ("receptance", "key", "value", "output"): w[a + m + ".weight"] = matrix(nd, nd)
        w[f + "key.weight"], w[f + "value.weight"] = matrix(ff, nd), matrix(nd, ff)
        if version < 7: w[f + "receptance.weight"] = matrix(nd, nd)
        if version == 5:
            for c in "kvr" + ("g" if minor else ""): w[a + "time_mix_" + c] = torch.rand(1, 1, nd)
            for c in "kr": w[f + "time_mix_" + c] = torch.rand(1, 1, nd)
            if minor: w[a + "gate.weight"] = matrix(nd, nd)
            size = (heads, n) if minor == 2 else (heads,)
            w[a + "time_decay"] = randn(*size, mean=-1.5, std=1.0)
            w[a + ("time_faaaa" if minor == 2 else "time_first")] = randn(*size, std=0.5)
        if version == 6:
            for c in "xwkvrg": w[a + "time_maa_" + c] = torch.rand(1, 1, nd)
            for c in "kr": w[f + "time_maa_" + c] = torch.rand(1, 1, nd)
            w[a + "gate.weight"] = matrix(nd, nd)
            w[a + "time_maa_w1"], w[a + "time_maa_w2"] = matrix(nd, 5 * 6), randn(5, 6, nd, std=0.3)
            w[a + "time_decay"] = randn(1, 1, nd, mean=-1.5, std=1.0)
            w[a + "time_decay_w1"], w[a + "time_decay_w2"] = matrix(nd, 7), randn(7, nd, std=0.4)
            w[a + "time_faaaa"] = randn(heads, n, std=0.5)
        if version == 7:
            for c in "rwkvag": w[a + "x_" + c] = torch.rand(1, 1, nd)
            w[f + "x_k"] = torch.rand(1, 1, nd)
            for c, rank in (("w", 7), ("a", 5), ("v", 6)):
                if c == "v" and i == 0: continue
                w[a + c + "0"], w[a + c + "1"], w[a + c + "2"] = randn(1, 1, nd, std=1.0), matrix(nd, rank), randn(rank, nd, std=0.5)
            w[a + "g1"], w[a + "g2"] = matrix(nd, 9), randn(9, nd, std=0.7)
            w[a + "k_k"], w[a + "k_a"] = randn(1, 1, nd, mean=0.7, std=0.3), randn(1, 1, nd, mean=1.0, std=0.3)
            w[a + "r_k"] = randn(heads, n, std=0.3)
    norm(w, "ln_out", nd)
    w["head.weight"] = matrix(V, nd, 1.2)
    return w


# ---- names and layouts of the containers

def to_hf(w, version):
    if version == 7:
        out = {}
        rules = [("emb.weight", "model.embeddings.weight"), ("ln_out.", "model.norm."), ("head.weight", "lm_head.weight"), ("blocks.", "model.layers."),
                 (".ln0.", ".pre_norm."), (".ln1.", ".attn_norm."), (".ln2.", ".ffn_norm."), (".att.ln_x.", ".attn.g_norm."), (".att.", ".attn."),
                 ("attn.receptance", "attn.r_proj"), ("attn.key", "attn.k_proj"), ("attn.value", "attn.v_proj"), ("attn.output", "attn.o_proj")]
        for k, v in w.items():
            for a, b in rules: k = k.replace(a, b)
            p, _, last = k.rpartition(".")
            if last in ("k_k", "k_a") or (last == "x_k" and ".ffn" in p): v = v.view(-1)
            if len(last) == 2 and last[0] in "wavg" and last[1] in "012" and p.endswith("attn"):
                k = f"{p}.{last[0]}_lora.lora." + {"0": "2.bias", "1": "0.weight", "2": "2.weight"}[last[1]]
                v = v.view(-1) if last[1] == "0" else v.T
            out[k] = v.contiguous()
        return out
    rules = [("emb.weight", "rwkv.embeddings.weight"), ("ln_out.", "rwkv.ln_out."), ("blocks.", "rwkv.blocks."), (".ln0.", ".pre_ln."), (".att.", ".attention."), (".ffn.", ".feed_forward.")]
    if version < 6: rules += [("time_mix_k", "time_mix_key"), ("time_mix_v", "time_mix_value"), ("time_mix_r", "time_mix_receptance"), ("time_mix_g", "time_mix_gate")]
    out = {}
    for k, v in w.items():
        for a, b in rules: k = k.replace(a, b)
        out[k] = v.contiguous()
    return out

def to_native4(hf):
    """The Hugging Face golden of RWKV-4 under native names."""
    out = {}
    for k, v in hf.items():
        for a, b in (("rwkv.", ""), ("embeddings.", "emb."), ("pre_ln", "ln0"), ("attention", "att"), ("feed_forward", "ffn"), ("time_mix_key", "time_mix_k"), ("time_mix_value", "time_mix_v"), ("time_mix_receptance", "time_mix_r")): k = k.replace(a, b)
        out[k] = v
    return out

def to_cpp(w, version, per_channel):
    out, mixes = {}, {}
    for k, v in w.items():
        v = v.float()
        if ".time_" in k: v = v.squeeze()
        last = k.rpartition(".")[2]
        if version == 7:
            if ".att.x_" in k: mixes.setdefault(k.rpartition(".")[0], []).append(v); continue
            if last in [c + d for c in "wavg" for d in "12"]: v = v.T
        elif version == 6:
            if "time_faaaa" in k: v = v.unsqueeze(-1)
            if "time_maa_w1" in k or "time_decay_w" in k: v = v.T
            if "time_maa_w2" in k: v = v.transpose(1, 2)
            if k.endswith("time_decay"): v = v.reshape(H, -1, 1)
        elif version == 5:
            if "time_decay" in k: v = torch.exp(-torch.exp(v)).unsqueeze(-1) if per_channel else torch.exp(-torch.exp(v)).reshape(-1, 1, 1)
            if "time_first" in k: v = torch.exp(v).reshape(-1, 1, 1)
            if "time_faaaa" in k: v = v.unsqueeze(-1)
        elif "time_decay" in k: v = -torch.exp(v)
        out[k] = v.contiguous()
    for p, six in mixes.items(): out[p + ".x_rwkvag"] = torch.cat(six)
    return out

def write_gguf(path, arch, w):
    g = gguf.GGUFWriter(path, arch)
    for k, v in w.items(): # halves where nothing is lost: small files
        half = v.numel() > 64 and torch.equal(v.half().float(), v.float())
        g.add_tensor(k, (v.half() if half else v.float()).numpy())
    g.write_header_to_file(); g.write_kv_data_to_file(); g.write_tensors_to_file(); g.close()


# ---- one golden

CONFIG = {
    5: dict(architectures=["Rwkv5ForCausalLM"], auto_map={"AutoConfig": "configuration_rwkv5.Rwkv5Config", "AutoModelForCausalLM": "modeling_rwkv5.Rwkv5ForCausalLM"}, attention_hidden_size=D, bos_token_id=0, eos_token_id=0, head_size=N, head_size_divisor=8,
            hidden_size=D, intermediate_size=None, layer_norm_epsilon=1e-5, model_max_length=4096, model_type="rwkv5", num_attention_heads=N, num_hidden_layers=L, rescale_every=6, tie_word_embeddings=False, use_cache=True, vocab_size=V),
    6: dict(architectures=["Rwkv6ForCausalLM"], auto_map={"AutoConfig": "configuration_rwkv6.Rwkv6Config", "AutoModelForCausalLM": "modeling_rwkv6.Rwkv6ForCausalLM"}, attention_hidden_size=D, bos_token_id=0, eos_token_id=0, head_size=N, head_size_divisor=8,
            hidden_size=D, intermediate_size=None, layer_norm_epsilon=1e-5, model_type="rwkv6", num_attention_heads=N, num_hidden_layers=L, rescale_every=6, tie_word_embeddings=False, use_cache=True, vocab_size=V),
    7: dict(architectures=["RWKV7ForCausalLM"], a_low_rank_dim=5, attn=None, attn_mode="chunk", bos_token_id=0, decay_low_rank_dim=7, eos_token_id=0, fuse_cross_entropy=True, fuse_norm=False, gate_low_rank_dim=9, head_dim=N, hidden_act="sqrelu", hidden_ratio=2.0,
            hidden_size=D, initializer_range=0.02, intermediate_size=FF, max_position_embeddings=2048, model_type="rwkv7", norm_bias=True, norm_eps=1e-5, norm_first=True, num_heads=H, num_hidden_layers=L, tie_word_embeddings=False, use_cache=True, v_low_rank_dim=6, value_dim=[D] * L, vocab_size=V),
}
SOURCE = json.loads((OUT / "rwkv4" / "expected.json").read_text())
IDS = load_file(OUT / "rwkv4" / "expected.safetensors")["input_ids"].long()

def record(d, forward, kind, reference):
    """forward(ids) -> logits, hidden states."""
    with torch.no_grad():
        logits, hidden = forward(IDS)
        cur, margins = IDS, []
        for _ in range(GREEDY):
            last = forward(cur)[0][-1]
            top = torch.topk(last, 2).values
            margins.append((top[0] - top[1]).item())
            cur = torch.cat([cur, last.argmax().view(1)])
    exp = {"input_ids": IDS.to(torch.int32), "logits": logits.float(), "greedy_ids": cur[-GREEDY:].to(torch.int32)}
    exp.update({f"hidden.{i}": h.float() for i, h in enumerate(hidden)})
    save_file({k: v.contiguous() for k, v in exp.items()}, d / "expected.safetensors")
    info = dict(name=d.name, task="lm", text=SOURCE["text"], reference=reference, weights=kind, greedy_min_margin=min(margins), logit_std=logits.std().item())
    (d / "expected.json").write_text(json.dumps(info, indent=1, ensure_ascii=False) + "\n")
    print(f"{d.name:12s} T={len(IDS)} std={info['logit_std']:.2f} margin={info['greedy_min_margin']:.4f}")

def folder(d, config, tensors):
    (d / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file(tensors, d / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(OUT / "rwkv4" / "tokenizer.json", d / "tokenizer.json")

def rwkv(name, version, minor, dtype, seed):
    torch.manual_seed(seed)
    d = OUT / name
    d.mkdir(exist_ok=True)
    ff = int(D * 3.5) // 32 * 32 if version < 7 else FF
    w = {k: v.to(dtype).float() for k, v in make(version, minor, ff=ff).items()}
    full, here = f64(w), f"tests/golden/make_recurrent.py, torch {torch.__version__}, float64"
    say = lambda d, eps: record(d, lambda ids: run(full, ids, version, H, eps), str(dtype)[6:], here)
    def beside(suffix, eps): # the same model where another epsilon of the heads makes another answer
        other = OUT / (name + suffix)
        other.mkdir(exist_ok=True)
        say(other, eps)
        return other
    say(d, N * 1e-5 if version == 7 else 64e-5)
    if not (version == 5 and minor < 2): folder(d, CONFIG[version], {k: v.to(dtype) for k, v in to_hf(w, version).items()})
    native = beside("-native", 64e-5) if version == 7 else d
    write_gguf(native / "native.gguf", "rwkv-native", w)
    if version == 5 and not minor: return
    cpp = beside("-cpp", 1e-5) if version == 5 else native
    write_gguf(cpp / "cpp.gguf", "rwkv-cpp", to_cpp(w, version, minor == 2))

def mamba2(name, seed, tied, **more):
    import transformers
    from transformers import Mamba2Config, Mamba2ForCausalLM
    torch.manual_seed(seed)
    d = OUT / name
    d.mkdir(exist_ok=True)
    c = dict(vocab_size=V, hidden_size=32, num_hidden_layers=L, num_heads=8, head_dim=8, state_size=16, n_groups=2, conv_kernel=4, expand=2, chunk_size=16, tie_word_embeddings=tied, bos_token_id=0, eos_token_id=0, pad_token_id=0, **more)
    m = Mamba2ForCausalLM(Mamba2Config(**c))
    with torch.no_grad():
        for k, p in m.named_parameters():
            if "norm" in k: p.copy_(1 + 0.2 * torch.randn_like(p))
            elif k.endswith("A_log"): p.copy_(torch.randn_like(p))
            elif k.endswith((".D", "bias")): p.copy_(0.5 * torch.randn_like(p))
            elif "conv1d" in k: p.copy_(0.5 * torch.randn_like(p))
            elif "embeddings" in k: p.copy_(torch.randn_like(p) * (0.3 if tied else 1))
            else: p.copy_(1.5 * torch.randn_like(p) / p.shape[-1] ** 0.5)
    m = m.to(torch.bfloat16)
    m.save_pretrained(d)
    ref = Mamba2ForCausalLM.from_pretrained(d, dtype=torch.float64).eval()
    def forward(ids):
        o = ref(input_ids=ids.view(1, -1), output_hidden_states=True, use_cache=False)
        return o.logits[0], [h[0] for h in o.hidden_states]
    record(d, forward, "bf16", f"transformers {transformers.__version__}, torch {torch.__version__}, float64 where the model allows")
    shutil.copy(OUT / "rwkv4" / "tokenizer.json", d / "tokenizer.json")

MAKERS = {
    "rwkv4": lambda: [write_gguf(OUT / "rwkv4" / f, a, w) for n in [to_native4(load_file(OUT / "rwkv4" / "model.safetensors"))] for f, a, w in (("native.gguf", "rwkv-native", n), ("cpp.gguf", "rwkv-cpp", to_cpp(n, 4, False)))],
    "rwkv5": lambda: rwkv("rwkv5", 5, 2, torch.float16, 5002),
    "rwkv5.0": lambda: rwkv("rwkv5.0", 5, 0, torch.float16, 5000),
    "rwkv5.1": lambda: rwkv("rwkv5.1", 5, 1, torch.float16, 5001),
    "rwkv6": lambda: rwkv("rwkv6", 6, 0, torch.float16, 6000),
    "rwkv7": lambda: rwkv("rwkv7", 7, 0, torch.float16, 7000),
    "mamba2": lambda: mamba2("mamba2", 2000, False, use_bias=True, time_step_limit=(0.01, 0.9)),
    "mamba2-tied": lambda: mamba2("mamba2-tied", 2001, True),
}

if __name__ == "__main__":
    for name, make_it in MAKERS.items():
        if not ONLY or name in ONLY: make_it()
