import JSON
import Tokenizers

/// JSON Lines with what TRL's trainers take.
package struct SampleFile {
    /// What the data is for.
    package enum Method: String, Sendable, CaseIterable, Codable {
        /// Answers to be learned: `messages`, or `prompt` and `completion`.
        case sft
        /// Direct preference optimization (arXiv 2305.18290): `prompt`, `chosen`, `rejected`.
        case dpo
        /// Kahneman-Tversky optimization (arXiv 2402.01306): `prompt`, `completion`, `label`.
        case kto
    }

    /// What becomes of samples that are longer than they may be.
    package enum LongSamples: String, Sendable, CaseIterable, Codable {
        case refuse, cut, drop
    }

    package let samples: [TrainingSample]
    /// Lines that were left out for their length.
    package let dropped: Int

    /// - Parameter maxLength: tokens that a text may have, its end included.
    /// - Throws: `TrainingError.invalidData` that names the file and the lines at fault.
    package init(
        path: String, for method: Method, _ encoder: SampleEncoder, maxLength: Int, long: LongSamples
    ) throws(TrainingError) {
        var samples: [TrainingSample] = [], dropped = 0
        try JSONLines.read(path) { object, number throws(SampleEncoder.Fault) in
            let sample = try Self.sample(object, number, method, encoder)
            let longest = sample.texts.map(\.ids.count).max() ?? 0
            guard longest > maxLength else { return samples.append(sample) }
            switch long {
            case .refuse:
                throw SampleEncoder.Fault(
                    "the sample has \(longest) tokens, more than --max-length \(maxLength); --long-samples cut or drop "
                        + "says what to do with such")
            case .drop: dropped += 1
            case .cut:
                let cut = sample.mapped { $0.cut(to: maxLength) }
                guard cut.texts.allSatisfy({ $0.answerCount > 0 }) else {
                    throw SampleEncoder.Fault(
                        "nothing of the answer is within the \(maxLength) tokens that a sample may have; leave the sample "
                            + "out, as --long-samples drop does"
                    )
                }
                samples.append(cut)
            }
        }
        guard !samples.isEmpty else {
            throw TrainingError(
                .invalidData,
                dropped > 0
                    ? "\(path): all \(dropped) samples are longer than --max-length \(maxLength)"
                    : "\(path) holds no samples")
        }
        (self.samples, self.dropped) = (samples, dropped)
    }

    private static func sample(
        _ object: JSONObject, _ number: Int, _ method: Method, _ encoder: SampleEncoder
    ) throws(SampleEncoder.Fault) -> TrainingSample {
        let fields = SampleFields(object), context = try fields.context()
        switch method {
        case .sft:
            if object["messages"] != nil {
                let text = try encoder.conversation(try fields.messages("messages"), context)
                return TrainingSample(line: number, content: .text(text))
            }
            let texts = try encoder.completions(
                of: try fields.passage("prompt"), [("completion", try fields.passage("completion"))], context)
            return TrainingSample(line: number, content: .text(texts[0]))
        case .dpo:
            if object["preferred_output"] != nil { return try fields.preference(number, encoder) }
            let completions = [
                ("chosen", try fields.passage("chosen")), ("rejected", try fields.passage("rejected")),
            ]
            let texts = try encoder.completions(of: try fields.passage("prompt"), completions, context)
            return TrainingSample(line: number, content: .preference(chosen: texts[0], rejected: texts[1]))
        case .kto:
            let texts = try encoder.completions(
                of: try fields.passage("prompt"), [("completion", try fields.passage("completion"))], context)
            return TrainingSample(
                line: number, content: .judgement(texts[0], isDesirable: try fields.flag("label")))
        }
    }
}

/// The fields of a line.
struct SampleFields {
    typealias Fault = SampleEncoder.Fault
    private let object: JSONObject

    init(_ object: JSONObject) { self.object = object }

    private func value(_ name: String) throws(Fault) -> JSON.JSONValue {
        guard let value = object[name] else {
            let present = object.members.map { "\"\($0.key.prefix(40))\"" }.prefix(8).joined(separator: ", ")
            throw Fault("has no \"\(name)\"; it has \(present.isEmpty ? "nothing" : present)")
        }
        return value
    }

