"""Writes tests/golden/tokenizers: small vocabularies of every kind, and what the reference libraries make of some texts.
Needs sentencepiece, transformers (with protobuf), tiktoken, mistral-common; the tests do not.
usage: make_vocabularies.py CORPUS GPT2_VOCAB_JSON RWKV_VOCAB TEKKEN_JSON   (corpus: any English text)
"""
import ast, base64, io, json, os, pathlib, random, sys, tempfile, unicodedata

os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
import sentencepiece as spm
import tiktoken
import transformers as tf
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
from sentencepiece import sentencepiece_model_pb2 as pb

OUT = pathlib.Path(__file__).resolve().parent.parent / 'golden/tokenizers'
corpus, gpt2, world, tekken = (pathlib.Path(p) for p in sys.argv[1:])
lines = [l for l in corpus.read_text(encoding='utf-8', errors='replace').split('\n') if l.strip()][:3000]
lines += ['Ünïcödé naïve “quotes” … 12345 日本語 русский 🙂 <sep> x**2'] * 30
rng = random.Random(7)
WORDS = ['the', ' ', '  ', '▁', '<sep>', 'ing', '日本', 'é', 'e\u0301', 'ﬁ', '½', '12345', '🙂', '\n', '\t', '\u3000', "don't", "I'LL", 'q', '<s>', '</s>',
         '<unk>', '<pad>', '<mask>', '<0x0A>', '<extra_id_0>', '<|im_end|>', 'hello', 'World', 'rabbit', '...', '\u00a0', 'ß', '\u0301', '/', '\r\n', 'a']
TEXTS = ['', ' ', 'Hello world', ' Hello  world ', 'Once upon a time there was a little rabbit.', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '日本語 русский 🙂👨‍👩‍👧']
TEXTS += [''.join(rng.choice(WORDS) for _ in range(rng.randint(1, 12))) for _ in range(30)]


def record(name, encode, special, texts=TEXTS):
    cases = [[t, encode(t)] for t in texts]
    (OUT / name / 'cases.json').write_text(json.dumps({'special': special, 'cases': cases}, separators=(',', ':')) + '\n')


def folder(name):
    (OUT / name).mkdir(parents=True, exist_ok=True)
    return OUT / name


def train(path, unused=False, **options):
    w = io.BytesIO()
    options = {'vocab_size': 320, 'normalization_rule_name': 'identity', 'hard_vocab_limit': False, **options}
    spm.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=w, minloglevel=2, **options)
    m = pb.ModelProto()
    m.ParseFromString(w.getvalue())
    for piece in m.pieces:
        if unused and piece.type == 1 and rng.random() < 0.15:
            piece.type = 5
    path.write_bytes(m.SerializeToString())


def sentencepiece(name, **options):
    path = folder('sentencepiece') / f'{name}.model'
    train(path, **options)
    s = spm.SentencePieceProcessor(model_file=str(path))
    return {'file': path.name, 'cases': [[t, s.encode(t)] for t in TEXTS]}


def hub(name, cls, file, config, special=True, texts=TEXTS, **options):
    d = folder(name)
    if file:
        train(d / file, **options)
    (d / 'tokenizer_config.json').write_text(json.dumps(config) + '\n')
    if name == 'm2m':
        s = spm.SentencePieceProcessor(model_file=str(d / file))
        ids = list(range(3, s.get_piece_size()))
        rng.shuffle(ids)
        vocab = {'<s>': 0, '<pad>': 1, '</s>': 2, '<unk>': 3}
        vocab.update({s.id_to_piece(i): 4 + n for n, i in enumerate(ids[:-5])})  # some pieces have no id
        vocab['madeupword0000'] = len(vocab)
        (d / 'vocab.json').write_text(json.dumps(vocab) + '\n')
    t = cls.from_pretrained(d)
    record(name, lambda x: t(x)['input_ids'], special, texts)


models = [
    sentencepiece('bpe-unused', model_type='bpe', unused=True),
    sentencepiece('bpe-bytes-user', model_type='bpe', byte_fallback=True, vocab_size=600, user_defined_symbols=['ing', '▁▁', '<sep>'], remove_extra_whitespaces=False),
    sentencepiece('unigram-unused-user', model_type='unigram', unused=True, user_defined_symbols=['the', '日本', 'é']),
    sentencepiece('unigram-suffix', model_type='unigram', treat_whitespace_as_suffix=True, split_by_whitespace=False),
    sentencepiece('bpe-suffix', model_type='bpe', treat_whitespace_as_suffix=True, remove_extra_whitespaces=False),
    sentencepiece('char-unused', model_type='char', unused=True, control_symbols=['q']),
    sentencepiece('word-unused', model_type='word', unused=True, vocab_size=400, add_dummy_prefix=False, user_defined_symbols=['<sep>']),
    sentencepiece('plain', model_type='unigram', add_dummy_prefix=False, remove_extra_whitespaces=False, split_digits=True),
]
(OUT / 'sentencepiece/cases.json').write_text(json.dumps(models, separators=(',', ':')) + '\n')

