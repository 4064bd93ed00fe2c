"""Writes tests/golden/tokenizers/cases.json.xz: what the tokenizers and transformers libraries make of hard texts with
  - small tokenizers of every kind of component, put together at random (the ones that found faults are among them),
  - folders of vocab.txt, or vocab.json and merges.txt, with their configuration files,
  - the folders of models in GOLDEN that have a tokenizer.json (recorded by name).
Needs those libraries; the tests do not.   usage: make_tokenizers.py GOLDEN OUTFILE
"""
import contextlib, glob, hashlib, json, lzma, os, random, sys, tempfile, unicodedata
from tokenizers import AddedToken, Regex, Tokenizer, models, trainers
from tokenizers import decoders as D, normalizers as N, pre_tokenizers as P, processors as R

CORPUS = ["The quick brown fox jumps over the lazy dog; don't they see that it's 42 or 1999?", "Hello world, hello there! Was there another?",
          "naïve façade — “quotes” … 日本語 русский 🙂", "def f(x):\n    return x ** 2  # ok", "مرحبا עברית 漢字 カタカナ 12345 3.14",
          "the theatre of the other weather together 한국어 Привет café __init__ a.b"] * 5
PARTS = ["the", "Hello", " world", "don't", "I'VE", "we'LL", "'s", "12345", "3.14", "  ", "   ", "\n", "\n\n", "\r\n", "\t", "\u180e", "\ufeff", "\u200b", "\u200d",
         "\xa0", "\u3000", "\u2028", "\x85", "\x0b", "\x00", "\x1f", "\x7f", "\x9f", "\xad", "e\u0301", "\u1e0a\u0323", "\uac00\u11a8", "한국어", "\u1112\u1161\u11ab",
         "日本語", "カタカナー", "ひらがな", "中文,测试。", "🙂", "👨‍👩‍👧", "🏳️‍🌈", "👍🏽", "ﬁ", "½", "²", "Ⅷ", "①", "ǅ", "İ", "ß", "ſ", "Σς", "...", "!?", "_", "__init__", "▁", "▁▁", "Ġ",
         "<0x0A>", "##", "##s", "$", "#1", "ー", "क्षि", "\u0301\u0327", "\u0345\u0301", "مرحبا", "שָׁלוֹם", "٣٤", "Привет", "naïve", "Ångström", "“q”", "—", "。", "𝔘𝔫𝔦", "𠀀",
         "\U0002a6e0", "\ue000", "\ufffd", "x=1;", "//", "<s>", "</s>", "<unk>", "[UNK]", "[CLS]", "[SEP]", "<m>", "<r>", "<m><m>", "Hello w", "weather", "aaaa",
         "ไทย", "T0", "a.b", "I'm", "do not", " n't", " .", " ,", "|", "^", "</w>", "a</w>", "\U0001f1e9\U0001f1ea", "ﷺ", "㎏", "Ａｂ", "ｶﾞ", "\u0958"]
