/// A chat template before it is read, and where it stands.
struct TemplateSource: Sendable {
    var source: ChatTemplate.Source
    var place: String

    init(source: ChatTemplate.Source, place: String) { (self.source, self.place) = (source, place) }

    init(fault: String, place: String) {
        self.init(
            source: .fault(TokenizerError(.unsupported, "\(place): \(fault); chats of this model are refused")),
            place: place)
    }
}

extension TokenizerFiles {
    /// The template of a checkpoint's directory: `chat_template.jinja`, else what `tokenizer_config.json` says; nil where
    /// there is none. Of several with names it is the one called default, as in transformers.
    ///
    /// What is wrong with it is told when a chat is rendered: nothing else needs it.
    mutating func template(_ configuration: JSONValue?) -> TemplateSource? {
        let separate = "chat_template.jinja"
        if has(separate) { return template(in: separate) }
        let others = templateNames
        if others.contains("default") { return template(in: "additional_chat_templates/default.jinja") }
        if !others.isEmpty {
            return TemplateSource(
                fault:
                    "\(others.joined(separator: ", ")) are there, and none is called default; add one as \(separate)",
                place: "\(directory)/additional_chat_templates")
        }
        let place = "\(directory)/tokenizer_config.json: chat_template"
        guard let value = configuration?["chat_template"], !value.isNull else { return nil }
        if let text = value.text { return TemplateSource(source: .text(text), place: place) }
        guard let named = value.array else {
            return TemplateSource(fault: "it is neither text nor a list of named templates", place: place)
        }
        if named.isEmpty { return nil }
        guard let template = named.last(where: { $0["name"]?.text == "default" })?["template"]?.text else {
            let names = named.compactMap { $0["name"]?.text }.joined(separator: ", ")
            return TemplateSource(fault: "it has \(names), and none is called default", place: place)
        }
        return TemplateSource(source: .text(template), place: place)
    }

    /// The template called `tool_use`, for conversations with tools; nil where there is none.
    mutating func toolTemplate(_ configuration: JSONValue?) -> TemplateSource? {
        if templateNames.contains("tool_use") { return template(in: "additional_chat_templates/tool_use.jinja") }
        if has("chat_template.jinja") || !templateNames.isEmpty { return nil }
        let text = configuration?["chat_template"]?.array?.last { $0["name"]?.text == "tool_use" }?["template"]?.text
        return text.map {
            TemplateSource(source: .text($0), place: "\(directory)/tokenizer_config.json: chat_template, tool_use")
        }
    }

    private mutating func template(in name: String) -> TemplateSource {
        let place = "\(directory)/\(name)"
        do {
            guard let text = String(validating: try read(name), as: UTF8.self) else {
                return TemplateSource(fault: "it is not UTF-8", place: place)
            }
            return TemplateSource(source: .text(text), place: place)
        } catch {
            return TemplateSource(source: .fault(error), place: place)
        }
    }
}
