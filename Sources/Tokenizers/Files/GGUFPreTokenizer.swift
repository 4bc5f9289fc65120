/// What `tokenizer.ggml.pre` stands for: how a model of byte pairs cuts text, by the name that llama.cpp gave it.
struct GGUFPreTokenizer {
    let preTokenizer: PreTokenizer
    /// A word that is a token as a whole is not merged.
    var ignoresMerges = false
    /// Whether a begin token is put first when no key says otherwise.
    var addsBegin = false
    var normalizesToNFC = false
    /// Whether the vocabulary spells text as SentencePiece does, with ▁ for a space, rather than in GPT-2's alphabet.
    var escapesWhitespace = false
    /// Whether white space separates words and is no part of any; the vocabulary spells text as it is.
    var dropsWhitespace = false

    /// - Throws: `TokenizerError.unsupported` for a name that is not known here.
    init(_ name: String, path: String) throws(TokenizerError) {
        if name == Self.whitespace {
            preTokenizer = .splitAt(.space, .removed)
            dropsWhitespace = true
            return
        }
        guard let patterns = Self.patterns[name] else {
            throw TokenizerError(
                .unsupported,
                "\(path): \"tokenizer.ggml.pre\" is \"\(name)\", which is not supported; known are "
                    + Self.names.joined(separator: ", "))
        }
        // Each step cuts further what the ones before have left.
        var steps: [PreTokenizer] = []
        for pattern in patterns {
            steps.append(
                pattern == Self.digitGroups || pattern == Self.digitGroupsOfWords
                    ? .digitGroups(endWords: pattern == Self.digitGroupsOfWords)
                    : try PreTokenizer.cut(at: pattern))
        }
        escapesWhitespace = Self.escaping.contains(name)
        if !escapesWhitespace { steps.append(.byteLevel(addPrefixSpace: false, nil)) }
        preTokenizer = .sequence(steps)
        ignoresMerges = Self.ignoringMerges.contains(name)
        addsBegin = Self.addingBegin.contains(name)
        normalizesToNFC = Self.composing.contains(name)
    }

    static var names: [String] { (patterns.keys + [whitespace]).sorted() }

    private static let whitespace = "whitespace"

    private static let escaping: Set = ["gemma4", "granite-embed-multi-311m", "sarvam-moe"]
    private static let addingBegin: Set = [
        "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano",
        "llama4", "tekken", "chameleon", "gemma4", "granite-embed-multi-311m",
    ]
    private static let ignoringMerges: Set = [
        "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano",
        "minicpm5", "youtu", "llama4", "tekken", "granite-embed-multi-97m",
    ]
    /// Of these the original tokenizers compose characters first.
    private static let composing: Set = ["qwen2", "qwen35", "deepseek-r1-qwen", "kormo", "modern-bert", "f2llmv2"]

    // MARK: Expressions, in Oniguruma's terms

    static let digitGroupsOfWords = #"\d{1,3}(?=(?:\d{3})*\b)"#
    private static let digitGroups = "digits by three from the right"
    private static let contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    private static let cjk = "[一-龥぀-ゟ゠-ヿ]+"
    private static let spaces = #"\s*[\r\n]+|\s+(?!\S)|\s+"#
    private static let symbols = ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"##

    /// Llama 3's, with the number of digits that stay together.
    static func llama3(digits: String) -> String {
        contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"# + digits + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|"# + spaces
    }

    /// Words by upper and lower case, as tiktoken's o200k_base has them.
    private static func cased(suffix: String, digits: String, without: String = "") -> String {
        let upper = #"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}"# + without + "]"
        let lower = #"[\p{Ll}\p{Lm}\p{Lo}\p{M}"# + without + "]"
        let words = [upper + "*" + lower + "+", upper + "+" + lower + "*"].map {
            #"[^\r\n\p{L}\p{N}]?"# + $0 + suffix
        }
        let end = without.isEmpty ? #"[\r\n/]*"# : #"[\r\n]*"#
        return words.joined(separator: "|") + #"|\p{N}"# + digits + #"| ?[^\s\p{L}\p{N}]+"# + end + "|" + spaces
    }

