"""Two tiny random CodeT5+ (as those of 2B and more) with what the authors' own class computes in float64.

usage: make_codet5p.py OUTDIR SOURCE     (OUTDIR: tests/golden/text, which must hold gpt2 already;
       SOURCE: a folder with modeling_codet5p.py and configuration_codet5p.py, which lie beside Salesforce/codet5p-2b)

Wants transformers 4.30, for which that code was written. It computes some steps in float32: those become float64 here.

codet5p        halves that differ in everything, so that the encoder's states are projected
codet5p-same   halves of one width, without a projection
"""
import json, pathlib, shutil, sys, tempfile
import torch
from safetensors.torch import load_file, save_file

OUT, SOURCE, GREEDY = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), 24
torch.set_default_dtype(torch.float64)


def own_code():
    package = pathlib.Path(tempfile.mkdtemp()) / "codet5p"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name in ("modeling_codet5p.py", "configuration_codet5p.py"):
        text = (SOURCE / name).read_text()
        for old, new in (("torch.float32", "torch.float64"), ("dtype=torch.float)", "dtype=torch.float64)"), (".float()", ".double()")): text = text.replace(old, new)
        (package / name).write_text(text)
    sys.path.insert(0, str(package.parent))
    from codet5p import configuration_codet5p, modeling_codet5p
    return configuration_codet5p.CodeT5pConfig, modeling_codet5p.CodeT5pEncoderDecoderModel


def randomize(model, seed):
    g = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        r = torch.randn(p.shape, generator=g)
        p.data = (r * 0.2 + 1 if ".ln_" in name and name.endswith("weight") else r * 0.2 if p.ndim == 1 else r * 0.6 if "wte" in name else r * 1.2 / p.shape[1] ** 0.5).float().double()


def make(name, encoder, decoder, seed):
    Config, Model = own_code.classes
    common = dict(model_type="codet5p_module", vocab_size=512, n_positions=256, n_ctx=256, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0)
    top = dict(is_encoder_decoder=True, decoder_start_token_id=0, bos_token_id=0, eos_token_id=0, pad_token_id=0)
    halves = dict(encoder={**common, **encoder}, decoder={**common, **decoder, "is_decoder": True, "add_cross_attention": True})
    model = Model(Config(**json.loads(json.dumps(halves)), **top)).double().eval()
    randomize(model, seed)

    ids = load_file(OUT / "gpt2/expected.safetensors")["input_ids"].long()
    decoder_ids = torch.cat([torch.zeros(1, dtype=torch.long), torch.randint(1, 512, (16,), generator=torch.Generator().manual_seed(seed + 1))])
    with torch.no_grad():
        run = lambda d: model(input_ids=ids[None], decoder_input_ids=d[None], use_cache=False, output_hidden_states=True)
        r, cur, margin = run(decoder_ids), torch.zeros(1, dtype=torch.long), 1e9
        for _ in range(GREEDY):
            best = run(cur).logits[0, -1].topk(2)
            margin, cur = min(margin, (best.values[0] - best.values[1]).item()), torch.cat([cur, best.indices[:1]])
    expected = {"input_ids": ids.int(), "decoder_input_ids": decoder_ids.int(), "encoder_last_hidden_state": r.encoder_last_hidden_state[0], "logits": r.logits[0], "greedy_ids": cur[1:].int()}
    for i, h in enumerate(r.encoder_hidden_states[:-1]): expected[f"encoder_hidden.{i}"] = h[0]
    for i, h in enumerate(r.decoder_hidden_states): expected[f"hidden.{i}"] = h[0]

    d = OUT / name
    shutil.rmtree(d, ignore_errors=True)
    d.mkdir()
    shutil.copy(OUT / "gpt2/tokenizer.json", d)
    config = {"architectures": ["CodeT5pEncoderDecoderModel"], "model_type": "codet5p", **top, **halves, "torch_dtype": "float32"}
    (d / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (d / "generation_config.json").write_text(json.dumps({k: v for k, v in top.items() if k != "is_encoder_decoder"}, indent=2) + "\n")
    save_file({k: v.float().contiguous() for k, v in model.state_dict().items() if "causal_mask" not in k}, d / "model.safetensors")
    save_file({k: (v.float() if v.is_floating_point() else v).contiguous() for k, v in expected.items()}, d / "expected.safetensors")
    info = json.loads((OUT / "gpt2/expected.json").read_text())
    (d / "expected.json").write_text(json.dumps({"name": name, "task": "s2s", "text": info["text"], "reference": "modeling_codet5p.py of Salesforce/codet5p-2b, in float64", "weights": "f32",
                                                 "greedy_min_margin": margin, "logit_std": r.logits.std().item()}, indent=1) + "\n")
    print(name, margin, r.logits.std().item(), cur.tolist())


if __name__ == "__main__":
    own_code.classes = own_code()
    make("codet5p", dict(n_embd=48, n_head=4, n_layer=2, n_inner=80, rotary_dim=6, activation_function="gelu", layer_norm_epsilon=1e-6),
         dict(n_embd=64, n_head=8, n_layer=3, n_inner=None, rotary_dim=4, activation_function="gelu_new", layer_norm_epsilon=1e-5), 41)
    make("codet5p-same", dict(n_embd=48, n_head=4, n_layer=2, n_inner=None, rotary_dim=64), dict(n_embd=48, n_head=4, n_layer=2, n_inner=100, rotary_dim=8), 43)