plain = [t for t in TEXTS if t.strip() and t == t.strip() and '  ' not in t and '▁' not in t and 'e\u0301' not in t and '\u0301' not in t and not set(t) & set('\n\t\r\u3000\u00a0')]
hub('xlm-roberta', tf.XLMRobertaTokenizer, 'sentencepiece.bpe.model', {'tokenizer_class': 'XLMRobertaTokenizer'}, texts=plain + ['a <mask> b'], model_type='unigram')
hub('m2m', tf.M2M100Tokenizer, 'sentencepiece.bpe.model', {'tokenizer_class': 'M2M100Tokenizer', 'src_lang': 'fr'}, model_type='unigram')
begins = [t for t in TEXTS if t and t[0] not in ' ▁']
hub('llama-new', tf.LlamaTokenizer, 'tokenizer.model', {'tokenizer_class': 'LlamaTokenizer', 'legacy': False, 'add_bos_token': True, 'additional_special_tokens': ['<|im_end|>']},
    texts=begins + ['<s>Hello</s>world<|im_end|>\nx'], model_type='bpe', byte_fallback=True, vocab_size=600, remove_extra_whitespaces=False, split_digits=True)
hub('t5-sentinels', tf.T5Tokenizer, 'spiece.model', {'tokenizer_class': 'T5Tokenizer', 'extra_ids': 5}, texts=plain + ['a <extra_id_4> b<extra_id_0>', '<extra_id_5>'],
    model_type='unigram', pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
hub('byt5', tf.ByT5Tokenizer, None, {'tokenizer_class': 'ByT5Tokenizer'}, texts=TEXTS + ['x </s> y</s>', '<extra_id_124>'])

# ---- ranks

letters = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
byte_of = {chr(b): b for b in letters} | {chr(256 + n): b for n, b in enumerate(b for b in range(256) if b not in letters)}
vocab = sorted(json.loads(gpt2.read_text(encoding='utf-8')).items(), key=lambda x: x[1])[:900]
ranks = {bytes(byte_of[c] for c in text): i for text, i in vocab}
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = LLAMA3.replace('{1,3}', '')


def ranked(name, file, pattern, specials, encode=lambda e, t: e.encode(t, allowed_special='all')):
    (folder(name) / file).write_bytes(b''.join(base64.b64encode(b) + b' %d\n' % i for b, i in ranks.items()))
    e = tiktoken.Encoding('x', pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials)
    record(name, lambda t: encode(e, t), True)


ranked('qwen', 'qwen.tiktoken', QWEN, {'<|endoftext|>': 900, '<|im_start|>': 901, '<|im_end|>': 902},
       lambda e, t: e.encode(unicodedata.normalize('NFC', t), allowed_special='all'))
ranked('llama3', 'tokenizer.model', LLAMA3, {'<|begin_of_text|>': 900, '<|eot_id|>': 909}, lambda e, t: [900] + e.encode(t, allowed_special='all'))

j = json.loads(tekken.read_text())
j['vocab'] = j['vocab'][:700]
j['config'].update(num_vocab_tokens=700, default_vocab_size=620, default_num_special_tokens=30)
(folder('tekken') / 'tekken.json').write_text(json.dumps({k: j[k] for k in ('config', 'vocab')}) + '\n')
t = Tekkenizer.from_file(OUT / 'tekken/tekken.json')
record('tekken', lambda x: t.encode(x, bos=True, eos=False), True, [x for x in TEXTS if '<' not in x])

# ---- RWKV: greedy, longest first

tokens, kept = {}, []
for line in world.read_text(encoding='utf-8').split('\n')[:700]:
    text = ast.literal_eval(line[line.index(' '):line.rindex(' ')])
    tokens[text.encode() if isinstance(text, str) else text] = int(line[:line.index(' ')])
    kept.append(line)
(folder('rwkv') / 'rwkv_vocab_v20230424.txt').write_text('\n'.join(kept) + '\n', encoding='utf-8')


def greedy(text):
    b, ids = text.encode(), []
    while b:
        n = next(n for n in range(len(b), 0, -1) if b[:n] in tokens)
        ids.append(tokens[b[:n]])
        b = b[n:]
    return ids


record('rwkv', greedy, True)
