import JSON

/// What has been read: the text so far, and the bytes of a token that is tried.
struct ReadText {
    let text: [UInt8]
    /// The names that the object has so far in which `text` ends.
    var names: Set<[Unicode.Scalar]> = []
    var tried: [UInt8] = []
    /// Bytes of the token that stand before the text.
    var skipped = 0
    /// Whether nothing is kept of what comes of it.
    var isTrial = true

    var count: Int { text.count + max(0, tried.count - skipped) }

    private func bytes(from mark: Int32) -> [UInt8] {
        let own = tried.dropFirst(skipped)
        return Int(mark) < text.count ? Array(text[Int(mark)...] + own) : Array(own.dropFirst(Int(mark) - text.count))
    }

    /// The string that begins with the quotation mark at `mark`, without its end; nil for one that cannot be.
    func string(from mark: Int32) -> [Unicode.Scalar]? { Self.string(bytes(from: mark) + [UInt8(ascii: "\"")]) }

    /// What a string of JSON says.
    static func string(_ bytes: [UInt8]) -> [Unicode.Scalar]? {
        (try? JSONParser.parse(bytes))?.text.map { Array($0.unicodeScalars) }
    }

    /// A value, with its last byte where that has not been read yet.
    func value(from mark: Int32, _ last: UInt8?) -> Constant? {
        let bytes = bytes(from: mark) + (last.map { [$0] } ?? [])
        return (try? JSONParser.parse(bytes)).flatMap(Constant.init)
    }
}
