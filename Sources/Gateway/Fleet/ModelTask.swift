import Messages

/// What a text model may be asked for.
enum ModelTask: String, Sendable {
    case generate, embed, score

    fileprivate var route: String {
        switch self {
        case .generate: "/v1/chat/completions"
        case .embed: "/v1/embeddings"
        case .score: "/v1/rerank"
        }
    }
}

extension ModelDescription {
    /// Whether the model does one of these; one that does not say does whatever it is asked for.
    func does(_ tasks: Set<ModelTask>) -> Bool {
        self.tasks.isEmpty || self.tasks.contains { ModelTask(rawValue: $0).map(tasks.contains) ?? false }
    }

    func does(_ task: ModelTask) -> Bool { does([task]) }

    /// - Throws: `APIError` that says what the model does, where it is none of these.
    func require(_ tasks: Set<ModelTask>) throws {
        guard modality == "text", !does(tasks) else { return }
        let own = self.tasks.compactMap(ModelTask.init)
        let places = own.map { "\($0.rawValue)s: send it to \($0.route)" }.joined(separator: "; it ")
        let wanted = tasks.map(\.rawValue).sorted().joined(separator: " or ")
        throw APIError.invalidRequest(
            "The model '\(name)' does not \(wanted). It \(places).", parameter: "model",
            code: "unsupported_task")
    }
}
