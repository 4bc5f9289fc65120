extension TokenizerDefinition {
    /// Hugging Face's `tokenizer.json` with a BPE model. What is not known here is refused by name; `truncation` and
    /// `padding` are passed over, as transformers does where a call asks for neither.
    init(tokenizerJSON json: JSONValue, in directory: String) throws(TokenizerError) {
        self.init()
        do {
            try read(json, directory)
        } catch {
            let message = error.message
            throw TokenizerError(error.code, message.hasPrefix("tokenizer.json") ? "\(directory)/\(message)" : message)
        }
    }

    private mutating func read(_ json: JSONValue, _ directory: String) throws(TokenizerError) {
        let place = "tokenizer.json"
        let top = try JSONFields(
            json, place,
            known: [
                "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor",
                "decoder", "model",
            ])
        let model = try model(top)
        normalizer = try Normalizer(top["normalizer"])
        preTokenizer = try PreTokenizer(top["pre_tokenizer"])
        decoder = try TokenDecoder(top["decoder"])
        try read(model, directory)
        for token in try top.array("added_tokens") {
            try add(token, id: token["id"]?.int, place: "\(place): added_tokens")
        }
        let post = try PostProcessor(top["post_processor"])
        if post.isGiven {
            let known = Int32(clamping: vocabulary.count)
            guard (post.prefix + post.suffix).allSatisfy({ (0..<known).contains($0) }) else {
                throw TokenizerError(
                    .malformed, "\(place): post_processor names an id outside the vocabulary of \(known)")
            }
            affixes = (post.prefix, post.suffix)
        }
    }

    private func model(_ top: JSONFields) throws(TokenizerError) -> JSONFields {
        guard let model = top["model"] else { throw TokenizerError(.malformed, "tokenizer.json has no \"model\"") }
        let kind = model["type"]?.text ?? (model["merges"] == nil ? "?" : "BPE")
        guard kind == "BPE" else {
            throw TokenizerError(.unsupported, "tokenizer.json: model \"\(kind)\" is not supported, only BPE")
        }
        return try JSONFields(
            model, "tokenizer.json: model",
            known: [
                "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
                "byte_fallback", "ignore_merges", "vocab", "merges",
            ])
    }

    private mutating func read(_ model: JSONFields, _ directory: String) throws(TokenizerError) {
        if case .number(let dropout)? = model["dropout"], dropout != 0 {
            throw TokenizerError(.unsupported, "\(model.place): \"dropout\" is \(dropout): ids would be random")
        }
        continuingPrefix = try model.bytes("continuing_subword_prefix") ?? []
        wordSuffix = try model.bytes("end_of_word_suffix") ?? []
        fusesUnknown = try model.bool("fuse_unk", false)
        ignoresMerges = try model.bool("ignore_merges", false)
        try addVocabulary(
            try model.required("vocab", model["vocab"]), isByteLevel: preTokenizer.isByteLevel, in: directory)
        var pairs: [([UInt8], [UInt8])] = []
        for merge in try model.array("merges") {
            if let parts = merge.array, parts.count == 2, let left = parts[0].bytes, let right = parts[1].bytes {
                pairs.append((left, right))
            } else if let line = merge.bytes, let space = line.firstIndex(of: 0x20) {
                pairs.append((Array(line[..<space]), Array(line[(space + 1)...])))
            } else {
                throw TokenizerError(.malformed, "\(model.place): a merge is not a pair")
            }
        }
        try addMerges(pairs, in: directory)
        if try model.bool("byte_fallback", false) { addByteFallback() }
        unknownID = try model.bytes("unk_token").flatMap { vocabulary.idOfPiece[$0] }
    }
}
