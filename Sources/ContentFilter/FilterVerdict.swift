/// What a policy made of a text. It tells what was found where, never what the text said.
package struct FilterVerdict: Sendable, Equatable {
    /// A rule that took effect, and why.
    package struct Hit: Sendable, Equatable {
        package var rule: String
        package var action: FilterPolicy.Action
        package var finding: Finding
    }

    /// Hits that are kept; further ones are only counted.
    static let hitLimit = 256

    package internal(set) var hits: [Hit] = []
    package internal(set) var hitCount = 0
    /// The rule that stopped the text.
    package internal(set) var block: Hit?

    package var isBlocked: Bool { block != nil }

    mutating func add(_ hit: Hit) {
        hitCount += 1
        if hits.count < Self.hitLimit { hits.append(hit) }
        if hit.action == .block { block = hit }
    }
}
