/// What one rendering may still use, so that no template runs for ever or fills the memory.
final class Budget {
    /// Statements and expressions evaluated; work over text and lists counts by its size.
    private var steps = 4_000_000
    /// Scalars of all text, and eight for each member of a list, that are made on the way.
    private var room = 96 << 20
    /// Expressions, statements and calls within each other.
    private(set) var depth = 0

    static let depthLimit = 192
    /// Scalars of one text.
    static let textLimit = 8 << 20
    /// Members of one list.
    static let listLimit = 1 << 18
    /// Sequences and objects within each other.
    static let nestingLimit = 128

    func charge(_ count: Int) throws {
        steps -= count
        if steps < 0 { throw JinjaError(.limit, "the template takes too many steps") }
    }

    /// Before text of `count` scalars is made.
    func reserve(_ count: Int) throws {
        guard count <= Self.textLimit else { throw JinjaError(.limit, "a text is longer than \(Self.textLimit)") }
        room -= count
        if room < 0 { throw JinjaError(.limit, "the template makes too much text") }
        try charge(count / 16)
    }

    /// Before `count` texts of `length` scalars are made.
    func reserve(_ count: Int, times length: Int) throws {
        let (product, overflow) = count.multipliedReportingOverflow(by: length)
        try reserve(overflow ? Int.max : max(0, product))
    }

    func reserveList(_ count: Int) throws {
        guard count <= Self.listLimit else { throw JinjaError(.limit, "a list is longer than \(Self.listLimit)") }
        room -= 8 * count
        if room < 0 { throw JinjaError(.limit, "the template makes too many lists") }
        try charge(count / 4)
    }

    static func checkRoom(_ text: TrustedText) throws {
        guard text.count <= textLimit else { throw JinjaError(.limit, "a text is longer than \(textLimit)") }
    }

    func enter() throws {
        depth += 1
        guard depth <= Self.depthLimit else {
            throw JinjaError(.limit, "the template nests deeper than \(Self.depthLimit)")
        }
    }

    func leave() { depth -= 1 }
}