    func flag(_ name: String) throws(Fault) -> Bool {
        let value = try value(name)
        guard case .bool(let flag) = value else { throw Fault("\"\(name)\" must be true or false, not \(value.kind)") }
        return flag
    }

    func text(_ name: String) throws(Fault) -> String {
        let value = try value(name)
        guard let text = value.text else { throw Fault("\"\(name)\" must be a text, not \(value.kind)") }
        return text
    }

    func passage(_ name: String) throws(Fault) -> SampleEncoder.Passage {
        let value = try value(name)
        if let text = value.text { return .text(text) }
        guard value.elements != nil else {
            throw Fault("\"\(name)\" must be a text or a list of messages, not \(value.kind)")
        }
        return .messages(try messages(name))
    }

    func messages(_ name: String) throws(Fault) -> [ChatMessage] {
        let value = try value(name)
        guard let elements = value.elements else { throw Fault("\"\(name)\" must be a list, not \(value.kind)") }
        var messages: [ChatMessage] = []
        for (index, element) in elements.enumerated() {
            guard case .object(let message) = element, let role = message["role"]?.text else {
                throw Fault("\"\(name)[\(index)]\" must be an object with a \"role\"")
            }
            let content: ChatMessage.Content?
            switch message["content"] {
            case .string(let text): content = .text(text)
            case .array(let parts): content = .parts(parts)
            case .null, nil: content = nil
            case .some(let other): throw Fault("\"\(name)[\(index)].content\" must be a text, not \(other.kind)")
            }
            try checkWeight(of: message, "\(name)[\(index)]")
            let rest = message.members.filter { $0.key != "role" && $0.key != "content" }
            messages.append(ChatMessage(role: role, content: content, members: JSONObject(rest)))
        }
        return messages
    }

    /// OpenAI's `weight`: whether an assistant's turn of `messages` is learned.
    private func checkWeight(of message: JSONObject, _ place: String) throws(Fault) {
        guard let weight = message["weight"], !weight.isNull else { return }
        guard case .number(let number) = weight, number.double == 0 || number.double == 1 else {
            throw Fault("\"\(place).weight\" must be 0 or 1")
        }
        guard message["role"]?.text == "assistant", place.hasPrefix("messages[") else {
            throw Fault("\"\(place).weight\" is of assistants' turns in \"messages\"; leave it out elsewhere")
        }
    }

    /// OpenAI's form of a preference: `input` with `messages` and `tools`, `preferred_output`, `non_preferred_output`.
    func preference(_ number: Int, _ encoder: SampleEncoder) throws(Fault) -> TrainingSample {
        guard case .object(let input)? = object["input"] else {
            throw Fault("has no \"input\", the object with the prompt's \"messages\"")
        }
        let prompt = SampleFields(input)
        let completions: [(String, SampleEncoder.Passage)] = [
            ("preferred_output", .messages(try messages("preferred_output"))),
            ("non_preferred_output", .messages(try messages("non_preferred_output"))),
        ]
        let texts = try encoder.completions(
            of: .messages(try prompt.messages("messages")), completions, try prompt.context())
        return TrainingSample(line: number, content: .preference(chosen: texts[0], rejected: texts[1]))
    }

    /// `tools`, as a list or as one written as a text, and `chat_template_kwargs`.
    func context() throws(Fault) -> SampleEncoder.Context {
        var context = SampleEncoder.Context()
        switch object["tools"] {
        case .array(let tools): context.tools = tools
        case .string(let text):
            guard let tools = (try? JSONParser.parse(Array(text.utf8)))?.elements else {
                throw Fault("\"tools\" is a text that is no JSON list")
            }
            context.tools = tools
        case .null, nil: break
        case .some(let other): throw Fault("\"tools\" must be a list, not \(other.kind)")
        }
        switch object["chat_template_kwargs"] {
        case .object(let variables): context.variables = variables
        case .null, nil: break
        case .some(let other): throw Fault("\"chat_template_kwargs\" must be an object, not \(other.kind)")
        }
        return context
    }
}
