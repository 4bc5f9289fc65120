/// What proposes tokens where there is no draft model.
package enum Speculation: String, Sendable, CaseIterable {
    case none
    /// What followed when the last tokens stood together before.
    case lookup
}

/// Drafts by looking back (n-gram prompt lookup): what followed when the last tokens stood together before. Costs
/// nothing but the rows that check it; it is often right where an answer repeats its prompt.
enum PromptLookup {
    /// The longest run of last tokens that is looked for, and the shortest.
    private static let longest = 4
    private static let shortest = 2
    /// How far back it looks.
    private static let reach = 16_384

    /// At most `count` tokens, those after the newest earlier occurrence of the longest run; none when there is none.
    static func propose(after tokens: [Int32], count: Int) -> [Int32] {
        guard count > 0 else { return [] }
        for length in stride(from: longest, through: shortest, by: -1) where tokens.count > length {
            let run = tokens[(tokens.count - length)...]
            let lowest = max(0, tokens.count - reach)
            var start = tokens.count - length - 1
            while start >= lowest {
                if tokens[start] == run[run.startIndex], tokens[start..<start + length].elementsEqual(run) {
                    let next = start + length
                    return Array(tokens[next..<min(next + count, tokens.count)])
                }
                start -= 1
            }
        }
        return []
    }
}
