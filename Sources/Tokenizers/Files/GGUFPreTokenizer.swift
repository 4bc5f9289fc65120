/// What `tokenizer.ggml.pre` stands for: how a byte-level model cuts text, by the name that llama.cpp gave it.
struct GGUFPreTokenizer {
    let preTokenizer: PreTokenizer
    /// A word that is a token as a whole is not merged.
    var ignoresMerges = false
    /// Whether a begin token is put first when no key says otherwise.
    var addsBegin = false
    var normalizesToNFC = false

    /// Llama 3's, with the number of digits that stay together.
    private static func llama3(digits: String) -> String {
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"# + digits
            + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
    }

    /// tiktoken's o200k_base: words by upper and lower case.
    private static let o200k =
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#
        + #"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"#
        + #"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    /// Mistral's tekken, as its tokenizer.json has it.
    private static let tekken =
        #"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"#
        + #"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"#
        + #"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

    /// - Throws: `TokenizerError.unsupported` for a name that is not known here.
    init(_ name: String, path: String) throws(TokenizerError) {
        switch name {
        case "gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling":
            preTokenizer = try Self.words(PreTokenizer.gpt2Pattern)
        case "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2":
            preTokenizer = try Self.words(Self.llama3(digits: "{1,3}"))
            (ignoresMerges, addsBegin) = (true, true)
        case "smaug-bpe", "dbrx":
            preTokenizer = try Self.words(Self.llama3(digits: "{1,3}"))
        case "qwen2", "deepseek-r1-qwen", "kormo", "stablelm2":
            preTokenizer = try Self.words(Self.llama3(digits: ""))
            normalizesToNFC = name != "stablelm2"
        case "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b":
            preTokenizer = try Self.words(#"\p{N}"#, PreTokenizer.gpt2Pattern)
        case "gpt-4o", "llama4":
            preTokenizer = try Self.words(Self.o200k)
            (ignoresMerges, addsBegin) = (name == "llama4", name == "llama4")
        case "tekken":
            preTokenizer = try Self.words(Self.tekken)
            (ignoresMerges, addsBegin) = (true, true)
        case "default":
            preTokenizer = try Self.words(
                #"[\p{P}\$\+<=>\^~\|]+"#, PreTokenizer.gpt2Pattern, #"\p{N}+"#, #"[0-9][0-9][0-9]"#)
        default:
            throw TokenizerError(
                .unsupported,
                "\(path): \"tokenizer.ggml.pre\" is \"\(name)\", which is not supported; known are among others: "
                    + "default, gpt-2, gpt-4o, llama-bpe, qwen2, smollm, starcoder, tekken")
        }
    }

    /// Each pattern cuts further what the ones before have left.
    private static func words(_ patterns: String...) throws(TokenizerError) -> PreTokenizer {
        var steps: [PreTokenizer] = []
        for pattern in patterns {
            steps.append(.split(try PreTokenizer.compile(pattern), .isolated, inverted: false))
        }
        return .sequence(steps + [.byteLevel(addPrefixSpace: false, nil)])
    }
}