    static let o200k = cased(suffix: contractions + "?", digits: "{1,3}")
    /// Mistral's, as its tokenizer.json has it.
    static let tekken = cased(suffix: "", digits: "")
    private static let deepSeek =
        symbols + #"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|"# + spaces
    /// Letters that have a case, in DeepSeek's first tokenizer.
    private static let casedLetters =
        #"A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}"#
        + #"\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c}"#
        + #"\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}"#
        + #"\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}"#
        + #"\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}"#
        + #"\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}"#
        + #"\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}"#
        + #"\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115}"#
        + #"\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}"#
        + #"\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}"#
        + #"\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f}"#
        + #"\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}"#
        + #"\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}"#
        + #"\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943}"#

    private static let patterns: [String: [String]] = {
        var all: [String: [String]] = [:]
        func add(_ names: String..., as patterns: String...) { for name in names { all[name] = patterns } }
        let gpt2 = PreTokenizer.gpt2Pattern
        add(
            "gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "jina-es", "jina-de",
            "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum", "modern-bert", "exaone4", "jina-v1-en",
            "jina-v2-code", "roberta-bpe", as: gpt2)
        add(
            "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano",
            "smaug-bpe", "dbrx", "glm4", "glm5", "chatglm-bpe", as: llama3(digits: "{1,3}"))
        add(
            "qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2",
            as: llama3(digits: ""))
        add(
            "qwen35",
            as: contractions + #"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|"# + spaces)
        add("ufakzeka", as: #"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"# + spaces)
        add("laguna", as: #"[^\n]+|[\n]+"#, llama3(digits: ""))
        add("minicpm5", as: #"\p{N}{1,3}"#, llama3(digits: "+"))
        add(
            "jais-2",
            as: contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"#
                + [512, 256, 128, 64, 32, 16, 8, 4].map { #"\s{\#($0)}(?!\S)|"# }.joined() + #"\s{1,2}(?!\S)|\s"#)
        add(
            "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2",
            as: #"\p{N}"#, gpt2)
        add("gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2", "granite-embed-multi-97m", as: o200k)
        add("tiny_aya", "cohere2moe", as: digitGroupsOfWords, o200k)
        add("tekken", as: tekken)
        add(
            "kimi-k2",
            as: #"[\p{Han}]+|"# + cased(suffix: contractions + "?", digits: "{1,3}", without: #"&&[^\p{Han}]"#))
        add("youtu", as: "[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|" + cjk, cased(suffix: contractions + "?", digits: ""))
        add("deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4", as: #"\p{N}{1,3}"#, cjk, deepSeek)
        add(
            "spark2_5", as: #"\p{N}{1,3}"#, cjk,
            symbols + #"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+"#, #"\p{N}"#)
        add(
            "deepseek-llm", as: #"[\r\n]"#, #"\s?["# + casedLetters + "]+", #"\s?[!-/:-~！-／：-～‘-‟　-。]+"#, #"\s+$"#,
            "[一-龥ࠀ-一가-퟿]+", #"\p{N}+"#)
        add("deepseek-coder", as: #"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, "[一-龥ࠀ-一가-퟿]+", #"\p{N}"#)
        add("falcon", as: #"[\p{P}\$\+<=>\^~\|`]+"#, gpt2, "[0-9][0-9][0-9]")
        add("default", as: #"[\p{P}\$\+<=>\^~\|]+"#, gpt2, #"\p{N}+"#, "[0-9][0-9][0-9]")
        add("poro-chat", "bloom", "gpt3-finnish", as: #" ?[^(\s|.,!?…。，、।۔،)]+"#)
        add("viking", as: #" ?[^(\s|.,!?…。，、।۔،)]+"#, #"\p{N}"#)
        add(
            "chameleon", as: "<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", #"([\t\n]|    |  )"#,
            #"\p{N}"#,
            #"[\p{P}!-/:-@\[-`{-~]"#, gpt2)
        add("superbpe", as: #"\p{N}+"#, digitGroups)
        add(
            "bailingmoe", "bailingmoe2", "llada-moe",
            as:
                #"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"#
        )
        add("seed-coder", as: contractions + #"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|"# + spaces)
        add(
            "exaone-moe",
            as: contractions + #"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?"#
                + #"|\s*[\r\n]|\s+(?!\S)|\s+"#)
        add(
            "afmoe", as: digitGroups, "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+", deepSeek)
        add("gemma4", "granite-embed-multi-311m", "sarvam-moe", as: #"[^\n]+|[\n]+"#)
        return all
    }()
}
