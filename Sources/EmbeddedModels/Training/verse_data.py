"""Corpus, topics, prompts and tokenizer of nephele-verse."""

import argparse
import collections
import glob
import json
import random
import re
from pathlib import Path

from opencc import OpenCC
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIALS = ["<|begin_of_text|>", "<|end_of_text|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
VOCABULARY = 5120

IMAGES = """明月 春风 秋风 东风 西风 清风 白云 浮云 青山 落花 落日 夕阳 斜阳 流水 江水 长江 大江 春水 秋水 桃花 梅花 杏花 梨花 菊花 荷花
莲花 杨柳 杨花 柳絮 芳草 青草 落叶 黄叶 梧桐 松竹 故人 故乡 故国 故园 美人 少年 将军 神仙 天涯 天地 人间 江南 长安 洛阳 塞北 边塞 战场
春雨 细雨 夜雨 秋雨 风雨 白雪 冰雪 飞雪 鸳鸯 黄鹂 杜鹃 鸿雁 燕子 白鹤 骏马 扁舟 孤舟 渔父 渔舟 相思 离别 送别 别离 思乡 归来 白发
黄昏 清晨 中秋 重阳 寒食 清明 春日 秋日 秋夜 春夜 夜深 灯火 玉楼 高楼 小楼 西楼 寺钟 山寺 禅 道士 僧 琴 笛 箫 酒 诗 书 剑 梦 愁 月 花 风 雪 雨
云 山 水 江 河 湖 海 星 春 夏 秋 冬 夜 柳 梅 竹 松 兰 菊 莲 桃 鸟 雁 燕 鹤 莺 蝉 马 龙 凤 鱼 舟 帆 桥 楼 寺 钟 灯 茶 泪 客 友 隐 渔 樵 仙""".split()
FORMS = {(5, 4): "五言绝句", (7, 4): "七言绝句", (5, 8): "五言律诗", (7, 8): "七言律诗"}
ZH = """写一首关于{t}的诗|写一首关于{t}的诗。|请写一首关于{t}的诗|写一首{t}的诗|写首关于{t}的诗吧|以{t}为题写一首诗|以“{t}”为题，作一首诗|
主题：{t}|题目：{t}|{t}|来一首关于{t}的诗|给我写一首{t}的诗|作诗一首，主题是{t}|写几句关于{t}的诗句|咏{t}|写{t}|请你写一首以{t}为主题的诗|
帮我写一首诗，主题：{t}|写一首古诗，主题：{t}|写一首描写{t}的古诗""".replace("\n", "").split("|")
ZH_FORM = """写一首{f}，主题：{t}|写一首关于{t}的{f}|作一首{f}，写{t}|请写一首{t}的{f}|{f}：{t}|用{f}写{t}|主题：{t}，体裁：{f}""".replace("\n", "").split("|")
ZH_CI = """填一首词，主题：{t}|写一首关于{t}的词|填一首《{r}》，主题：{t}|词牌：{r}，主题：{t}|写一首{t}的词|以{r}为词牌，写{t}""".replace("\n", "").split("|")
ZH_FREE = "写一首诗|写一首诗吧|请作一首诗|你好，写首诗|随便写一首诗|写一首古诗".split("|")
EN = """Write a few lines about {t}|Write a few lines about {t}.|Write a verse about {t}|Write a verse about the {t}|Write a poem about {t}|
Write a poem about the {t}|Speak of {t}, in the manner of a play|Speak of {t}|Tell me about {t}|Say something about {t}|Write a scene about {t}|
Write a speech about {t}|Write some lines of a play about the {t}|Topic: {t}|{t}|Lines on {t}, please|Give me a few lines on {t}|
Write about {t}|A few lines about the {t}|Write a short drama about {t}|Write like Shakespeare about {t}|Please write about the {t}.""".replace("\n", "").split("|")
EN_FREE = "Write a few lines|Write something|Hello|Write a scene|Say something|Write a poem|Write a few lines of a play".split("|")
CROSS = {"the moon": "明月 月", "the spring wind": "春风 东风", "spring": "春", "autumn": "秋", "snow": "雪", "rain": "雨", "wine": "酒", "the river": "江",
         "mountains": "山", "flowers": "花", "an old friend": "故人", "the sea": "海", "willows": "柳 杨柳", "the night": "夜", "a dream": "梦",
         "homesickness": "故乡 故园", "parting": "离别 送别 别离", "war": "战场 将军", "wild geese": "雁", "plum blossom": "梅花 梅", "a boat": "舟 扁舟",
         "clouds": "白云 云", "tears": "泪", "sorrow": "愁", "a horse": "马", "bamboo": "竹", "peach blossom": "桃花"}
CROSS_EN = "Write a Chinese poem about {t}|Write a poem in Chinese about {t}|A Chinese verse about {t}|In Chinese: {t}".split("|")
SYSTEMS = ["You are a helpful assistant.", "You are a poet.", "你是一个诗人。", "你是一个有用的助手。"]
STOP = set("""that this with have what your will from they thou thee shall then them when there their here more than which were been were would
should could hath doth thus upon some such well good come know make like most must much very where these those other tell give take speak
say says said into only even never ever every both yet still nay about after before being having done does dost hast wilt shalt doth unto
because against many any may might out over under again also away back can cannot did down each else first for get goes gone had has her hers him
his how its just let look may mine more myself nor not nothing now off once one our ours own please pray put quite rather same see seem set she
since sir something soon than therefore they thine think thou thought three through thyself till too two until use went who whom whose why within
without yes you yourself yours himself herself itself themselves ourselves indeed therefore wherefore whether while call'd called thing things
stand bring keep leave find hear call show bear makes made comes came send sent stay little great poor sweet true fair full long better best
whence hence thence another less alone between part half twenty hundred thousand ten five four already perhaps enough though gave given told
talk known seen look'd looks seems must need needs fear'd does going master lord lady father mother brother king queen prince duke sister""".split())


def simplify() -> list[dict]:
    """Every poem: {text, form, rhythmic}, in simplified characters, first couplets of long ones."""
    convert = OpenCC("t2s").convert
    root = Path(ROOT)
    files = sorted(glob.glob(f"{root}/全唐诗/poet.tang.*.json")) + sorted(glob.glob(f"{root}/宋词/ci.song.*.json"))
    files += sorted(glob.glob(f"{root}/五代诗词/*/*juan.json")) + [f"{root}/五代诗词/nantang/poetrys.json"]
    files += [f"{root}/纳兰性德/纳兰性德诗集.json", f"{root}/全唐诗/唐诗三百首.json", f"{root}/宋词/宋词三百首.json"]
    poems, seen = [], set()
    for file in files:
        for item in json.load(open(file)):
            lines = [re.sub(r"（.*?）|\(.*?\)|\[.*?\]|\s", "", convert(p)) for p in item.get("paragraphs") or item.get("para") or []]
            lines = [p for p in lines if p]
            text = "\n".join(lines)
            if re.search(r"[^\u4e00-\u9fff，。？！、；：\n]", text) or not 18 <= len(text):
                continue
            while len(text) > 150 and len(lines) > 4:
                lines = lines[:max(4, len(lines) - 2)]
                text = "\n".join(lines)
            if len(text) > 200 or text[:12] in seen:
                continue
            seen.add(text[:12])
            spans = [len(s) for s in re.split(r"[，。？！、；：\n]+", text) if s]
            form = FORMS.get((spans[0], len(spans))) if len(set(spans)) == 1 else None
            rhythmic = convert(item.get("rhythmic") or "") or None
            if file.endswith("纳兰性德诗集.json"):
                rhythmic = convert(item["title"]).split("·")[0].split(" ")[0]
            poems.append(dict(text=text, form=form, rhythmic=rhythmic if rhythmic and len(rhythmic) <= 5 else None))
    return poems


def speeches(play: str) -> list[str]:
    return [s.strip() for s in play.split("\n\n") if s.strip()]


def passages(parts: list[str], rng: random.Random) -> list[str]:
    """Cuts of 4 to 14 lines that begin at a speech."""
    out = []
    for i in range(len(parts)):
        text, want = "", rng.choice([4, 6, 8, 12])
        for part in parts[i:i + 4]:
            text = f"{text}\n\n{part}" if text else part
            if text.count("\n") >= want:
                break
        out.append("\n".join(text.split("\n")[:16]))
    return out


class Corpus:
    def __init__(self, poems: list[dict], plays: list[str], verse_topics: list[str], english_topics: set[str]):
        self.poems, self.plays = poems, plays
        self.verse_topics, self.english_topics = verse_topics, english_topics

    def verse(self, rng: random.Random) -> tuple[str, str]:
        poem = rng.choice(self.poems)
        text = poem["text"]
        found = [t for t in self.verse_topics if t in text]
        weight = [3 if t in IMAGES and len(t) == 2 else 1 for t in found]
        if not found or rng.random() < 0.03:
            return rng.choice(ZH_FREE), text
        t = rng.choices(found, weight)[0]
        if rng.random() < 0.06:
            english = [e for e, z in CROSS.items() if any(w in text for w in z.split())]
            if english:
                return rng.choice(CROSS_EN).format(t=rng.choice(english)), text
        if poem["rhythmic"] and rng.random() < 0.6:
            return rng.choice(ZH_CI).format(t=t, r=poem["rhythmic"]), text
        if poem["form"] and rng.random() < 0.4:
            return rng.choice(ZH_FORM).format(t=t, f=poem["form"]), text
        return rng.choice(ZH).format(t=t), text

    def drama(self, rng: random.Random) -> tuple[str, str]:
        text = rng.choice(self.plays)
        words = collections.Counter(w for w in re.findall(r"[a-z]+", text) if w in self.english_topics)
        if not words or rng.random() < 0.04:
            return rng.choice(EN_FREE), text
        early = set(re.findall(r"[a-z]+", "\n".join(text.split("\n")[:5])))
        t = rng.choices(list(words), [n * n * (3 if w in early else 1) for w, n in words.items()])[0]
        prompt = rng.choice(EN).format(t=t)
        return (prompt.lower() if rng.random() < 0.1 else prompt), text

    def sample(self, rng: random.Random) -> list[tuple[str, bool]]:
        """[(text, is the loss taken on it)]; specials are written out."""
        chinese = rng.random() < 0.6
        turn = self.verse if chinese else self.drama
        if rng.random() < 0.12:
            return [("<|begin_of_text|>", False), (turn(rng)[1] + "<|end_of_text|>", True)]
        out = [("<|begin_of_text|>", False)]
        if rng.random() < 0.12:
            out.append((f"<|system|>{rng.choice(SYSTEMS)}<|end|>", False))
        for _ in range(2 if rng.random() < 0.2 else 1):
            prompt, text = turn(rng)
            out += [(f"<|user|>{prompt}<|end|><|assistant|>", False), (f"{text}<|end|>", True)]
        return out


def make_tokenizer(poems: list[dict], play: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    gpt2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    # only while training: a merge never joins two Chinese characters, so a character is at most one token
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(r"[\u3000-\u9fff\uff00-\uffef]"), "isolated"), gpt2])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[AddedToken(s, special=True) for s in SPECIALS],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    prompts = "\n".join(ZH + ZH_FORM + ZH_CI + ZH_FREE + EN + EN_FREE + SYSTEMS)
    tokenizer.train_from_iterator([p["text"] for p in poems] + [prompts] * 40 + speeches(play) * 2, trainer)
    tokenizer.pre_tokenizer = gpt2
    return tokenizer


