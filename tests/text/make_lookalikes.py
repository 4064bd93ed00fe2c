"""Writes tests/golden/tokenizers/lookalikes.json.xz: small vocabularies in the pipelines of known tokenizer.json files (pre-tokenizers,
added tokens such as CodeGen's runs of spaces, templates), and what the tokenizers library makes of hard texts with them.
Needs that library; the tests do not.   usage: make_lookalikes.py OUTFILE
"""
import contextlib, json, lzma, random, sys
from tokenizers import AddedToken, Regex, Tokenizer, models, trainers
from tokenizers import decoders as D, normalizers as N, pre_tokenizers as P, processors as R
from make_tokenizers import CORPUS, cases, texts

CODE = ["def f(x):\n        return  x ** 2\n\t\tif y:\n\t\t\t\tpass", "int main() {\n    for (;;)\n        x += 12345;\n}", "# -*- coding: utf-8 -*-\n\n\n\nimport os"]
GPT2, BYTES = P.ByteLevel(add_prefix_space=False), P.ByteLevel(add_prefix_space=False, use_regex=False)
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
split = lambda p, behavior="isolated": P.Split(Regex(p), behavior)
plain = lambda names, **flags: [AddedToken(n, special=False, **{"normalized": True, **flags}) for n in names]
special = lambda names, **flags: [AddedToken(n, special=True, normalized=False, **flags) for n in names]
spaces = lambda least, most: plain([" " * n for n in range(most, least - 1, -1)])
SPM = N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")])
SPM_DECODE = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])

# name, pre-tokenizer, added tokens, more
KINDS = [
    ("codegen, phi", GPT2, special(["<|endoftext|>"]) + spaces(2, 31) + plain(["\t" * n for n in range(9, 1, -1)]), {}),
    ("gptj", GPT2, special(["<|endoftext|>"]) + plain(["<|extratoken_%d|>" % n for n in range(1, 12)]), {}),
    ("gpt-neox, mpt", GPT2, special(["<|endoftext|>", "<|padding|>"]) + spaces(2, 24), {"normalizer": N.NFC()}),
    ("mpt-chat", GPT2, special(["<|endoftext|>", "<|padding|>"]) + spaces(2, 24) + special(["<|im_start|>", "<|im_end|>"]), {"normalizer": N.NFC()}),
    ("olmo", GPT2, special(["<|endoftext|>", "<|padding|>"]) + spaces(2, 24) + plain(["|||EMAIL_ADDRESS|||", "|||IP_ADDRESS|||"], normalized=False),
     {"normalizer": N.NFC(), "post_processor": R.TemplateProcessing(single="$A <|endoftext|>", pair="$A <|endoftext|> $B:1 <|endoftext|>:1", special_tokens=[("<|endoftext|>", 0)])}),
    ("flamingo", GPT2, special(["<|endoftext|>"]) + special(["<|endofchunk|>", "<image>", "<PAD>"]), {"normalizer": N.NFC()}),
    ("starcoder", P.Sequence([P.Digits(True), GPT2]), special(["<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<reponame>", "<gh_stars>"]), {}),
    ("falcon", P.Sequence([P.Punctuation("contiguous"), GPT2, P.Digits(False), split("[0-9][0-9][0-9]")]),
     special([">>TITLE<<", ">>ABSTRACT<<", ">>QUESTION<<", ">>ANSWER<<", "<|endoftext|>"]), {}),
    ("bloom", P.Sequence([split(" ?[^(\\s|[.,!?…。，、।۔،])]+"), BYTES]), special(["<unk>", "<s>", "</s>", "<pad>"]), {}),
    ("opt", GPT2, special(["</s>"]) + [AddedToken("<mask>", special=True, lstrip=True)],
     {"post_processor": R.TemplateProcessing(single="</s> $A", pair="</s> $A </s> $B", special_tokens=[("</s>", 0)])}),
    ("galactica", P.Sequence([P.Split("SPL1T-TH1S-Pl3A5E", "removed"), P.Split("\n", "isolated"), split("[0-9]"),
                              split(r"[\(\)\[\]\{\}]|([!\"\#\$%\&'\*\+,\-\./:;<=>\?\\\^_`\|\~])\1*"), P.Split("\n", "isolated"), GPT2]),
     special(["<unk>", "<s>", "<pad>", "</s>", "[START_REF]", "[END_REF]"]), {}),
    ("llama3", P.Sequence([split(LLAMA3), BYTES]), special(["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>"]),
     {"post_processor": R.Sequence([R.ByteLevel(trim_offsets=True), R.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
                                                                                         special_tokens=[("<|begin_of_text|>", 0)])])}),
    ("qwen2", P.Sequence([split(LLAMA3.replace("{1,3}", "")), BYTES]), special(["<|endoftext|>", "<|im_start|>", "<|im_end|>"]) + plain(["<tool_call>", "</tool_call>"], normalized=False),
     {"normalizer": N.NFC()}),
    ("command-r", P.Sequence([P.Digits(True), P.ByteLevel(add_prefix_space=False)]), special(["<PAD>", "<UNK>", "<BOS_TOKEN>", "<|START_OF_TURN_TOKEN|>"]),
     {"normalizer": N.NFC(), "post_processor": R.TemplateProcessing(single="<BOS_TOKEN> $A", pair="<BOS_TOKEN> $A <BOS_TOKEN>:1 $B:1", special_tokens=[("<BOS_TOKEN>", 2)])}),
    ("deepseek-coder", P.Sequence([split(r"[\r\n]"), split(r"\s?\p{L}+"), split(r"\s?\p{P}+"), split("[一-龥ࠀ-一가-퟿]+"), P.Digits(True), BYTES]),
     special(["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"]) + plain(["ø", "ö", "<｜fim▁hole｜>"]), {"normalizer": N.Sequence([])}),
    ("persimmon, llama", None, special(["<unk>", "<s>", "</s>"]) + plain(["|ENDOFTEXT|", "<0x_TAG>"], normalized=False),
     {"normalizer": SPM, "decoder": SPM_DECODE, "bytes": True}),
    ("phi-3", None, special(["<unk>", "<s>"]) + plain(["</s>"], rstrip=True, normalized=False) + special(["<|end|>", "<|user|>"], rstrip=True),
     {"normalizer": SPM, "decoder": SPM_DECODE, "bytes": True}),
    ("gemma", P.Split(" ", "merged_with_previous"), special(["<pad>", "<eos>", "<bos>", "<unk>"]) + plain(["\n" * n for n in range(2, 9)] + ["▁" * n for n in range(2, 9)] + ["<table>", "</h1>"], normalized=False),
     {"normalizer": N.Replace(" ", "▁"), "decoder": D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse()]), "bytes": True,
      "post_processor": R.TemplateProcessing(single="<bos> $A", pair="<bos> $A <bos>:1 $B:1", special_tokens=[("<bos>", 2)])}),
]


