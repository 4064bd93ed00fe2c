"""Writes tests/golden/tokenizers/families.json: folders of the families that add something to a vocabulary (other ids, tokens around a
text, languages), each with the ids that the classes of transformers give which run SentencePiece or BPE as the authors did: those
of release 4.46.3, with tokenizers 0.20 and sentencepiece. Files are those of the other folders here.
usage: make_families.py
"""
import json, os, pathlib, random, shutil, tempfile

os.environ['TRANSFORMERS_VERBOSITY'] = 'error'
import sentencepiece as spm
import transformers as tf
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

OUT = pathlib.Path(__file__).resolve().parent.parent / 'golden/tokenizers'
rng = random.Random(5)
WORDS = ['the', ' ', '  ', '<sep>', 'ing', '日本', 'é', 'e\u0301', 'ﬁ', '½', '12345', '🙂', '\n', '\t', '\u3000', "don't", "I'LL", 'q', '<s>', '</s>', '<unk>', '<pad>', '<mask>',
         '[MASK]', '[CLS]', '<mask_1>', '<0x0A>', '<|im_end|>', 'hello', 'World', 'rabbit', '...', '\u00a0', 'ß', '\u0301', '/', '\r\n', 'a', '``', "''", 'İ']
TEXTS = ['', ' ', 'Hello world', ' Hello  world ', 'Once upon a time there was a little rabbit.', 'a' * 32, '日本語 русский 🙂👨‍👩‍👧', 'Naïve “Café”']
TEXTS += [''.join(rng.choice(WORDS) for _ in range(rng.randint(1, 12))) for _ in range(40)]
result = []


def record(name, cls, files, config, texts=TEXTS, pairs=False, written={}):
    with tempfile.TemporaryDirectory() as d:
        for to, source in files.items():
            shutil.copy(OUT / source, pathlib.Path(d) / to)
        written = {**written, 'tokenizer_config.json': json.dumps({'tokenizer_class': cls, **config})}
        for to, content in written.items():
            (pathlib.Path(d) / to).write_text(content, encoding='utf-8')
        t = getattr(tf, cls).from_pretrained(d)
        cases = [[x, t(x)['input_ids']] for x in texts]
        both = [[x, y, t(x, y)['input_ids']] for x, y in zip(texts[2:8], texts[3:9])] if pairs else []
    result.append({'name': name, 'files': files, 'written': written, 'cases': cases, 'pairs': both})


UNIGRAM, BPE, T5 = 'xlm-roberta/sentencepiece.bpe.model', 'llama-new/tokenizer.model', 't5-sentinels/spiece.model'
record('llama', 'LlamaTokenizer', {'tokenizer.model': BPE}, {})
record('llama, legacy', 'LlamaTokenizer', {'tokenizer.model': BPE}, {'legacy': True})
record('llama, not legacy', 'LlamaTokenizer', {'tokenizer.model': BPE}, {'legacy': False})
record('code llama', 'CodeLlamaTokenizer', {'tokenizer.model': BPE}, {})
record('t5', 'T5Tokenizer', {'spiece.model': T5}, {}, [x for x in TEXTS if not x.endswith('</s>')])
record('t5, not legacy', 'T5Tokenizer', {'spiece.model': T5}, {'legacy': False}, [x for x in TEXTS if not x.endswith('</s>')])
record('xlm-roberta', 'XLMRobertaTokenizer', {'sentencepiece.bpe.model': UNIGRAM}, {}, pairs=True)
record('xglm', 'XGLMTokenizer', {'sentencepiece.bpe.model': UNIGRAM}, {})
record('mbart', 'MBartTokenizer', {'sentencepiece.bpe.model': UNIGRAM}, {'src_lang': 'ro_RO'})
record('mbart50', 'MBart50Tokenizer', {'sentencepiece.bpe.model': UNIGRAM}, {'src_lang': 'fr_XX'})
record('camembert', 'CamembertTokenizer', {'sentencepiece.bpe.model': UNIGRAM}, {}, pairs=True)
record('pegasus', 'PegasusTokenizer', {'spiece.model': T5}, {})
record('pegasus, no offset', 'PegasusTokenizer', {'spiece.model': T5}, {'offset': 0, 'mask_token': None, 'mask_token_sent': None})

# ALBERT's files have control tokens of BERT's names
(OUT / 'albert').mkdir(exist_ok=True)
lines = [l for l in (OUT.parent.parent.parent / 'README.md').read_text(encoding='utf-8').split('\n') if l.strip()]
spm.SentencePieceTrainer.train(sentence_iterator=iter(lines + ['Ünïcödé naïve “quotes” … 12345 日本語 русский 🙂'] * 30), model_prefix=str(OUT / 'albert/spiece'), minloglevel=2, vocab_size=300,
                               hard_vocab_limit=False, model_type='unigram', pad_id=0, unk_id=1, bos_id=-1, eos_id=-1, normalization_rule_name='identity', control_symbols=['[CLS]', '[SEP]', '[MASK]'],
                               user_defined_symbols=['(', ')', '"', '-', '.', '–', '£', '€'])
(OUT / 'albert/spiece.vocab').unlink()
record('albert', 'AlbertTokenizer', {'spiece.model': 'albert/spiece.model'}, {}, pairs=True)
record('albert, cased', 'AlbertTokenizer', {'spiece.model': 'albert/spiece.model'}, {'do_lower_case': False, 'keep_accents': True})

vocab = json.loads((OUT / 'm2m/vocab.json').read_text(encoding='utf-8'))
vocab['>>fr<<'] = len(vocab)
record('marian', 'MarianTokenizer', {'source.spm': 'm2m/sentencepiece.bpe.model', 'target.spm': UNIGRAM}, {'source_lang': 'en', 'target_lang': 'fr'},
       TEXTS + ['>>fr<< Hello world', '>>fr<<the rabbit'], written={'vocab.json': json.dumps(vocab)})

t = Tokenizer(models.BPE())
t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
t.train_from_iterator(TEXTS * 3, trainers.BpeTrainer(vocab_size=330, special_tokens=['<|endoftext|>'], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
m = json.loads(t.to_str())['model']
names = ['<|startoftranscript|>'] + [f'<|{code}|>' for code in tf.models.whisper.tokenization_whisper.LANGUAGES] + ['<|translate|>', '<|transcribe|>', '<|startoflm|>', '<|startofprev|>', '<|nocaptions|>', '<|notimestamps|>']
files = {'vocab.json': json.dumps(m['vocab']), 'merges.txt': '#version: 0.2\n' + ''.join((a if isinstance(a, str) else ' '.join(a)) + '\n' for a in m['merges']),
         'added_tokens.json': json.dumps({n: len(m['vocab']) + i for i, n in enumerate(names)})}
for config in [{}, {'language': 'French'}, {'language': 'de', 'task': 'translate'}, {'task': 'transcribe', 'predict_timestamps': True}, {'language': 'haitian', 'task': 'transcribe'}]:
    record('whisper ' + json.dumps(config), 'WhisperTokenizer', {}, config, [x for x in TEXTS if '<' not in x], written=files)

(OUT / 'families.json').write_text(json.dumps(result, separators=(',', ':')) + '\n')
for r in result:
    print(r['name'], len(r['cases']), len(r['pairs']))
