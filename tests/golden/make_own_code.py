"""Models as the code beside them has it, where transformers knows another form or none, with what they compute in float64.

usage: make_own_code.py OUTDIR     (OUTDIR: tests/golden/text, which must hold starcoder-mqa and falcon-rw already)

santacoder        starcoder-mqa under the names of SantaCoder's first class: what starcoder-mqa computes.
mpt-own           MPT with everything that transformers passes over: learned positions, biases, queries and keys normalised, one
                  key/value head, a narrow feed-forward part, scaled logits; written out here after llm-foundry's modeling_mpt.py.
falcon-rw-own     falcon-rw under its first names. ALiBi counts once, as in the authors' code and transformers' fused attention;
                  falcon-rw was recorded with plain attention, which adds it twice.
"""
import json, pathlib, shutil, sys
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

OUT, GREEDY = pathlib.Path(sys.argv[1]), 24


def folder(name, source, config, weights, expected, text):
    d = OUT / name
    shutil.rmtree(d, ignore_errors=True)
    d.mkdir()
    shutil.copy(OUT / source / "tokenizer.json", d)
    (d / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    save_file({k: v.contiguous() for k, v in weights.items()}, d / "model.safetensors")
    save_file({k: v.contiguous() for k, v in expected.items()}, d / "expected.safetensors")
    info = json.loads((OUT / source / "expected.json").read_text())
    (d / "expected.json").write_text(json.dumps({"name": name, "task": "lm", "text": info["text"], "reference": text}, indent=1) + "\n")

def expected_of(ids, forward):
    hidden, logits = forward(ids)
    cur = ids
    for _ in range(GREEDY): cur = torch.cat([cur, forward(cur)[1][-1].argmax().view(1)])
    return {"input_ids": ids.int(), "logits": logits.float(), "greedy_ids": cur[-GREEDY:].int(), **{f"hidden.{i}": h.float() for i, h in enumerate(hidden)}}


def santacoder():
    c, w = json.loads((OUT / "starcoder-mqa/config.json").read_text()), {}
    for key in ("multi_query", "num_key_value_heads", "attention_softmax_in_fp32", "scale_attention_softmax_in_fp32"): c.pop(key, None)
    c.update(model_type="gpt2", architectures=["GPT2LMHeadCustomModel"], attention_head_type="multiquery", activation_function="gelu_fast",
             auto_map={"AutoConfig": "configuration_gpt2_mq.GPT2CustomConfig", "AutoModelForCausalLM": "modeling_gpt2_mq.GPT2LMHeadCustomModel"})
    turned = lambda v: v.t() if v.ndim == 2 else v
    for k, v in load_file(OUT / "starcoder-mqa/model.safetensors").items():
        if "c_attn" in k: w[k.replace("c_attn", "q_attn")], w[k.replace("c_attn", "kv_attn")] = turned(v[:c["n_embd"]]), turned(v[c["n_embd"]:])
        else: w[k] = turned(v) if ".h." in k else v
    w["transformer.h.0.attn.masked_bias"] = torch.tensor(-1e4)
    folder("santacoder", "starcoder-mqa", c, w, load_file(OUT / "starcoder-mqa/expected.safetensors"), "that of starcoder-mqa")


def mpt_own(d=36, heads=6, kv=1, ff=108, layers=3, vocab=512):
    g, hd, w = torch.Generator().manual_seed(7), d // heads, {}
    draw = lambda *s, k=None: torch.randn(*s, generator=g) * (k or 1.2 / s[-1] ** 0.5)
    def part(name, *s, norm=False):
        w[name + ".weight"] = draw(*s, k=0.2) + 1 if norm else draw(*s)
        w[name + ".bias"] = draw(s[0], k=0.2)
    w["transformer.wte.weight"], w["transformer.wpe.weight"] = draw(vocab, d, k=0.6), draw(256, d, k=0.6)
    part("transformer.norm_f", d, norm=True)
    for i in range(layers):
        p = f"transformer.blocks.{i}."
        for name, s in {"norm_1": (d,), "norm_2": (d,), "attn.q_ln": (d,), "attn.k_ln": (kv * hd,), "attn.Wqkv": (d + 2 * kv * hd, d),
                        "attn.out_proj": (d, d), "ffn.up_proj": (ff, d), "ffn.down_proj": (d, ff)}.items():
            part(p + name, *s, norm=len(s) == 1)
    f64 = {k: v.double() for k, v in w.items()}
    norm = lambda x, name: F.layer_norm(x, x.shape[-1:], f64[name + ".weight"], f64[name + ".bias"], 1e-5)
    linear = lambda x, name: F.linear(x, f64[name + ".weight"], f64[name + ".bias"])

    def forward(ids):
        n, hidden = len(ids), []
        x = f64["transformer.wte.weight"][ids] + f64["transformer.wpe.weight"][:n]
        for i in range(layers):
            p = f"transformer.blocks.{i}."
            hidden.append(x)
            q, k, v = linear(norm(x, p + "norm_1"), p + "attn.Wqkv").clamp(-1.5, 1.5).split([d, kv * hd, kv * hd], -1)
            q, k = norm(q, p + "attn.q_ln"), norm(k, p + "attn.k_ln")
            q, k, v = (t.view(n, -1, hd).transpose(0, 1) for t in (q, k, v))
            scores = (q @ k.transpose(1, 2) * 0.3).masked_fill(torch.ones(n, n).triu(1).bool(), float("-inf"))
            x = x + linear((scores.softmax(-1) @ v).transpose(0, 1).reshape(n, d), p + "attn.out_proj")
            x = x + linear(F.gelu(linear(norm(x, p + "norm_2"), p + "ffn.up_proj")), p + "ffn.down_proj")
        hidden.append(norm(x, "transformer.norm_f"))
        return hidden, hidden[-1] @ f64["transformer.wte.weight"].T * d ** -0.5

    c = {"model_type": "mpt", "architectures": ["MPTForCausalLM"], "d_model": d, "n_heads": heads, "n_layers": layers, "expansion_ratio": ff // d,
         "max_seq_len": 256, "vocab_size": vocab, "no_bias": False, "learned_pos_emb": True, "logit_scale": "inv_sqrt_d_model", "norm_type": "low_precision_layernorm",
         "attn_config": {"attn_type": "multiquery_attention", "attn_impl": "torch", "qk_ln": True, "clip_qkv": 1.5, "softmax_scale": 0.3, "alibi": False, "prefix_lm": False},
         "auto_map": {"AutoConfig": "configuration_mpt.MPTConfig", "AutoModelForCausalLM": "modeling_mpt.MPTForCausalLM"}, "bos_token_id": 0, "eos_token_id": 0}
    ids = load_file(OUT / "mpt/expected.safetensors")["input_ids"].long()
    folder("mpt-own", "mpt", c, w, expected_of(ids, forward), "make_own_code.py, float64")


def falcon_rw_own():
    c = json.loads((OUT / "falcon-rw/config.json").read_text())
    for key in ("num_kv_heads", "new_decoder_architecture", "ffn_hidden_size", "num_ln_in_parallel_attn", "rope_theta", "max_position_embeddings", "activation", "tie_word_embeddings"): c.pop(key, None)
    c.update(model_type="RefinedWebModel", architectures=["RWForCausalLM"], n_head=c.pop("num_attention_heads"), n_layer=c.pop("num_hidden_layers"),
             apply_residual_connection_post_layernorm=False)
    m = AutoModelForCausalLM.from_pretrained(OUT / "falcon-rw", dtype=torch.float64, attn_implementation="sdpa").eval()
    def forward(ids):
        with torch.no_grad(): o = m(input_ids=ids[None], output_hidden_states=True, use_cache=False)
        return [h[0] for h in o.hidden_states], o.logits[0]
    ids = load_file(OUT / "falcon-rw/expected.safetensors")["input_ids"].long()
    folder("falcon-rw-own", "falcon-rw", c, load_file(OUT / "falcon-rw/model.safetensors"), expected_of(ids, forward), "transformers, fused (sdpa) attention, float64")


santacoder()
mpt_own()
falcon_rw_own()
