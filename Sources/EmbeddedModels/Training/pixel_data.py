"""Tiles and captions for nephele-pixel: reads the CC0 tiles, writes one .npz with pictures and word lists."""

import argparse
import colorsys
import json
import re
from pathlib import Path

import numpy as np
from PIL import Image

# folder -> (nouns that every tile in it gets, may the hue be rotated)
FOLDERS = {
    "mon/dragons": (["dragon"], False),
    "mon/animals": (["animal"], False),
    "mon/demons": (["demon"], False),
    "mon/eyes": (["eye"], False),
    "mon/undead/skeletons": (["skeleton"], False),
    "mon/amorphous": (["slime"], False),
    "item/ring": (["ring"], True),
    "item/amulet": (["amulet"], True),
    "item/potion": (["potion"], True),
    "item/food": (["food"], False),
    "item/book": (["book"], True),
    "item/scroll": (["scroll"], False),
    "item/staff": (["staff"], False),
    "item/gold": (["gold", "coins"], False),
    "item/armour/headgear": (["helmet"], False),
    "item/armour/shields": (["shield"], False),
    "item/weapon": (["weapon"], False),
    "dngn/altars": (["altar"], False),
    "dngn/statues": (["statue"], False),
    "dngn/trees": (["tree"], False),
    "dngn/doors": (["door"], False),
}
# a word in the file name that brings further words
IMPLIED = {
    "tiamat": ["dragon", "monster"], "hydra": ["dragon", "monster"], "longsword": ["sword"], "greatsword": ["sword"],
    "rapier": ["sword"], "scimitar": ["sword"], "falchion": ["sword"], "katana": ["sword"], "dagger": ["sword"],
    "shortbow": ["bow"], "longbow": ["bow"], "crossbow": ["bow"], "deck": ["cards"], "fountain": ["water"],
    "robe": ["clothes"], "cloak": ["clothes"], "boots": ["clothes"], "helm": ["helmet"], "cap": ["hat"],
    "zombie": ["undead"], "python": ["snake"], "adder": ["snake"], "anaconda": ["snake"], "mamba": ["snake"],
    "viper": ["snake"], "serpent": ["snake"], "moccasin": ["snake"], "wasp": ["bee"], "redback": ["spider"],
    "tarantella": ["spider"], "wolf": ["dog"], "hound": ["dog"], "jackal": ["dog"], "hog": ["pig"], "swine": ["pig"],
}
COLOURS = "red orange yellow green cyan blue purple pink brown white grey black".split()
SYNONYMS = {"gray": "grey", "magenta": "pink", "golden": "gold", "lightred": "red", "turquoise": "cyan", "armor": "armour",
            "necklace": "amulet", "bottle": "potion", "violet": "purple", "coin": "coins", "portal": "gateway",
            "gate": "door", "axe": "axe", "mushroom": "toadstool", "person": "human", "man": "human"}
JUNK = {"i", "unknown", "generic", "and", "the", "of", "misc", "art", "ego", "dngn", "urand", "water", "left", "right",
        "middle", "up", "down", "test", "inert", "melee", "used", "gone"}
SKIP = re.compile(r"^(i-|.*(unknown|label|test_|killer_klown|jiyva0[3-9]|jiyva1|makhleb_flame[4-8]|xom[3-7]|_water|"
                  r"gozag1|qazlal1|demonspawn|_gone|spectral_|_shell|deck_legend|_fetus))")
UNIQUE = re.compile(r"^(tiamat|lernaean_hydra0[1-5]|xtahua|serpent_of_hell|prince_ribbit|nellie|gastronok|royal_jelly)")


def words_of(path: str) -> list[str]:
    folder, stem = path.rsplit("/", 1)
    stem = stem.removesuffix(".png")
    words = [re.sub(r"\d+$", "", w) for w in re.split(r"[_\-]", stem.lower())]
    words = [SYNONYMS.get(w, w) for w in words]
    words = [w for w in words if len(w) > 1 and w not in JUNK and w.isalpha()]
    for w in list(words):
        words += IMPLIED.get(w, [])
    if stem.startswith("xtahua"):
        words += ["dragon", "monster"]
    return list(dict.fromkeys(FOLDERS[folder][0] + words))


