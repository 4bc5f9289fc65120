/// How a family of models is asked for what is missing between two texts: marks of its vocabulary stand around them.
///
/// Bavarian et al. 2022, «Efficient Training of Language Models to Fill in the Middle».
struct FillInMiddle: Sendable {
    let prefix: String
    let suffix: String
    /// Before the answer; empty where the second text's end is its beginning.
    let middle: String
    /// Whether what comes behind stands first.
    var suffixFirst = false

    /// Qwen 2.5 Coder and CodeGemma; StarCoder and Granite; SantaCoder; Code Llama; DeepSeek Coder; Codestral; CodeGeeX 4.
    static let all = [
        FillInMiddle(prefix: "<|fim_prefix|>", suffix: "<|fim_suffix|>", middle: "<|fim_middle|>"),
        FillInMiddle(prefix: "<fim_prefix>", suffix: "<fim_suffix>", middle: "<fim_middle>"),
        FillInMiddle(prefix: "<fim-prefix>", suffix: "<fim-suffix>", middle: "<fim-middle>"),
        FillInMiddle(prefix: "▁<PRE>", suffix: "▁<SUF>", middle: "▁<MID>"),
        FillInMiddle(prefix: "<｜fim▁begin｜>", suffix: "<｜fim▁hole｜>", middle: "<｜fim▁end｜>"),
        FillInMiddle(prefix: "[PREFIX]", suffix: "[SUFFIX]", middle: "", suffixFirst: true),
        FillInMiddle(prefix: "<|code_prefix|>", suffix: "<|code_suffix|>", middle: "<|code_middle|>"),
    ]

    var marks: [String] { [prefix, suffix, middle].filter { !$0.isEmpty } }
}

extension Tokenizer {
    /// The ids that ask for what is missing between two texts.
    ///
    /// - Throws: `TokenizerError.unsupported` where the vocabulary has no marks for it.
    package func encodeAround(
        _ text: String, _ suffix: String, addSpecialTokens: Bool
    ) throws(TokenizerError) -> [Int32] {
        for form in FillInMiddle.all {
            let marks = form.marks.compactMap(id(of:))
            guard marks.count == form.marks.count else { continue }
            var (bytes, trusted): ([UInt8], [Range<Int>]) = ([], [])
            func add(mark: String) {
                let start = bytes.count
                bytes += mark.utf8
                if !mark.isEmpty { trusted.append(start..<bytes.count) }
            }
            let parts = [(form.prefix, text), (form.suffix, suffix)]
            for (mark, part) in form.suffixFirst ? parts.reversed() : parts {
                add(mark: mark)
                bytes += part.utf8
            }
            add(mark: form.middle)
            let ids = encode(bytes, trusted: trusted, guarded: Set(marks))
            // A piece of the vocabulary that is no token of its own is no mark.
            guard marks.allSatisfy({ mark in ids.count { $0 == mark } == 1 }) else { continue }
            return postProcessor.apply(ids, addSpecialTokens: addSpecialTokens).ids
        }
        throw TokenizerError(
            .unsupported, "its vocabulary has no tokens for filling in what stands before a suffix")
    }
}
