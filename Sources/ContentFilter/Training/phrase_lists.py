#!/usr/bin/env python3
"""Writes PhraseLists+Public.swift from two published lists.

    phrase_lists.py DIRECTORY ../PhraseLists+Public.swift

DIRECTORY holds surge-profanity/profanity_en.csv (surge-ai/profanity, MIT) and ldnoobw/en, ldnoobw/zh (LDNOOBW's List of
Dirty, Naughty, Obscene and Otherwise Bad Words, CC BY 4.0; changed here: words that people also use in earnest are
left out, the rest is put into categories with a score).
"""
import csv, re, sys
from collections import defaultdict
from pathlib import Path

# Words of medicine, zoology, names and everyday speech: a list cannot tell what they mean.
EARNEST = set("""
crow crows abbie 69 mong sheet forked finger sack dong bates swine sperm sphincter crotch cooties hustler tart weenie weiner
ramrod coot dipstick hooters spanking peen caca diddle diks prick pricks clitoris pedophile paedophile pedophl pedos pedoz pedo
molester masturbate masturbating neonazi dvda bater rimming scissoring throating shrimping knobbing strappado g-spot titty
dominatrix zoophilia bestiality dix azz bastardish dolt scummy dafuq mfs feltch spooge nobs puzzy shat 淫秽 kkk bender hoar nonce slit bastinado flamer flamers feg mongrel nicker nickers queers wop transvestite bareback domination escort hooker suck sucks scat snatch spunk butt nude nudity sexual sexually sexuality
vagina penis breast breasts rectum semen genitals intercourse incest rape raping rapist bondage playboy twink twinkie twinkies
anal anus fecal eunuch erotic erotism ejaculation orgasm orgy masturbation sadism sodomy voyeur vulva nipple nipples panties
panty topless threesome swinger undressing vibrator viagra cialis swastika negro poof poon spastic tosser cock cocks dick
beaver bastard bastards bimbos birdlock lolita santorum feck hardcore horny hell damn god damn goddamn crap slope
tongue in a taste my tied up big black girl on xx tight white huge fat grope date rape how to kill how to murder honkey
lovemaking humping make me come jelly donut hot chick kinky busty smut tainted love tushy mound of venus leather restraint
leather straight jacket style doggy skeet shota slut snowballing splooge prince albert piercing octopussy alaskan pipeline
alabama hot pocket yaoi ecchi domina dommes figging fingering fisting pegging pubes quim sex sexo sexy xxx porn porno
pornography bitch bitches queer gay lesbian homo dyke fairy fruit queen trans ho hoe hoes pimp puss pussy cats monkey ape
apes banana gypsy gyp oriental redskin spook chink nip nips gook jap japs jew jews coon coons cracker crackers guido gringo
boy girl balls ball nuts nut wood woody bone boner knob knobs tool weed meth crack heroin lsd thug thugs bugger sod git prat
tramp skank pussycat ass asses arse tit tits boob boobs booty bum bums butts rear willy wang johnson peter rod hump hole
kill murder blonde action brunette action white power blue waffle lemon party suicide girls barely legal strip club group sex
oral sex gay sex phone sex sexcam livesex nsfw nsfw images virgin retard retarded dumb stupid idiot moron fool loser ugly
fat pig pigs cow dog cums cum cumming s&m thot bbw bdsm milf nympho femdom hentai futanari camgirl dildo kinkster shibari
jigger paki paddy mick pom frog kraut limey yank yankee yid wog chav redneck hillbilly bogan carpet cherry clap pearl
necklace rusty pole snowball teabag squirt squirting swallow blow job hand stroke tug wank felcher rim job mad cow
13. 13点 乳 交配 九游 卵 卵子 处女 奶 外阴 奸 妓 性 性爱 成人 激情 祖宗 精子 老二 老母 私服 笨蛋 月经 白痴 白癡 包皮 性器 花柳
阳萎 阴道 阴部 阴茎 陰莖 乳房 乳头 小乳头 屁股 撒尿 情色 色情 放荡 懒教 懒叫 懒8 懒八 刚度 刚瘪三 吹箫 尻 鳩 柒 撚 爛 賤 幹 鸡鸡
小鸡鸡 靠背 妈的 逼 处女 性交 肛交 口交 性无能 妓女 妓院 军妓 嫖娼 嫖客 卖淫 强奸 轮奸 鸡奸 迷药 姘头 野鸡 三级片 妈妈的 玉杵 十三点 他娘 他妈
你妈 你娘 你全家 你奶奶 你是鸡 你是鸭 后庭 精子 射你 插你 老味 叫床 扒光 逼样 口肯 密洞 巨乳 鬼公 肥西 贝肉 粉腸 笨實 屎忽 老瘪三 小瘪三
瘪三 狗屁 白烂 下三烂 阴毛 阴唇 阴户 阴核 龟头 射精 做爱 性交
""".split())
PHRASES = {"god damn", "what the fuck", "tongue in a", "taste my", "tied up", "big black", "girl on", "tight white", "huge fat", "date rape",
           "how to kill", "how to murder", "make me come", "jelly donut", "hot chick", "tainted love", "mound of venus",
           "leather restraint", "leather straight jacket", "style doggy", "prince albert piercing", "alaskan pipeline",
           "alabama hot pocket", "blonde action", "brunette action", "white power", "lemon party", "suicide girls",
           "barely legal", "strip club", "group sex", "oral sex", "gay sex", "phone sex", "nsfw images", "blow job",
           "hand job", "mad cow", "hard core", "girl on top", "missionary position", "wet dream", "girls gone wild",
           "spread legs", "loose woman", "bell end", "beaver cleaver", "double dong", "mr hands", "pearl necklace"}