PATTERNS = [r"\s+|[aeiou]|\d", r"[a-z&&[^aeiou]]+", r"[^\p{L}\p{N}&&[^\s]]+", r"[\w&&[^\d_]]+|\d", r"\p{Han}|\p{Hiragana}+", r"[[:alpha:]]+|[[:punct:]]",
            r"\p{Alpha}+|\p{Punct}", r"\p{Letter}+|\p{Decimal_Number}{1,3}", r"(?i)the|[^\W\d]+", r"[\p{^L}&&\S]", r"[a-c[x-z][^\x{0}-\x{7f}]]+", r"[^a-z[0-9]]+",
            r"(?<=\d)(?=(\d{3})+\b)", r"[\P{L}&&[^ ]]+", r"\p{Latin}+|\p{Greek}+|\p{Cyrillic}+|\p{Common}", r"(?<!\w)'\w+|\w+(?='\w)", r"\R|\h+", r"[[:^alnum:]&&\S]+",
            r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"]
BEHAVIORS = ["isolated", "removed", "merged_with_previous", "merged_with_next", "contiguous"]
SPECIAL = ["<s>", "</s>", "<unk>"]
SEEDS = [s for s in range(62) if s != 20]  # there added tokens normalise to nothing, which the library then finds anywhere


def texts(n, seed):
    r = random.Random(seed)
    out = ["", " ", "Hello, world! It's 42.", " leading and trailing  ", "a" * 90, " " * 70, "🙂" * 25, "x\u0301" * 30]
    while len(out) < n:
        s = "".join(r.choice(PARTS) + (" " if r.random() < .3 else "") for _ in range(r.randint(1, 12)))
        if r.random() < .1:
            s += "".join(c for c in (chr(r.choice([r.randrange(32, 0xd800), r.randrange(0xe000, 0x30000)])) for _ in range(6)) if unicodedata.category(c) != "Cn")
        out.append(s)
    return out


def normalizer(r):
    made = [lambda: N.NFC(), lambda: N.NFD(), lambda: N.NFKC(), lambda: N.NFKD(), lambda: N.Lowercase(), lambda: N.StripAccents(), lambda: N.Nmt(),
            lambda: N.Strip(left=r.random() < .7, right=r.random() < .5), lambda: N.Replace(r.choice([" ", "a", "e\u0301", "."]), r.choice(["", "▁", "xy"])),
            lambda: N.Replace(Regex(r.choice(PATTERNS)), r.choice(["", " ", "▁"])), lambda: N.Prepend(r.choice(["▁", " ", "x"])),
            lambda: N.BertNormalizer(clean_text=r.random() < .7, handle_chinese_chars=r.random() < .7, strip_accents=r.choice([None, True, False]), lowercase=r.random() < .6)]
    steps = [r.choice(made)() for _ in range(r.choice([0, 0, 1, 1, 2, 3]))]
    return N.Sequence(steps) if len(steps) > 1 else steps[0] if steps else None


def pre_tokenizer(r, byte_level):
    made = [lambda: P.BertPreTokenizer(), lambda: P.Whitespace(), lambda: P.WhitespaceSplit(), lambda: P.Punctuation(r.choice(BEHAVIORS)), lambda: P.Digits(r.random() < .5),
            lambda: P.CharDelimiterSplit(r.choice(list(" ea.,日"))), lambda: P.Split(Regex(r.choice(PATTERNS)), r.choice(BEHAVIORS), invert=r.random() < .4),
            lambda: P.Split(r.choice([" ", "th", "."]), r.choice(BEHAVIORS), invert=r.random() < .4), lambda: P.UnicodeScripts(), lambda: P.FixedLength(r.choice([1, 3, 5])),
            lambda: P.Metaspace(replacement=r.choice(["▁", "_"]), prepend_scheme=r.choice(["always", "never"]), split=r.random() < .6)]
    steps = [r.choice(made)() for _ in range(r.choice([1, 1, 2, 3]))]
    if byte_level:
        steps.append(P.ByteLevel(add_prefix_space=r.random() < .3, use_regex=r.random() < .6))
    return P.Sequence(steps) if len(steps) > 1 else steps[0]


def decoder(r, kind):
    if kind == "WordPiece" and r.random() < .8:
        return D.WordPiece(prefix="##", cleanup=r.random() < .7)
    if kind == "bytes" and r.random() < .7:
        return D.ByteLevel()
    return r.choice([lambda: None, lambda: D.ByteLevel(), lambda: D.Metaspace(prepend_scheme=r.choice(["always", "first", "never"])), lambda: D.BPEDecoder(suffix="</w>"), lambda: D.Fuse(),
                     lambda: D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)]), lambda: D.CTC("<s>", "e", r.random() < .5),
                     lambda: D.Strip("a", r.choice([0, 1, 2]), r.choice([0, 1])), lambda: D.Sequence([D.WordPiece(), D.Fuse(), D.Strip(" ", 1, 0)]),
                     lambda: D.Sequence([D.Fuse(), D.Metaspace()]), lambda: D.Sequence([D.ByteFallback(), D.Metaspace()])])()


def processor(r):
    template = lambda: R.TemplateProcessing(single=r.choice(["<s> $A </s>", "<s>:0 $A:0 </s>:2", "$A </s>", "<s> $A"]),
                                            pair=r.choice(["<s> $A </s> $B:1 </s>:1", "$A:0 </s>:0 $B:1", "<s> $B:1 </s> $A:2", "<s> $A </s> $A $B </s>:3"]),
                                            special_tokens=[("<s>", 0), ("</s>", 1)])
    return r.choice([lambda: None, lambda: R.BertProcessing(("</s>", 1), ("<s>", 0)), lambda: R.RobertaProcessing(("</s>", 1), ("<s>", 0)), template,
                     lambda: R.Sequence([R.ByteLevel(), template()]), lambda: R.ByteLevel()])()