def made(pre, added, more):
    names = [a.content for a in added if a.special]
    if more.get("bytes"):
        t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
        trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=names + ["<0x%02X>" % b for b in range(256)], limit_alphabet=70, show_progress=False)
    else:
        t = Tokenizer(models.BPE())
        trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=names, initial_alphabet=P.ByteLevel.alphabet(), show_progress=False)
    t.decoder = D.ByteLevel()
    for part, value in {"pre_tokenizer": pre, **more}.items():
        if part != "bytes" and value is not None:
            setattr(t, part, value)
    t.train_from_iterator(CORPUS + CODE * 5, trainer)
    t.add_tokens(added)
    return Tokenizer.from_str(t.to_str())


def hard_texts(added, seed):
    r = random.Random(seed)
    words = [a.content for a in added] + [" ", "  ", "    ", "\n", "\t", "\n\n", "x", "def", "12345", "don't", "é", "e\u0301", "日本語", "===", "--", "(", "🙂", "▁", "The"]
    return CODE + [" " * n + "x" for n in (1, 2, 3, 24, 25, 31, 32, 40)] + ["".join(r.choice(words) for _ in range(r.randint(2, 14))) for _ in range(24)] + texts(16, seed)


def main(out):
    result = []
    for seed, (name, pre, added, more) in enumerate(KINDS):
        t = made(pre, added, more)
        result.append({"name": name, "files": {"tokenizer.json": t.to_str()}, "cases": cases(t, hard_texts(added, seed))})
        sys.stdout.write(f"{name}: {len(result[-1]['cases'])}\n")
    with lzma.open(out, "wt", preset=9 | lzma.PRESET_EXTREME, encoding="utf-8") as f:
        json.dump(result, f, ensure_ascii=True, separators=(",", ":"))
    print(len(result), "tokenizers,", sum(len(e["cases"]) for e in result), "cases")


if __name__ == "__main__":
    with contextlib.redirect_stderr(None):
        main(*sys.argv[1:])