SWEARING = re.compile(r"f+[u*@o0e]+c*[kc]|fck|fuk|sh[i1!*]t|5h1t|crap|damn|arse|ass(?!ault)|bollo|bugger|piss|d[i1!*]ck|pric|cunt|c[o0]ck|twat|wank|douche|f[cvx]+[uk]|phv?u?[ck]|mf|mofo|m0f|fuq|fux|fk|w4nk|kn[o0]b|n[o0]b|stfu|tw@t|futh|fugg|fack|ffing|f.ed|c.nt|moth|dikh|ol licker|cawk|sausage|b[i1!*]tch", re.I)
CHINESE_ABUSE = re.compile("[你妳您]|全家|祖宗|冚|咸家|狗|贱|杂种|王八|婊|畜")
CHINESE_SEX = re.compile("淫|乳|肉[棒缝壁棍]|浪叫|荡|鸡巴|鸡[吧八芭叭8]|雞巴|精|阴|插|龟头|肛|巨|骚货|奶子|卵[泡蛋]")


def english(row):
    text, group, severity = row["text"], row["category_1"], float(row["severity_rating"])
    slur = {"racial / ethnic slurs", "political"}
    if group in slur:
        return ("hate", min(0.95, 0.35 + severity * 0.2)) if severity >= 2 else None
    if group == "religious offense":
        return ("hate", 0.8) if severity >= 2.2 and not SWEARING.search(text) else ("profanity", 0.4)
    if group == "sexual orientation / gender":
        if re.search(r"f[a4@]+g|dyke|tran+[yi]|shemale|lesbo|homo|b[a4]tty ?boy|queer", text, re.I):
            return ("hate", min(0.95, 0.35 + severity * 0.2))
        return ("harassment", min(0.7, 0.25 + severity * 0.15))
    if group in {"mental disability", "physical disability", "physical attributes", "other / general insult"}:
        return ("harassment", min(0.8, 0.3 + severity * 0.17)) if severity >= 1.4 else ("profanity", 0.4)
    if group == "sexual anatomy / sexual acts" and severity >= 1.6 and not SWEARING.search(text):
        return ("sexual", min(0.9, 0.3 + severity * 0.2))
    return ("profanity", min(0.9, 0.3 + severity * 0.2))


def main():
    root = Path(sys.argv[1])
    found = {}

    def put(text, category, score):
        text = text.strip().lower()
        if text in EARNEST or text in PHRASES or not re.search(r"[^\W\d_]{2}|[\u3400-\u9fff\U00020000-\U0002ffff]", text):
            return
        if text.isascii() and len(text) < 3 or re.search(r'[,"{}|\\]', text):
            return
        found.setdefault(text, (category, round(score, 1)))

    with open(root / "surge-profanity/profanity_en.csv", newline="") as file:
        for row in csv.DictReader(file):
            if verdict := english(row):
                put(row["text"], *verdict)
    for line in (root / "ldnoobw/en").read_text().splitlines():
        put(line, *(("profanity", 0.6) if SWEARING.search(line) else ("sexual", 0.6)))
    for line in (root / "ldnoobw/zh").read_text().splitlines():
        if CHINESE_SEX.search(line):
            put(line, "sexual", 0.7)
        elif CHINESE_ABUSE.search(line):
            put(line, "harassment", 0.7)
        else:
            put(line, "profanity", 0.6)
    groups = defaultdict(list)
    for text, (category, score) in found.items():
        groups[(category, score)].append(text)
    lines = []
    for (category, score), texts in sorted(groups.items()):
        line = f"        {category} {score}:"
        for text in sorted(texts):
            if len(line) + len(text) > 117:
                lines.append(line.rstrip(","))
                line = f"        {category} {score}:"
            line += f" {text},"
        lines.append(line.rstrip(","))
    body = "\n".join(lines)
    Path(sys.argv[2]).write_text(f'''// Written by Training/phrase_lists.py from surge-ai/profanity (MIT) and LDNOOBW's list (CC BY 4.0).

extension PhraseLists {{
    /// Swearing, slurs and sexual words.
    static let published = #"""
{body}
        """#
}}
''')
    print(len(found), "phrases,", len(lines), "lines")


if __name__ == "__main__":
    main()