def model(r, kind):
    if kind == "BPE":
        options = dict(fuse_unk=r.random() < .5, byte_fallback=r.random() < .3, ignore_merges=r.random() < .3)
        affixes = {k: v for k, v in (("continuing_subword_prefix", "##"), ("end_of_word_suffix", "</w>")) if r.random() < .3}
        if r.random() < .7:
            options["unk_token"] = "<unk>"
        special = SPECIAL + ["<0x%02X>" % i for i in range(256) if options["byte_fallback"] and r.random() < .98]
        return models.BPE(**options, **affixes), trainers.BpeTrainer(vocab_size=len(special) + 250, special_tokens=special, limit_alphabet=r.choice([40, 70, 200]), show_progress=False, **affixes)
    if kind == "bytes":
        return models.BPE(ignore_merges=r.random() < .3), trainers.BpeTrainer(vocab_size=380, special_tokens=SPECIAL, initial_alphabet=P.ByteLevel.alphabet(), show_progress=False)
    if kind == "WordPiece":
        prefix = r.choice(["##", "##", "@@", ""])
        return (models.WordPiece(unk_token="<unk>", max_input_chars_per_word=r.choice([100, 10, 3]), continuing_subword_prefix=prefix),
                trainers.WordPieceTrainer(vocab_size=250, special_tokens=SPECIAL, continuing_subword_prefix=prefix or "##", show_progress=False))
    if kind == "WordLevel":
        return models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=80, special_tokens=SPECIAL, show_progress=False)
    return models.Unigram(), trainers.UnigramTrainer(vocab_size=130, special_tokens=SPECIAL, unk_token="<unk>", show_progress=False)


def composed(seed):
    r = random.Random(seed)
    kind = ["BPE", "bytes", "WordPiece", "WordLevel", "Unigram", "WordPiece", "BPE"][seed % 7]
    m, trainer = model(r, kind)
    t = Tokenizer(m)
    for part, value in [("normalizer", normalizer(r)), ("pre_tokenizer", pre_tokenizer(r, kind == "bytes")), ("decoder", decoder(r, kind)), ("post_processor", processor(r))]:
        if value:
            setattr(t, part, value)
    t.train_from_iterator(CORPUS, trainer)
    often = lambda: r.random() < .35
    t.add_special_tokens([AddedToken(c, special=True, normalized=False) for c in SPECIAL])
    t.add_tokens([AddedToken(c, special=often(), lstrip=often(), rstrip=often(), single_word=often(), normalized=often() and bool(c.strip()))
                  for c in r.sample(["<m>", "<r>", "the", "Hello w", "<m><m>", "日本", "  ", "Ａ", "É", "a.b", "T0", "\n", "[CLS]", "[SEP]"], r.randint(0, 7))])
    return kind, Tokenizer.from_str(t.to_str()), t.to_str()


def attempt(f):
    try:
        return f()
    except BaseException:  # a panic of the library, or a text that it cannot encode
        return None


def cases(t, chosen):
    """[text, ids, ids without special tokens, decoded without them, decoded, ids and types of the pair with the text before]"""
    out, before = [], None
    for text in chosen:
        ids, plain = attempt(lambda: t.encode(text).ids), attempt(lambda: t.encode(text, add_special_tokens=False).ids)
        if ids is None or plain is None:
            continue
        pair = attempt(lambda: t.encode(before, text)) if before and text else None
        out.append([text, ids, plain, attempt(lambda: t.decode(ids, skip_special_tokens=True)), attempt(lambda: t.decode(ids, skip_special_tokens=False)),
                    [before, pair.ids, pair.type_ids] if pair else None])
        before = text
    return out


class Loaded:
    """A tokenizer of transformers with the calls of one of tokenizers."""
    def __init__(self, folder):
        from transformers import AutoTokenizer
        self.t = AutoTokenizer.from_pretrained(folder)

    def encode(self, a, b=None, add_special_tokens=True):
        e = self.t(a, b, add_special_tokens=add_special_tokens, return_token_type_ids=True)
        return type("Encoding", (), {"ids": e["input_ids"], "type_ids": e["token_type_ids"]})

    def decode(self, ids, skip_special_tokens):
        return self.t.decode(ids, skip_special_tokens=skip_special_tokens)