def colour_of(rgba: np.ndarray) -> str:
    """The name of the colour that most of the opaque pixels' chroma has."""
    p = rgba[rgba[..., 3] > 127][:, :3].astype(float) / 255
    if len(p) == 0:
        return "grey"
    mx, mn = p.max(1), p.min(1)
    chroma = mx - mn
    lit = mx > 0.2
    if lit.sum() == 0 or chroma[lit].mean() < 0.14:
        v = mx.mean()
        return "white" if v > 0.7 else "black" if v < 0.28 else "grey"
    vote = dict.fromkeys(COLOURS, 0.0)
    for (r, g, b), c in zip(p, chroma):
        h, s, v = colorsys.rgb_to_hsv(r, g, b)
        d = h * 360
        if d < 15 or d >= 340:
            n = "red"
        elif d < 42:
            n = "orange" if v > 0.75 and s > 0.6 else "brown"
        elif d < 68:
            n = "yellow"
        elif d < 160:
            n = "green"
        elif d < 195:
            n = "cyan"
        elif d < 255:
            n = "blue"
        elif d < 300:
            n = "purple"
        else:
            n = "pink"
        vote[n] += c
    return max(vote, key=vote.get)


def rotate_hue(rgba: np.ndarray, degrees: int) -> np.ndarray:
    im = Image.fromarray(rgba[..., :3]).convert("HSV")
    hsv = np.array(im)
    hsv[..., 0] = (hsv[..., 0].astype(int) + degrees * 256 // 360) % 256
    return np.dstack([np.array(Image.fromarray(hsv, "HSV").convert("RGB")), rgba[..., 3]])


def main() -> None:
    args = argparse.ArgumentParser()
    args.add_argument("--tiles", type=Path, required=True, help="unpacked dcss-tiles-32x32")
    args.add_argument("--out", type=Path, required=True)
    a = args.parse_args()
    pictures, captions, groups = [], [], []
    for folder, (_, rotates) in FOLDERS.items():
        for file in sorted((a.tiles / folder).glob("*.png")):
            if SKIP.match(file.stem) or (folder == "mon/unique" and not UNIQUE.match(file.stem)):
                continue
            image = Image.open(file).convert("RGBA")
            if image.size != (32, 32):
                continue
            rgba = np.array(image)
            words = words_of(str(file.relative_to(a.tiles)))
            if not words:
                continue
            plain = [w for w in words if w not in COLOURS]
            for degrees in range(0, 360, 60) if rotates else (0,):
                turned = rgba if degrees == 0 else rotate_hue(rgba, degrees)
                colour = colour_of(turned)
                named = [w for w in words if w in COLOURS] if degrees == 0 else []
                rotated_names = plain if degrees == 0 else [w for w in plain if w in FOLDERS[folder][0] or w in IMPLIED]
                pictures.append(turned)
                captions.append([rotated_names or plain, named or [colour]])
                groups.append((words[0], 1.0 if degrees == 0 else 0.35))
    counts = {}
    for g, w in groups:
        counts[g] = counts.get(g, 0) + w
    weights = np.array([w * max(counts[g], 6) ** -0.5 for g, w in groups])
    vocabulary = sorted({w for c in captions for part in c for w in part} | set(COLOURS))
    np.savez_compressed(a.out, pictures=np.stack(pictures), weights=(weights / weights.sum()).astype(np.float32),
                        captions=json.dumps(captions), vocabulary=json.dumps(vocabulary))
    print(f"{len(pictures)} pictures, {len(vocabulary)} words")
    print({g: round(n, 1) for g, n in sorted(counts.items(), key=lambda x: -x[1])[:60]})


if __name__ == "__main__":
    main()
