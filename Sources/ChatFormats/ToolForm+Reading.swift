extension ToolForm {
    /// A reader of one call, or of a section's list.
    func reader(tools: [Tool]) -> any CallReader {
        // Without a sign before it, a call is one only if it calls a tool that there is.
        let known = opening.isEmpty ? Set(tools.map(\.name)) : []
        switch call {
        case .object(let name, let arguments, let inList):
            return ObjectCallReader(name: name, arguments: arguments, isList: inList, known: known)
        case .named(let before, let between, let after, .json):
            return NamedCallReader(
                before: before, between: between, after: after, isCounted: countsCalls, idEnd: idEnd)
        case .named(let before, let between, let after, .elements(let first, let middle, let last, let otherwise)):
            return ElementCallReader(
                before: before, between: between, after: after, (first, middle, last), otherwise: otherwise,
                wrapsTexts: wrapsTexts, tools: tools)
        case .named(let before, let between, let after, .tags(let sign)):
            return TagCallReader(before: before, between: between, after: after, sign: sign, tools: tools)
        case .keyed: return KeyedCallReader()
        case .named(let before, _, _, .braces(let mark)): return BraceCallReader(before: before, mark: mark)
        case .python(let inList): return PythonCallReader(isList: inList, known: known)
        case .harmony: return NamedCallReader(before: "", between: "<|message|>", after: "")
        }
    }
}