def folders():
    """name, files"""
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.pre_tokenizer = P.BertPreTokenizer()
    t.train_from_iterator(CORPUS + [c.lower() for c in CORPUS], trainers.WordPieceTrainer(vocab_size=300, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    vocab = "".join(k + "\n" for k, _ in sorted(t.get_vocab().items(), key=lambda kv: kv[1]))
    text = json.dumps
    bert = text({"model_type": "bert"})
    token = dict(lstrip=False, normalized=False, rstrip=False, single_word=False, special=True)
    yield "bert", {"vocab.txt": vocab, "config.json": bert}
    yield "bert cased", {"vocab.txt": vocab.replace("\n", "\r\n"), "config.json": bert, "tokenizer_config.json": text({"do_lower_case": False})}
    yield "distilbert", {"vocab.txt": vocab, "config.json": text({"model_type": "distilbert"}),
                         "tokenizer_config.json": text({"do_lower_case": True, "strip_accents": False, "tokenizer_class": "DistilBertTokenizer"})}
    yield "electra", {"vocab.txt": vocab, "config.json": text({"model_type": "electra"}),
                      "tokenizer_config.json": text({"tokenize_chinese_chars": False, "strip_accents": True, "do_lower_case": False, "never_split": ["the"]})}
    yield "added tokens", {"vocab.txt": vocab, "config.json": bert, "added_tokens.json": text({"Hello w": 300, "<m>": 301, "[X]": 302}),
                           "special_tokens_map.json": text({"unk_token": "[UNK]", "mask_token": dict(token, content="[X]", lstrip=True), "sep_token": "[SEP]"})}
    yield "added tokens in the configuration", {"vocab.txt": vocab, "config.json": bert, "tokenizer_config.json": text({"added_tokens_decoder": {
        "0": dict(token, content="[PAD]"), "3000": dict(token, content="Hello W", normalized=True, rstrip=True, special=False), "302": dict(token, content="<m>", lstrip=True)}})}
    yield "other roles", {"vocab.txt": vocab.replace("[CLS]", "<s>").replace("[SEP]", "</s>").replace("[UNK]", "<unk>"), "config.json": bert,
                          "tokenizer_config.json": text({"cls_token": "<s>", "sep_token": "</s>", "unk_token": "<unk>"})}
    yield "roles missing", {"vocab.txt": vocab.replace("[MASK]\n", "zzz\n").replace("[PAD]\n", "zzzz\n") + "the\n##s\nHello\n", "config.json": bert}
    for name, suffix, roles, config in [
            ("gpt2", "", ["<|endoftext|>"], {}), ("gpt2", "", ["<|endoftext|>"], {"add_prefix_space": True, "add_bos_token": True}),
            ("roberta", "", ["<s>", "</s>", "<unk>", "<pad>", "<mask>"], {}), ("bart", "", ["<s>", "</s>", "<unk>", "<pad>", "<mask>"], {"add_prefix_space": True}),
            ("clip", "</w>", ["<|startoftext|>", "<|endoftext|>"], {"tokenizer_class": "CLIPTokenizer", "pad_token": "!"}), ("whisper", "", ["<|endoftext|>", "<|startoftranscript|>", "<|notimestamps|>"], {})]:
        t = Tokenizer(models.BPE(**({"end_of_word_suffix": suffix} if suffix else {})))
        t.pre_tokenizer = P.ByteLevel(add_prefix_space=False)
        alphabet = P.ByteLevel.alphabet()
        t.train_from_iterator([c.lower() for c in CORPUS] if suffix else CORPUS, trainers.BpeTrainer(
            vocab_size=340, special_tokens=roles + ([c + suffix for c in sorted(alphabet)] if suffix else []), initial_alphabet=alphabet, show_progress=False, **({"end_of_word_suffix": suffix} if suffix else {})))
        m = json.loads(t.to_str())["model"]
        yield name + " " + text(config), {"vocab.json": text(m["vocab"]), "merges.txt": "#version: 0.2\n" + "".join(a + " " + b + "\n" for a, b in m["merges"]),
                                          "config.json": text({"model_type": name}), "tokenizer_config.json": text(config)}


def main(golden, out):
    result = []
    for seed in SEEDS:
        made = attempt(lambda: composed(seed))
        if made:
            result.append({"name": f"{made[0]} {seed}", "files": {"tokenizer.json": made[2]}, "cases": cases(made[1], texts(22, seed))})
    for name, files in folders():
        with tempfile.TemporaryDirectory() as folder:
            for file, content in files.items():
                with open(os.path.join(folder, file), "w", encoding="utf-8", newline="") as f:
                    f.write(content)
            result.append({"name": name, "files": files, "cases": cases(Loaded(folder), texts(30, 7))})
    known = {}
    for path in sorted(glob.glob(os.path.join(golden, "text/*/tokenizer.json"))):
        with open(path, "rb") as f:
            known.setdefault(hashlib.sha256(f.read()).digest(), []).append(path)
    for paths in known.values():
        names = [os.path.basename(os.path.dirname(p)) for p in paths]
        result.append({"name": names[0], "folders": names, "cases": cases(Tokenizer.from_file(paths[0]), texts(48, 11))})
    with lzma.open(out, "wt", preset=9 | lzma.PRESET_EXTREME, encoding="utf-8") as f:
        json.dump(result, f, ensure_ascii=True, separators=(",", ":"))
    print(len(result), "tokenizers,", sum(len(e["cases"]) for e in result), "cases")


if __name__ == "__main__":
    with contextlib.redirect_stderr(None):
        main(*sys.argv[1:])
