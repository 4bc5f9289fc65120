#!/usr/bin/env python3
"""Golden token ids, made with Hugging Face tokenizers (pip install tokenizers sentencepiece transformers).

    python3 make_goldens.py [SHARED_DATA]

Trains three tiny tokenizers on the texts below and writes their files and vectors beside this script; where the
real vocabularies of SHARED_DATA are present, also vectors for those (their files are not copied).
"""
import json, os, shutil, sys
import sentencepiece as spm
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

here = os.path.dirname(os.path.abspath(__file__))
shared = sys.argv[1] if len(sys.argv) > 1 else None

TEXTS = [
    "", " ", "a", "Hello, world!", " leading and trailing ", "The quick brown fox doesn't jump; it'll they've I'm we'd.",
    "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。", "中文 English 混排 123４５６ test。", "😀👍🏽👨‍👩‍👧‍👦 flags 🇬🇷🇨🇳 end",
    "def f(x):\n    if x > 0:\n\t\treturn x ** 2  # comment\n    return None\n", "a  b   c    d\t\te\n\n\nf \r\n g",
    "   three spaces then", "trailing newlines\n\n", "\n\n \n  x", "1234567890 3.14159 1,000,000 0x7fff",
    "naïve café résumé — “quotes” … №5 ½", "e\u0301 vs é, Å vs Å", "кириллица ελληνικά עברית العربية हिन्दी ไทย",
    "don't DON'T Don’t it's IT'S", "http://example.com/a?b=c&d=%20#frag user@example.org", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 \U00020000",
    "zero\u200bwidth\u00a0nbsp\u3000ideographic", "<s>not special</s> <|endoftext|> [INST]", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "________ ======== ........ !!!!!!!!", "\u0000\u0001\u007f", "ABCabcXYZ" * 40, "的" * 50,
]
CORPUS = TEXTS * 4 + ["To be, or not to be, that is the question: whether 'tis nobler in the mind to suffer"] * 5 + \
    ["白日依山盡，黃河入海流。欲窮千里目，更上一層樓。"] * 5 + ["for i in range(10):\n    print(i)\n"] * 5

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

def vectors(tokenizer, special=True):
    out = []
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        out.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
    return out

def save(name, tokenizer):
    os.makedirs(f"{here}/{name}", exist_ok=True)
    tokenizer.save(f"{here}/{name}/tokenizer.json")
    write(name, vectors(tokenizer))

def write(name, data):
    with open(f"{here}/{name}.vectors.json", "w") as f:
        json.dump(data, f, ensure_ascii=True, indent=0)

