import PromptRouting

extension ChatCompletionRequest {
    /// What the user said last.
    var lastUserText: String { messages.last { $0.role == "user" }?.content ?? "" }

    var routing: RoutingRequest {
        RoutingRequest(
            kind: .chat, model: parameters.model, text: lastUserText,
            length: messages.reduce(0) { $0 + $1.content.unicodeScalars.count }, user: parameters.user)
    }
}

extension CompletionRequest {
    var routing: RoutingRequest {
        let texts = prompts.map { if case .text(let text) = $0 { text } else { "" } }
        return RoutingRequest(
            kind: .completion, model: parameters.model, text: texts.first ?? "",
            length: texts.reduce(0) { $0 + $1.unicodeScalars.count }, user: parameters.user)
    }
}

extension EmbeddingRequest {
    var routing: RoutingRequest {
        var (text, length) = ("", 0)
        for input in inputs.prompts {
            switch input {
            case .text(let own):
                if text.isEmpty { text = own }
                length += own.unicodeScalars.count
            // A token is four letters or so.
            case .tokens(let ids): length += 4 * ids.count
            }
        }
        return RoutingRequest(kind: .embedding, model: model, text: text, length: length, user: user)
    }
}

extension ImageGenerationRequest {
    /// - Parameter model: the one that is meant where the request names none.
    func routing(default model: String) -> RoutingRequest {
        RoutingRequest(kind: .image, model: self.model ?? model, text: prompt, user: user)
    }
}

extension String {
    /// Text in which pictures that a chat answered with are no longer than their names: a model that writes cannot see them,
    /// and clients send them back with every turn.
    var withoutPictures: String {
        // Most texts have no link at all.
        guard utf8.contains(UInt8(ascii: "]")) else { return self }
        var result = ""
        var rest = self[...]
        while let open = rest.firstRange(of: "](data:image/"), let close = rest[open.upperBound...].firstIndex(of: ")")
        {
            result += rest[..<open.lowerBound] + "]"
            rest = rest[rest.index(after: close)...]
        }
        return result + rest
    }
}