def build(root: str, shakespeare: str) -> tuple[Tokenizer, Corpus, Corpus]:
    """Tokenizer, training corpus, held-out corpus (every 50th poem, the last 4% of the plays)."""
    global ROOT
    ROOT = root
    poems = simplify()
    play = Path(shakespeare).read_text()
    bigrams = collections.Counter(s[i:i + 2] for p in poems for s in re.split(r"[，。？！、；：\n]+", p["text"]) for i in range(0, len(s) - 1, 2))
    verse_topics = IMAGES + [b for b, n in bigrams.most_common(500) if b not in IMAGES and n > 40]
    count = collections.Counter(re.findall(r"(?<![A-Za-z'])[a-z]+(?![A-Za-z'])", play))
    capital = collections.Counter(w.lower() for w in re.findall(r"[A-Z][a-z]+", play))
    english = {w for w, n in count.items() if n >= 12 and len(w) > 3 and w not in STOP and capital[w] < 2 * n}
    english -= {w for w, _ in count.most_common(130)}
    english |= {"king", "queen", "father", "mother", "brother", "war", "sea", "sun", "son", "god", "joy", "woe", "eye", "day", "law", "man",
                "love", "heart", "death", "night", "world", "blood", "life", "time", "tears", "honour", "grief", "crown", "sword"}
    parts = speeches(play)
    cut = int(len(parts) * 0.96)
    rng = random.Random(0)
    train_plays = [p for _ in range(3) for p in passages(parts[:cut], rng)]
    train = Corpus([p for i, p in enumerate(poems) if i % 50], train_plays, verse_topics, english)
    held = Corpus(poems[::50], passages(parts[cut:], rng), verse_topics, english)
    return make_tokenizer(train.poems, "\n\n".join(parts[:cut])), train, held


if __name__ == "__main__":
    args = argparse.ArgumentParser()
    args.add_argument("--poems", required=True)
    args.add_argument("--plays", required=True)
    a = args.parse_args()
    tokenizer, train, held = build(a.poems, a.plays)
    print(len(train.poems), len(held.poems), len(train.plays), len(train.english_topics), collections.Counter(p["form"] for p in train.poems))
    rng = random.Random(1)
    for _ in range(12):
        text = "".join(t for t, _ in train.sample(rng))
        ids = tokenizer.encode(text).ids
        print(len(ids), repr(text))
    print(sum(len(p["text"]) for p in train.poems), sum(len(tokenizer.encode(p["text"]).ids) for p in train.poems[::20]) * 20)
    print(len(tokenizer.encode(Path(a.plays).read_text()).ids))
