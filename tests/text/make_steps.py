"""Writes steps.json: small tokenizers with one kind of step each, and what the tokenizers library (github.com/huggingface/tokenizers)
makes of some texts. Needs that library; the tests do not.   usage: make_steps.py OUTFILE
"""
import json, random, sys
from tokenizers import AddedToken, Regex, Tokenizer, models, trainers
from tokenizers import decoders as D, normalizers as N, pre_tokenizers as P, processors as R

rng = random.Random(1)
corpus = ["The quick brown fox jumps over the lazy dog; don't they see that it's 42 or 1999?", "Hello world, hello there! Was there another?",
          "naïve façade — “quotes” … 日本語 русский 🙂", "def f(x):\n    return x ** 2  # ok", "the theatre of the other weather together"] * 5
ADDED = [AddedToken("<s>", special=True, normalized=False), AddedToken("</s>", special=True, normalized=False),
         AddedToken("<unk>", special=True, normalized=False), AddedToken("<m>", special=True, lstrip=True, normalized=False),
         AddedToken("<r>", special=False, rstrip=True, normalized=False), AddedToken("the", single_word=True, special=False, normalized=False),
         AddedToken("Hello w", special=False, normalized=True), AddedToken("<m><m>", special=False, normalized=True, lstrip=True, rstrip=True)]
WORDS = ["the", "Hello", " world", "don't", "I'VE", "we'LL", "'s", "12345", "3.14", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u180e", "\ufeff", "\u200b", "\xa0",
         "\u3000", "\u2028", "\x85", "\x00", "e\u0301", "\u1e0a\u0323", "\uac00\u11a8", "日本語", "🙂", "👨‍👩‍👧", "ﬁ", "½", "²", "Ⅷ", "ǅ", "İ", "ß", "ſ", "...", "!?", "_", "▁",
         "▁▁", "Ġ", "<0x0A>", "##", "$", "#1", "a", "b", "ー", "क्षि", "\u0301\u0301", "other", "weather", "<s>", "</s>", "<m>", "<r>", "<unk>", "<m><m>", "Hello w"]


def texts():
    out = ["", " ", "the <m> the<r>  x", " Hello world", "It's the other's: don't WE'LL  see 1999 42\n\n  ok\t", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"]
    return out + ["".join(rng.choice(WORDS) for _ in range(rng.randint(1, 14))) for _ in range(22)]


result = {"models": {}, "variants": []}


def train(name, kind="bpe", pre=None, size=330, alphabet=(), limit=70, **options):
    t = Tokenizer(models.BPE(**options) if kind == "bpe" else models.Unigram())
    t.pre_tokenizer = pre
    special = ["<s>", "</s>", "<unk>"] + (["<0x%02X>" % i for i in range(256)] if options.get("byte_fallback") else [])
    affixes = {k: v for k, v in options.items() if k in ("continuing_subword_prefix", "end_of_word_suffix")}
    if kind == "bpe":
        trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=list(alphabet), limit_alphabet=256 if alphabet else limit, show_progress=False, **affixes)
    else:
        trainer = trainers.UnigramTrainer(vocab_size=size, special_tokens=special, unk_token="<unk>", show_progress=False)
    t.train_from_iterator(corpus, trainer)
    result["models"][name] = json.loads(t.to_str())["model"]


def variant(name, model, normalizer=None, pre=None, decoder=None, post=None):
    t = Tokenizer.from_str(json.dumps({"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None, "pre_tokenizer": None,
                                       "post_processor": None, "decoder": None, "model": result["models"][model]}))
    if normalizer: t.normalizer = normalizer
    if pre: t.pre_tokenizer = pre
    if decoder: t.decoder = decoder
    if post: t.post_processor = post
    t.add_tokens(ADDED)
    rest = {k: v for k, v in json.loads(t.to_str()).items() if k not in ("model", "version", "truncation", "padding")}
    cases = []
    for text in texts():
        ids = t.encode(text).ids
        changed = normalizer and "Hello w" in text  # the library prints such an added token in its normalised form
        cases.append([text, ids, None if changed else t.decode(ids)])
    result["variants"].append({"name": name, "model": model, "rest": rest, "cases": cases})


