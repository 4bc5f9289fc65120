package import Grammars

/// What an answer must be: of which tools it may or must call some, and what its content is.
package struct AnswerRules: Sendable {
    package enum Choice: Sendable, Equatable {
        /// It may call tools.
        case auto
        /// It must call one at least.
        case required
    }

    package var form: ToolForm?
    package var tools: [Tool]
    package var choice: Choice
    /// Whether it may call several.
    package var isParallel: Bool
    package var reasoning: ReasoningForm?
    /// Whether the prompt ends with the thoughts' opening.
    package var isThinking: Bool
    /// Of the content, where there is one; nil for any content.
    package var schema: GrammarExpression?
    /// The rules that it calls.
    package var contentRules: [String: GrammarExpression] = [:]

    package init(
        form: ToolForm? = nil, tools: [Tool] = [], choice: Choice = .auto, isParallel: Bool = true,
        reasoning: ReasoningForm? = nil, isThinking: Bool = false, schema: GrammarExpression? = nil
    ) {
        (self.form, self.tools, self.choice, self.isParallel) = (form, tools, choice, isParallel)
        (self.reasoning, self.isThinking, self.schema) = (reasoning, isThinking, schema)
    }

    /// A grammar of the answers: calls are written as the family writes them, each of a tool that there is, with arguments of
    /// its schema.
    ///
    /// - Throws: `GrammarError` for a strict tool whose schema the form has no way to hold to; schemas themselves are read
    ///   when the grammar is compiled.
    package func grammar() throws(GrammarError) -> Grammar {
        var calls = CallRules(tools: tools, isParallel: isParallel)
        let isHarmony = form?.call == .harmony || reasoning?.name == "harmony"
        let start = try isHarmony ? harmony(&calls) : plain(&calls)
        return Grammar(start, rules: calls.rules.merging(contentRules) { $1 })
    }

    private static let blanks = GrammarExpression.repeated(.character([0x20...0x20, 0x0A...0x0A]), min: 0, max: 4)

    private func plain(_ calls: inout CallRules) throws(GrammarError) -> GrammarExpression {
        guard let form, !tools.isEmpty else { return thinking(before: schema ?? .free([], repeats: false)) }
        let section = try calls.section(form)
        let opened = GrammarExpression.sequence([.text(form.opening), section])
        var several = opened
        if isParallel, form.hasOneCall {
            several = .sequence([opened, .repeated(.sequence([.text(form.separator), opened]), min: 0, max: nil)])
        }
        if choice == .required { return thinking(before: several) }
        if let schema { return thinking(before: .choice([several, schema])) }
        var markers: [GrammarExpression.Marker] = []
        if !form.opening.isEmpty { markers.append(.init(form.opening, section)) }
        if let other = form.otherOpening { markers.append(.init(other, section)) }
        let free = GrammarExpression.free(markers, repeats: isParallel)
        if form.opening.isEmpty {
            return .choice([several, .other(than: calls.beginnings(form), then: free)])
        }
        guard let reasoning else { return free }
        // What looks like a call within thoughts is none.
        let thought = GrammarExpression.free([.init(reasoning.closing, free)], repeats: false)
        return isThinking ? thought : .choice([.sequence([.text(reasoning.opening), thought]), free])
    }

    /// Thoughts, where the model has such, and what must follow them.
    private func thinking(before answer: GrammarExpression) -> GrammarExpression {
        guard let reasoning else { return answer }
        let end = GrammarExpression.sequence([.through(reasoning.closing), Self.blanks])
        return isThinking
            ? .sequence([end, answer]) : .sequence([.optional(.sequence([.text(reasoning.opening), end])), answer])
    }

    /// gpt-oss: messages of channels; a call is one to a recipient, and the answer's last.
    private func harmony(_ calls: inout CallRules) throws(GrammarError) -> GrammarExpression {
        let bodies = try calls.harmonyCalls()
        let analysis = GrammarExpression.repeated(
            .sequence([.text("<|channel|>analysis<|message|>"), .through("<|end|>"), .text("<|start|>assistant")]),
            min: 0,
            max: nil)
        let call = GrammarExpression.sequence([.text("<|channel|>commentary to=functions."), .choice(bodies)])
        if choice == .required, !tools.isEmpty { return .sequence([analysis, call]) }
        if let schema {
            let content = GrammarExpression.sequence([.text("<|channel|>final<|message|>"), schema])
            return .sequence([analysis, tools.isEmpty ? content : .choice([call, content])])
        }
        return .free(tools.isEmpty ? [] : [.init(" to=functions.", .choice(bodies))], repeats: false)
    }
}

extension GrammarExpression {
    /// A text that does not begin with any of some others, which are ASCII and not empty.
    static func other(than beginnings: [String], then rest: GrammarExpression) -> GrammarExpression {
        let scalars = Set(beginnings.compactMap(\.unicodeScalars.first?.value)).sorted()
        var parts: [GrammarExpression] = [.empty]
        var others: [ClosedRange<UInt32>] = []
        var next: UInt32 = 0
        for scalar in scalars {
            if scalar > next { others.append(next...scalar - 1) }
            next = scalar + 1
            let behind = beginnings.filter { $0.unicodeScalars.first?.value == scalar }.map { String($0.dropFirst()) }
            if !behind.contains("") {
                parts.append(.sequence([.character([scalar...scalar]), .other(than: behind, then: rest)]))
            }
        }
        others.append(next...0x10FFFF)
        parts.append(.sequence([.character(others), rest]))
        return .choice(parts)
    }
}
