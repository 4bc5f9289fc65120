/// How a family of models writes what it thinks before it answers: between two marks.
package struct ReasoningForm: Sendable, Equatable {
    package let name: String
    package let opening: String
    package let closing: String
    /// What stands in a template that puts the marks together of parts; nil where the marks themselves stand in it.
    var sign: String?

    package static func named(_ name: String) -> ReasoningForm? { all.first { $0.name == name } }

    /// The form that a chat template describes; nil where the model does not think, or in no form that is known.
    package static func described(by template: String) -> ReasoningForm? {
        all.first { form in
            form.sign.map(template.contains) ?? (template.contains(form.closing) && template.contains(form.opening))
        }
            // Templates that cut what was thought out of earlier turns need only its end.
            ?? all.first { $0.sign == nil && template.contains($0.closing) }
    }

    static let all: [ReasoningForm] = [
        ReasoningForm(
            name: "harmony", opening: "<|channel|>analysis<|message|>", closing: "<|channel|>final<|message|>"),
        ReasoningForm(name: "gemma4", opening: "<|channel>thought\n", closing: "<channel|>"),
        ReasoningForm(name: "command", opening: "<|START_THINKING|>", closing: "<|END_THINKING|>"),
        ReasoningForm(name: "mistral", opening: "[THINK]", closing: "[/THINK]"),
        ReasoningForm(name: "kimi", opening: "◁think▷", closing: "◁/think▷"),
        ReasoningForm(name: "seed", opening: "<seed:think>", closing: "</seed:think>"),
        ReasoningForm(
            name: "hunyuan_v3", opening: "<think:opensource>", closing: "</think:opensource>", sign: "<think{}>"),
        ReasoningForm(name: "minimax_m3", opening: "<mm:think>", closing: "</mm:think>"),
        ReasoningForm(name: "exaone", opening: "<thought>", closing: "</thought>"),
        ReasoningForm(name: "think", opening: "<think>", closing: "</think>"),
    ]

    /// What ends thoughts that go on.
    package var ending: String { name == "harmony" ? "<|end|><|start|>assistant" + closing : closing }

    /// Texts of control tokens that an answer is to show, where the model has such tokens.
    package var marks: [String] {
        name == "harmony"
            ? ["<|channel|>", "<|message|>", "<|end|>", "<|start|>", "<|constrain|>"] : [opening, closing]
    }
}