bytes_ = P.ByteLevel.alphabet()
train("bytes", pre=P.ByteLevel(add_prefix_space=False), alphabet=bytes_)
train("ignore", pre=P.ByteLevel(add_prefix_space=False), alphabet=bytes_, ignore_merges=True)
train("chars", pre=P.Metaspace(), size=160, unk_token="<unk>")
train("fused", pre=P.Metaspace(), size=160, unk_token="<unk>", fuse_unk=True)
train("dropped", pre=P.Metaspace(), size=160)
train("fallback", pre=P.Metaspace(split=False), size=420, unk_token="<unk>", byte_fallback=True, fuse_unk=True)
train("affixes", pre=P.Whitespace(), size=200, unk_token="<unk>", continuing_subword_prefix="##", end_of_word_suffix="</w>")
train("prefixes", pre=P.Whitespace(), size=200, unk_token="<unk>", continuing_subword_prefix="##")
train("unigram", kind="unigram", pre=P.Metaspace(), size=150)

template = R.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B", special_tokens=[("<s>", 0), ("</s>", 1)])
spm = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
only = P.ByteLevel(add_prefix_space=False, use_regex=False)
variant("byte level", "bytes", pre=P.ByteLevel(add_prefix_space=False), decoder=D.ByteLevel(), post=R.ByteLevel())
variant("byte level, prefix", "bytes", pre=P.ByteLevel(add_prefix_space=True), decoder=D.ByteLevel(), post=R.RobertaProcessing(("</s>", 1), ("<s>", 0)))
variant("ignore merges", "ignore", pre=P.ByteLevel(add_prefix_space=False), decoder=D.ByteLevel(), post=R.BertProcessing(("</s>", 1), ("<s>", 0)))
variant("llama", "fallback", normalizer=N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")]), decoder=spm, post=template)
for scheme in ("always", "first", "never"):
    for split in (True, False):
        variant(f"metaspace {scheme} {split}", "fused" if split else "chars", pre=P.Metaspace(prepend_scheme=scheme, split=split), decoder=D.Metaspace(prepend_scheme=scheme, split=split))
for behavior in ("isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"):
    for invert in (False, True):
        variant(f"split {behavior} {invert}", "bytes", pre=P.Sequence([P.Split(Regex(r"\s+|[aeiou]|\d"), behavior, invert=invert), only]), decoder=D.ByteLevel())
    variant(f"punctuation {behavior}", "bytes", pre=P.Sequence([P.Split("th", behavior), P.Punctuation(behavior), only]), decoder=D.ByteLevel(), normalizer=N.NFC())
variant("digits", "bytes", pre=P.Sequence([P.Digits(False), P.CharDelimiterSplit("e"), P.ByteLevel(add_prefix_space=True)]), decoder=D.ByteLevel(), post=R.Sequence([R.ByteLevel(), template]))
variant("falcon", "bytes", pre=P.Sequence([P.Punctuation("contiguous"), P.ByteLevel(add_prefix_space=False), P.Digits(False), P.Split(Regex("[0-9][0-9][0-9]"), "isolated")]), decoder=D.ByteLevel())
variant("whitespace", "dropped", pre=P.Whitespace(), normalizer=N.NFKD())
variant("bert words", "chars", pre=P.BertPreTokenizer(), normalizer=N.Sequence([N.NFD(), N.StripAccents()]))
variant("affixes", "affixes", pre=P.Whitespace())
variant("prefixes", "prefixes", pre=P.Whitespace())
variant("unigram", "unigram", pre=P.Metaspace(), decoder=D.Metaspace(), normalizer=N.Sequence([N.NFKC(), N.Replace(Regex(" {2,}"), " ")]), post=template)
variant("unigram, lower", "unigram", pre=P.Sequence([P.WhitespaceSplit(), P.Metaspace()]), decoder=D.Metaspace(), normalizer=N.Sequence([N.Strip(), N.Lowercase()]))
for name, pattern in {
    "llama 3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "bloom": r" ?[^(\s|[.,!?…。，、।۔،])]+",
    "cl100k": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "o200k": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "oniguruma": r"\b\w+\b|^\s+|\h$|[\S&[\s]]|(?m:.)",
}.items():
    variant(name, "bytes", pre=P.Sequence([P.Split(Regex(pattern), "isolated"), only]), decoder=D.ByteLevel())
with open(sys.argv[1], "w", encoding="utf-8") as f:
    json.dump(result, f, ensure_ascii=True, separators=(",", ":"))
    f.write("\n")
