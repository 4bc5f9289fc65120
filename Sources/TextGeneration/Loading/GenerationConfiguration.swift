import Foundation
import TextModels
import Tokenizers

/// What `generation_config.json` says of how text is generated.
struct GenerationConfiguration: Sendable {
    /// What requests that say nothing get.
    var defaults = LoadedModel.SamplingDefaults()
    /// The tokens that end a text.
    var endTokens: Set<Int32>
    /// Tokens that are never chosen (Gemma 4's marks of pictures and sounds).
    var suppressedTokens: Set<Int32> = []

    /// - Throws: `TextModelError` that names the file and the field: one that cannot be, or that would change what is
    ///   generated and is not computed.
    init(directory: String, tokenizer: Tokenizer) throws(TextModelError) {
        endTokens = Set([tokenizer.endOfText].compactMap { $0 })
        // generation_config.json says what ends a text, else config.json, else the tokenizer.
        for name in ["generation_config.json", "config.json"] {
            guard let ids = try Self.file(directory + "/" + name)?.tokens("eos_token_id") else { continue }
            endTokens = Set(ids)
            break
        }
        let path = directory + "/generation_config.json"
        guard let file = try Self.file(path) else { return }
        defaults = LoadedModel.SamplingDefaults(
            temperature: try file.number("temperature").map { Float($0) }, topK: try file.integer("top_k"),
            topP: try file.number("top_p").map { Float($0) }, minP: try file.number("min_p").map { Float($0) },
            repetitionPenalty: try file.number("repetition_penalty").map { Float($0) })
        do {
            // What a request may not ask for, a checkpoint may not either.
            _ = try SamplingParameters(
                temperature: defaults.temperature ?? 1, topK: defaults.topK ?? 0, topP: defaults.topP ?? 1,
                minP: defaults.minP ?? 0, repetitionPenalty: defaults.repetitionPenalty ?? 1, seed: 0)
        } catch {
            throw TextModelError(.invalidCheckpoint, "\(path): \(error.message)")
        }
        suppressedTokens = Set(try file.tokens("suppress_tokens") ?? [])
        let active = Self.idle.first { !file.isOff($0.name) && file.doubleValue($0.name) != $0.value }
        if let active { throw Self.refusal(file, active.name) }
        if let name = Self.absent.first(where: { !file.isOff($0) }) { throw Self.refusal(file, name) }
    }

    private static func file(_ path: String) throws(TextModelError) -> ConfigurationFile? {
        FileManager.default.fileExists(atPath: path) ? try ConfigurationFile(path: path) : nil
    }

    private static func refusal(_ file: ConfigurationFile, _ name: String) -> TextModelError {
        file.refusal(
            name, "changes what is generated and is not supported; take it out of the file", .unsupported)
    }

    /// Fields that would change what is generated, each with the value with which it does nothing.
    private static let idle: [(name: String, value: Double)] = [
        ("num_beams", 1), ("num_beam_groups", 1), ("diversity_penalty", 0), ("penalty_alpha", 0), ("typical_p", 1),
        ("epsilon_cutoff", 0), ("eta_cutoff", 0), ("top_h", 0), ("encoder_repetition_penalty", 1),
        ("no_repeat_ngram_size", 0), ("encoder_no_repeat_ngram_size", 0), ("guidance_scale", 1), ("min_length", 0),
        ("min_new_tokens", 0),
    ]
    /// The same for lists and objects, which do nothing when they are empty.
    private static let absent = [
        "bad_words_ids", "force_words_ids", "constraints", "sequence_bias", "begin_suppress_tokens",
        "forced_bos_token_id", "forced_eos_token_id", "exponential_decay_length_penalty", "watermarking_config",
        "stop_strings", "dola_layers",
    ]
}
