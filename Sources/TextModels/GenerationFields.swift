import Foundation
import Tokenizers

/// Fields of `generation_config.json` that would change what is generated and that nothing here computes.
enum GenerationFields {
    /// What each of them is where it does nothing.
    private static let idle: [String: Double] = [
        "num_beams": 1, "num_beam_groups": 1, "diversity_penalty": 0, "penalty_alpha": 0, "typical_p": 1,
        "epsilon_cutoff": 0, "eta_cutoff": 0, "top_h": 0, "encoder_repetition_penalty": 1, "no_repeat_ngram_size": 0,
        "encoder_no_repeat_ngram_size": 0, "guidance_scale": 1, "min_length": 0, "min_new_tokens": 0,
    ]
    /// Those that are lists or objects.
    private static let absent = [
        "bad_words_ids", "force_words_ids", "constraints", "sequence_bias", "suppress_tokens", "begin_suppress_tokens",
        "forced_bos_token_id", "forced_eos_token_id", "exponential_decay_length_penalty", "watermarking_config",
        "stop_strings", "dola_layers",
    ]

    /// - Throws: `TextModelError.unsupported` that names the file and the field.
    static func refuse(_ path: String) throws(TextModelError) {
        guard let data = FileManager.default.contents(atPath: path),
            let json = try? JSONParser.parse(Array(PythonNumbers.quoted(data)))
        else { return }
        for (name, standard) in idle {
            guard let value = json[name], !value.isNull else { continue }
            if case .number(let number) = value, number == standard { continue }
            throw refusal(path, name)
        }
        for name in absent {
            switch json[name] {
            case nil, .null: continue
            case .array(let values) where values.isEmpty: continue
            case .object(let members) where members.isEmpty: continue
            default: throw refusal(path, name)
            }
        }
    }

    private static func refusal(_ path: String, _ name: String) -> TextModelError {
        TextModelError(
            .unsupported, "\(path): \"\(name)\" changes what is generated and is not supported; take it out of the file"
        )
    }
}
