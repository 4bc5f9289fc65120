/// Reads a call whose name stands between texts, with the JSON text of its arguments behind it.
struct NamedCallReader: CallReader {
    private enum State { case before, name, arguments, after }

    private let before: [UInt8]
    private let between: [UInt8]
    private let after: [UInt8]
    private let isCounted: Bool
    private let idEnd: String
    private var state = State.before
    private var scanner = JSONScanner()
    private var hasBegunArguments = false
    private(set) var hasBegun = false

    /// Blanks around the texts do not matter.
    ///
    /// - Parameters:
    ///   - isCounted: whether a number stands behind the name.
    ///   - idEnd: what stands between an id and the name behind it; empty for no id.
    init(before: String, between: String, after: String, isCounted: Bool = false, idEnd: String = "") {
        (self.isCounted, self.idEnd) = (isCounted, idEnd)
        func bare(_ text: String) -> [UInt8] { Array(text.utf8).withoutBlanks }
        (self.before, self.between, self.after) = (bare(before), bare(between), bare(after))
    }

    mutating func read(_ bytes: [UInt8], isLast: Bool) -> CallReading {
        var reading = CallReading()
        while true {
            let rest = bytes[reading.count...]
            switch state {
            case .before:
                guard let found = rest.skip(before, &reading, isLast) else { return reading }
                if !found {
                    reading.state = .malformed
                    return reading
                }
                state = .name
            case .name:
                guard let place = AnswerParser.first([between], in: Array(rest))?.place else {
                    if rest.count > 2 * Tool.nameLimit + between.count || isLast { reading.state = .malformed }
                    return reading
                }
                guard let name = name(Array(rest.prefix(place)).withoutBlanks) else {
                    reading.state = .malformed
                    return reading
                }
                reading.steps.append(.name(name))
                (hasBegun, state) = (true, .arguments)
                reading.count += place + between.count
            case .arguments:
                var own: [UInt8] = []
                var hasEnded = false
                for byte in rest {
                    let place = scanner.take(byte)
                    if place == .behind {
                        hasEnded = true
                        break
                    }
                    reading.count += 1
                    if !own.isEmpty || hasBegunArguments || !AnswerParser.isBlank(byte) { own.append(byte) }
                    if place == .last {
                        hasEnded = true
                        break
                    }
                }
                hasBegunArguments = hasBegunArguments || !own.isEmpty
                if !own.isEmpty { reading.steps.append(.arguments(own)) }
                if !hasEnded { return reading }
                state = .after
            case .after:
                if after.isEmpty {
                    reading.state = .done
                    return reading
                }
                // A frame that is not closed is no reason to lose the call.
                if rest.skip(after, &reading, isLast) != nil { reading.state = .done }
                return reading
            }
        }
    }

    /// A name, without the id that Mistral's calls may have behind it, or the number of a family that counts its calls.
    private func name(_ bytes: [UInt8]) -> String? {
        var name = String(decoding: bytes, as: UTF8.self)
        if !idEnd.isEmpty, let mark = name.firstRange(of: idEnd) { name = String(name[mark.upperBound...]) }
        if let mark = name.firstRange(of: "[CALL_ID]") { name = String(name[..<mark.lowerBound]) }
        if isCounted, let colon = name.lastIndex(of: ":") { name = String(name[..<colon]) }
        return name.isEmpty || name.utf8.count > Tool.nameLimit ? nil : name
    }
}

extension Array<UInt8> {
    /// Without blanks at both ends.
    var withoutBlanks: [UInt8] {
        let rest = drop(while: AnswerParser.isBlank)
        return Array(rest.dropLast(rest.reversed().prefix(while: AnswerParser.isBlank).count))
    }
}

extension ArraySlice<UInt8> {
    /// Takes blanks and a text.
    ///
    /// - Returns: whether it stands there; nil where more has to come.
    func skip(_ text: [UInt8], _ reading: inout CallReading, _ isLast: Bool) -> Bool? {
        let own = drop(while: AnswerParser.isBlank)
        if own.starts(with: text) {
            reading.count += count - own.count + text.count
            return true
        }
        return !isLast && text.starts(with: own) ? nil : false
    }
}
