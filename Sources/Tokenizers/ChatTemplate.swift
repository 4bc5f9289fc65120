/// One message of a conversation.
package struct ChatMessage: Sendable, Hashable {
    package var role: String
    package var content: String

    package init(role: String, content: String) {
        self.role = role
        self.content = content
    }
}

/// A checkpoint's chat template: the part of Jinja that simple templates use (`for`, `if`, `set`, expressions,
/// the filters `trim`, `upper`, `lower`, `length`, and `raise_exception`).
///
/// What a template writes is trusted to hold control tokens; what a user wrote is not, whatever it looks like.
package struct ChatTemplate: Sendable {
    /// Text, and which byte ranges of it come from the template itself.
    package struct Rendering: Sendable {
        package var bytes: [UInt8] = []
        package var trusted: [Range<Int>] = []

        package var text: String { String(decoding: bytes, as: UTF8.self) }

        mutating func append(_ text: TemplateText) {
            for segment in text.segments where !segment.bytes.isEmpty {
                let range = bytes.count..<bytes.count + segment.bytes.count
                bytes.append(contentsOf: segment.bytes)
                guard segment.isTrusted else { continue }
                if let last = trusted.last, last.upperBound == range.lowerBound {
                    trusted[trusted.count - 1] = last.lowerBound..<range.upperBound
                } else {
                    trusted.append(range)
                }
            }
        }
    }

    package let source: String
    private let nodes: [TemplateNode]
    private let variables: [String: String]

    /// - Parameter variables: strings that the template may name, such as `bos_token`.
    /// - Throws: `TokenizerError.unsupported` for what is beyond this subset of Jinja.
    package init(_ source: String, variables: [String: String]) throws(TokenizerError) {
        self.source = source
        self.variables = variables
        nodes = try TemplateParser.parse(source)
    }

    /// - Throws: `TokenizerError.invalidRequest` with the template's own words when it refuses the messages.
    package func render(
        _ messages: [ChatMessage], addGenerationPrompt: Bool
    ) throws(TokenizerError) -> Rendering {
        let list = messages.map { message in
            TemplateValue.object([
                "role": .text(TemplateText(message.role, isTrusted: true)),
                "content": .text(TemplateText(message.content, isTrusted: false)),
            ])
        }
        var evaluator = TemplateEvaluator(scope: variables.mapValues { .text(TemplateText($0, isTrusted: true)) })
        evaluator.scope["messages"] = .list(list)
        evaluator.scope["add_generation_prompt"] = .bool(addGenerationPrompt)
        try evaluator.run(nodes)
        return evaluator.output
    }
}

extension Tokenizer {
    /// The ids of a conversation in the checkpoint's own template. Without a template, messages follow each other
    /// as plain lines.
    ///
    /// - Throws: `TokenizerError.invalidRequest` when the template refuses the messages.
    package func renderChat(
        _ messages: [ChatMessage], addGenerationPrompt: Bool = true
    ) throws(TokenizerError) -> [Int32] {
        guard let chatTemplate else {
            let lines = messages.map { $0.content }.joined(separator: "\n")
            return encode(addGenerationPrompt && !lines.isEmpty ? lines + "\n" : lines, addSpecialTokens: true)
        }
        let rendering = try chatTemplate.render(messages, addGenerationPrompt: addGenerationPrompt)
        return encode(rendering.bytes, trusted: rendering.trusted)
    }
}
