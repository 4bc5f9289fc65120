/// SentencePiece's precompiled normalization: a double-array trie (Aoe 1989, as Darts-clone lays it out) from what is
/// replaced to the places of a blob of replacements, each of which ends with a zero byte.
struct CharacterMap: Sendable {
    private let units: [UInt32]
    private let replacements: [UInt8]

    /// The longest replacement that is taken; Unicode's own have 33 bytes.
    private static let limit = 256

    /// - Throws: `TokenizerError.malformed` where the parts do not fit.
    init(_ bytes: [UInt8]) throws(TokenizerError) {
        func wrong(_ what: String) -> TokenizerError {
            TokenizerError(.malformed, "the precompiled character map of \(bytes.count) bytes \(what)")
        }
        guard bytes.count > 4 else { throw wrong("is cut off") }
        func unit(_ position: Int) -> UInt32 {
            (0..<4).reduce(0) { $0 | UInt32(bytes[position + $1]) << (8 * UInt32($1)) }
        }
        let size = Int(unit(0))
        guard size % 4 == 0, size >= 4, size <= bytes.count - 4 else {
            throw wrong("says that its trie has \(size)")
        }
        units = stride(from: 4, to: 4 + size, by: 4).map(unit)
        replacements = Array(bytes[(4 + size)...])
        guard replacements.isEmpty || replacements.last == 0 else { throw wrong("has a replacement that does not end") }
        guard replacements.split(separator: 0).allSatisfy({ $0.count <= Self.limit }) else {
            throw wrong("has a replacement of more than \(Self.limit)")
        }
        guard String(validating: replacements, as: UTF8.self) != nil else { throw wrong("holds what is not UTF-8") }
    }

    /// What `bytes` begin with from `start` on, shortest first; `body` returns whether to go on.
    private func prefixes(_ bytes: [UInt8], _ range: Range<Int>, _ body: (_ end: Int, _ value: Int) -> Bool) {
        var node = offset(units[0])
        for position in range {
            let byte = bytes[position]
            node ^= Int(byte)
            // A zero byte is the trie's own mark of an end.
            guard byte != 0, node < units.count else { return }
            let unit = units[node]
            guard unit & 0x8000_00FF == UInt32(byte) else { return }
            node ^= offset(unit)
            guard unit >> 8 & 1 == 1 else { continue }
            guard node < units.count else { return }
            if !body(position + 1, Int(units[node] & 0x7FFF_FFFF)) { return }
        }
    }

    private func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & 0x200) >> 6)) }

    private func replacement(_ start: Int) -> ArraySlice<UInt8> {
        guard start < replacements.count else { return [] }
        return replacements[start...].prefix { $0 != 0 }
    }

    /// The longest key that begins at `start`, and what it becomes.
    func longest(in bytes: [UInt8], from start: Int) -> (end: Int, replacement: ArraySlice<UInt8>)? {
        var found: (end: Int, value: Int)?
        prefixes(bytes, start..<bytes.count) { end, value in
            found = (end, value)
            return true
        }
        return found.map { ($0.end, replacement($0.value)) }
    }

    /// A text as Hugging Face tokenizers maps it: characters as readers see them up to five bytes, else single ones,
    /// each by the shortest key that it begins with.
    func apply(_ bytes: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        func append(_ range: Range<Int>) -> Bool {
            var found: Int?
            prefixes(bytes, range) { _, value in
                found = value
                return false
            }
            if let found { out.append(contentsOf: replacement(found)) }
            return found != nil
        }
        var position = 0
        for character in String(decoding: bytes, as: UTF8.self) {
            let end = position + character.utf8.count
            if end - position >= 6 || !append(position..<end) {
                for scalar in character.unicodeScalars {
                    let next = position + UTF8.width(scalar)
                    if !append(position..<next) { out.append(contentsOf: bytes[position..<next]) }
                    position = next
                }
            }
            position = end
        }
        return out
    }
}
