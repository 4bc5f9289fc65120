/// Keys that open something, and what only looks like one.
enum Secrets {
    /// Words of documentation: who writes a key with them has none.
    private static let placeholders = [
        "example", "placeholder", "your", "xxxx", "0000", "changeme", "replace", "redacted",
    ]

    /// Many different characters, digits among them, and no words of a class name or a placeholder.
    static func isKey(_ match: [UInt8]) -> Bool {
        guard Set(match).count >= 10 else { return false }
        let text = String(decoding: match, as: UTF8.self)
        guard !text.hasPrefix("-----") else { return true }
        let small = text.lowercased()
        guard !placeholders.contains(where: small.contains) else { return false }
        guard match.contains(where: { (48...57).contains($0) }) || text.hasPrefix("eyJ") else { return false }
        // `sk-` begins names of classes in style sheets too.
        guard text.hasPrefix("sk-") else { return true }
        return text.dropFirst(3).split { $0 == "-" || $0 == "_" }.contains { $0.utf8.count >= 16 }
    }
}
