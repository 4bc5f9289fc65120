"""nephele-pixel: a diffusers UNet2DModel on 2 x 2 pixel-unshuffled tiles, conditioned on a bag of words."""

import json
import re

import torch
import torch.nn.functional as F
from diffusers import UNet2DModel
from torch import nn

CHANNELS = (48, 96, 144)
WIDTH = 4 * CHANNELS[0]  # of the time embedding, to which the prompt's vector is added


class WordBagEncoder(nn.Module):
    """mean of the known words' embeddings -> linear -> SiLU -> linear; no known word: the mean is 0."""

    def __init__(self, words: int, dim: int = 96, width: int = WIDTH):
        super().__init__()
        self.embedding = nn.Embedding(words, dim)
        self.linear_1 = nn.Linear(dim, width)
        self.linear_2 = nn.Linear(width, width)

    def forward(self, bag: torch.Tensor) -> torch.Tensor:  # bag [B, words]: how often each word occurs
        n = bag.sum(1, keepdim=True).clamp(min=1)
        mean = (bag @ self.embedding.weight) / n  # [B, dim]
        return self.linear_2(F.silu(self.linear_1(mean)))  # [B, width]


def make_unet() -> UNet2DModel:
    return UNet2DModel(
        sample_size=16, in_channels=16, out_channels=16, layers_per_block=1, block_out_channels=CHANNELS,
        down_block_types=("DownBlock2D",) * 3, up_block_types=("UpBlock2D",) * 3, norm_num_groups=16,
        attention_head_dim=CHANNELS[-1], resnet_time_scale_shift="scale_shift", class_embed_type="identity")


SCHEDULER = dict(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction",
                 clip_sample=True, clip_sample_range=1.0, set_alpha_to_one=True, timestep_spacing="trailing",
                 rescale_betas_zero_snr=True)

# Chinese words and plurals share the English word's row; a prompt is cut by longest match
CHINESE = {
    "龙": "dragon", "巨龙": "dragon", "飞龙": "dragon", "怪物": "monster", "妖怪": "monster", "恶魔": "demon", "魔鬼": "demon",
    "动物": "animal", "蛇": "snake", "蜘蛛": "spider", "蝴蝶": "butterfly", "熊": "bear", "狗": "dog", "狼": "wolf", "猪": "pig",
    "羊": "sheep", "绵羊": "sheep", "大象": "elephant", "青蛙": "frog", "乌龟": "turtle", "蜜蜂": "bee", "蝙蝠": "bat",
    "蝎子": "scorpion", "鱼": "fish", "天使": "angel", "眼睛": "eye", "眼": "eye", "植物": "plant", "蘑菇": "toadstool",
    "骷髅": "skeleton", "鬼": "ghost", "幽灵": "ghost", "吸血鬼": "vampire", "巫妖": "lich", "史莱姆": "slime", "精灵": "elf",
    "矮人": "dwarf", "巨人": "giant", "兽人": "orc", "地精": "goblin", "人": "human", "戒指": "ring", "指环": "ring",
    "护身符": "amulet", "项链": "amulet", "药水": "potion", "药瓶": "potion", "瓶子": "potion", "食物": "food", "苹果": "apple",
    "香蕉": "banana", "葡萄": "grape", "草莓": "strawberry", "梨": "pear", "柠檬": "lemon", "披萨": "pizza", "面包": "bread",
    "书": "book", "卷轴": "scroll", "法杖": "staff", "杖": "staff", "魔杖": "wand", "金币": "coins", "钱": "coins", "金": "gold",
    "符文": "rune", "盔甲": "armour", "铠甲": "armour", "头盔": "helmet", "帽子": "hat", "盾": "shield", "盾牌": "shield",
    "武器": "weapon", "剑": "sword", "斧": "axe", "斧头": "axe", "弓": "bow", "矛": "spear", "长矛": "spear", "匕首": "dagger",
    "锤": "mace", "衣服": "clothes", "斗篷": "cloak", "长袍": "robe", "靴子": "boots", "祭坛": "altar", "神坛": "altar",
    "雕像": "statue", "树": "tree", "门": "door", "传送门": "gateway", "大门": "door", "火": "fire", "冰": "ice", "灯": "lamp",
    "九头蛇": "hydra", "红": "red", "红色": "red", "橙": "orange", "橙色": "orange", "黄": "yellow", "黄色": "yellow",
    "绿": "green", "绿色": "green", "青": "cyan", "青色": "cyan", "蓝": "blue", "蓝色": "blue", "紫": "purple", "紫色": "purple",
    "粉": "pink", "粉色": "pink", "棕": "brown", "棕色": "brown", "褐色": "brown", "白": "white", "白色": "white", "灰": "grey",
    "灰色": "grey", "黑": "black", "黑色": "black", "金色": "gold", "银": "silver", "银色": "silver",
}
ENGLISH = {"gray": "grey", "golden": "gold", "coin": "coins", "armor": "armour", "necklace": "amulet", "violet": "purple",
           "portal": "gateway", "mushroom": "toadstool", "flask": "potion", "bottle": "potion", "person": "human",
           "knife": "dagger", "hammer": "mace", "turquoise": "cyan", "magenta": "pink", "gate": "door"}


def word_table(vocabulary: list[str]) -> dict[str, int]:
    """Spelling -> row of the embedding: English words, their plurals, Chinese words."""
    rows = {w: i for i, w in enumerate(vocabulary)}
    table = dict(rows)
    for spelling, word in (CHINESE | ENGLISH).items():
        if word in rows:
            table[spelling] = rows[word]
    for word in vocabulary:
        table.setdefault(word + "s", rows[word])
    return table


def bag_of(prompt: str, table: dict[str, int], words: int) -> torch.Tensor:
    """Latin words whole, other scripts by longest match; each row counts once."""
    bag = torch.zeros(words)
    longest = max(map(len, table))
    for run in re.findall(r"[a-z]+|[^\x00-\x7f]+", prompt.lower()):
        if run.isascii():
            if run in table:
                bag[table[run]] = 1
            continue
        i = 0
        while i < len(run):
            for n in range(min(longest, len(run) - i), 0, -1):
                if run[i:i + n] in table:
                    bag[table[run[i:i + n]]] = 1
                    i += n
                    break
            else:
                i += 1
    return bag


def to_model(rgba: torch.Tensor) -> torch.Tensor:
    """uint8 [B, 32, 32, 4] -> premultiplied, -1...1, [B, 16, 16, 16]."""
    x = rgba.float() / 255
    x = torch.cat([x[..., :3] * x[..., 3:], x[..., 3:]], -1).permute(0, 3, 1, 2)
    return F.pixel_unshuffle(x * 2 - 1, 2)


def to_rgba(x: torch.Tensor) -> torch.Tensor:
    """[B, 16, 16, 16] -> uint8 [B, 32, 32, 4]: alpha below a half becomes clear, the rest opaque where nearly so."""
    x = (F.pixel_shuffle(x.float(), 2).clamp(-1, 1) + 1) / 2
    alpha = x[:, 3:]
    rgb = (x[:, :3] / alpha.clamp(min=0.5)).clamp(0, 1)
    alpha = torch.where(alpha < 0.5, 0.0, 1.0)
    out = torch.cat([rgb * alpha, alpha], 1)
    return (out * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def load_vocabulary(archive) -> tuple[list[str], list]:
    return json.loads(str(archive["vocabulary"])), json.loads(str(archive["captions"]))
