"""Writes nephele-verse as a transformers directory in bf16 from its best checkpoint, and samples: seeds in order."""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from train_verse import CONTEXT, D, EPS, HEADS, HIDDEN, KV, LAYERS, THETA

PROMPTS = ["写一首关于明月的诗", "主题：春风", "写一首五言绝句，主题：秋雨", "填一首词，主题：相思", "Write a few lines about love",
           "Speak of war, in the manner of a play", "Write a verse about the sea"]
TEMPLATE = ("{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("--folder", type=Path, required=True, help="of train_verse.py: best.pt and tokenizer.json")
    args.add_argument("--out", type=Path, required=True)
    a = args.parse_args()
    torch.set_num_threads(1)
    a.out.mkdir(parents=True, exist_ok=True)
    saved = torch.load(a.folder / "best.pt")
    save_file({f"model.{k}": v.bfloat16().contiguous() for k, v in saved["model"].items()}, a.out / "model.safetensors", metadata={"format": "pt"})
    tokenizer = Tokenizer.from_file(str(a.folder / "tokenizer.json"))
    tokenizer.save(str(a.out / "tokenizer.json"))
    token = tokenizer.token_to_id
    write = lambda name, value: (a.out / name).write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    bos, ends = token("<|begin_of_text|>"), [token("<|end|>"), token("<|end_of_text|>")]
    write("config.json", dict(
        architectures=["LlamaForCausalLM"], model_type="llama", vocab_size=tokenizer.get_vocab_size(), hidden_size=D, intermediate_size=HIDDEN,
        num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KV, head_dim=D // HEADS, max_position_embeddings=CONTEXT,
        rms_norm_eps=EPS, rope_theta=THETA, hidden_act="silu", tie_word_embeddings=True, attention_bias=False, mlp_bias=False,
        bos_token_id=bos, eos_token_id=ends[0], torch_dtype="bfloat16"))
    write("generation_config.json", dict(bos_token_id=bos, eos_token_id=ends, do_sample=True, temperature=0.8, top_p=0.9))
    write("tokenizer_config.json", dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<|begin_of_text|>", eos_token="<|end|>",
                                        pad_token="<|end_of_text|>", model_max_length=CONTEXT, add_bos_token=False, chat_template=TEMPLATE))
    from transformers import AutoTokenizer, LlamaForCausalLM
    model = LlamaForCausalLM.from_pretrained(a.out, dtype=torch.float32).eval()
    auto = AutoTokenizer.from_pretrained(a.out)
    print(f"step {saved['step']}, held-out loss {saved['held']:.4f}, training loss {saved['train']:.4f}\n")
    for prompt in PROMPTS:
        text = auto.apply_chat_template([dict(role="user", content=prompt)], add_generation_prompt=True, tokenize=False)
        ids = torch.tensor([auto(text, add_special_tokens=False).input_ids])
        for seed in (0, 1):
            torch.manual_seed(seed)
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=110, do_sample=True, temperature=0.8, top_p=0.9, top_k=0)
            print(f"**{prompt}** (seed {seed})\n\n```\n{auto.decode(out[0, ids.shape[1]:], skip_special_tokens=True)}\n```\n")


if __name__ == "__main__":
    main()