# 1. Byte-level BPE as GPT-2's, as vocab.json and merges.txt.
tok = Tokenizer(models.BPE())
tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tok.decoder = decoders.ByteLevel()
tok.train_from_iterator(CORPUS, trainers.BpeTrainer(
    vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<|endoftext|>"], show_progress=False))
os.makedirs(f"{here}/gpt2-tiny", exist_ok=True)
tok.model.save(f"{here}/gpt2-tiny")
write("gpt2-tiny", vectors(tok))

# 2. Byte-level BPE with Llama 3's pattern, begin token and ignore_merges, as tokenizer.json.
tok = Tokenizer(models.BPE(ignore_merges=True))
tok.pre_tokenizer = pre_tokenizers.Sequence([
    pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
tok.decoder = decoders.ByteLevel()
tok.train_from_iterator(CORPUS, trainers.BpeTrainer(
    vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in
                        ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]])
tok.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
    single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", tok.token_to_id("<|begin_of_text|>"))])])
save("llama3-tiny", tok)
with open(f"{here}/llama3-tiny/tokenizer_config.json", "w") as f:
    json.dump({
        "bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>",
        "chat_template": "{% set loop_messages = messages %}{% for message in loop_messages %}{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'+ message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    }, f, indent=1)

# 3. SentencePiece BPE with byte fallback, as tokenizer.model and, converted as transformers does, as tokenizer.json.
os.makedirs(f"{here}/llama2-tiny", exist_ok=True)
with open("/tmp/sp.txt", "w") as f:
    f.write("\n".join(t.replace("\n", " ").replace("\0", "") for t in CORPUS))
spm.SentencePieceTrainer.train(
    input="/tmp/sp.txt", model_prefix="/tmp/sp", vocab_size=700, model_type="bpe", byte_fallback=True,
    normalization_rule_name="identity", remove_extra_whitespaces=False, add_dummy_prefix=True, character_coverage=0.98,
    split_digits=True, allow_whitespace_only_pieces=True, bos_id=1, eos_id=2, unk_id=0, pad_id=-1, minloglevel=2)
shutil.copy("/tmp/sp.model", f"{here}/llama2-tiny/tokenizer.model")
def convert(path):
    from sentencepiece import sentencepiece_model_pb2 as pb
    proto = pb.ModelProto()
    proto.ParseFromString(open(path, "rb").read())
    vocab = [(p.piece, p.score) for p in proto.pieces]
    ids = {p: i for i, (p, _) in enumerate(vocab)}
    merges = []
    for piece, score in vocab:
        local = [(piece[:k], piece[k:], score) for k in range(1, len(piece)) if piece[:k] in ids and piece[k:] in ids]
        merges += sorted(local, key=lambda m: (ids[m[0]], ids[m[1]]))
    merges = [(a, b) for a, b, s in sorted(merges, key=lambda m: m[2], reverse=True)]
    tok = Tokenizer(models.BPE(ids, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tok.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in ["<unk>", "<s>", "</s>"]])
    tok.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tok.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tok.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tok
# Vectors of the model come from sentencepiece itself, those of the conversion from tokenizers.
sp = spm.SentencePieceProcessor(model_file="/tmp/sp.model")
write("llama2-tiny", [{"text": t, "ids": sp.encode(t), "decoded": None} for t in TEXTS if "<s>" not in t and "\0" not in t and t])
save("llama2-converted", convert("/tmp/sp.model"))

# 4. The real vocabularies, where they are.
if shared:
    tok = Tokenizer(models.BPE.from_file(f"{shared}/tokenizers/gpt2-bpe/encoder.json", f"{shared}/tokenizers/gpt2-bpe/vocab.bpe"))
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    write("gpt2", vectors(tok))
    write("llama2", vectors(convert(f"{shared}/tokenizers/llama2-tokenizer/tokenizer.model")))

# 5. A conversation rendered by transformers' own Jinja.
from transformers import PreTrainedTokenizerFast
chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "  你好 <|eot_id|> world  "}, {"role": "assistant", "content": "Hi!"}, {"role": "user", "content": "Bye"}]
t = PreTrainedTokenizerFast(tokenizer_file=f"{here}/llama3-tiny/tokenizer.json")
config = json.load(open(f"{here}/llama3-tiny/tokenizer_config.json"))
t.bos_token, t.chat_template = config["bos_token"], config["chat_template"]
TEMPLATES = {
    "llama3": config["chat_template"],
    "chatml": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "zephyr": "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
    "llama2": "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    "indented": "{{- bos_token }}\n{%- for message in messages %}\n    {%- if message.role not in ['tool'] and message.content is defined %}\n        {{- '[' ~ message.role | upper ~ ']' -}}  \n        {{ message.content | trim }}\n    {%- endif %}\n{%- endfor %}\n{# a comment #}\n{%- if add_generation_prompt -%}\n    [ASSISTANT]\n{%- endif %}\n",
}
rendered = []
for name, template in TEMPLATES.items():
    if name == "indented":
        template = template.replace("message.role not in ['tool']", "not message.role == 'tool'")
    for add in (True, False):
        text = t.apply_chat_template(chat, chat_template=template, tokenize=False, add_generation_prompt=add, bos_token="<s>", eos_token="</s>")
        rendered.append({"name": name, "template": template, "add": add, "text": text})
write("templates", {"messages": chat, "rendered": rendered})
