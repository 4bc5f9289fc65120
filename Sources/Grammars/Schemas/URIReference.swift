/// As much of RFC 3986 as `$id` and `$ref` need.
struct URIReference {
    private var scheme: Substring?
    private var authority: Substring?
    private var path: Substring
    private var query: Substring?
    /// Without the sign, and still encoded; nil where there is none.
    private(set) var fragment: Substring?

    init(_ text: String) {
        var rest = Substring(text)
        if let hash = rest.firstIndex(of: "#") {
            fragment = rest[rest.index(after: hash)...]
            rest = rest[..<hash]
        }
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        if let colon = rest.firstIndex(of: ":"), colon > rest.startIndex,
            rest[..<colon].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) }),
            rest.first?.isLetter ?? false
        {
            scheme = rest[..<colon]
            rest = rest[rest.index(after: colon)...]
        }
        if rest.hasPrefix("//") {
            rest = rest.dropFirst(2)
            let slash = rest.firstIndex(of: "/") ?? rest.endIndex
            authority = rest[..<slash]
            rest = rest[slash...]
        }
        path = rest
    }

    /// Without its fragment.
    var resource: String {
        (scheme.map { "\($0):" } ?? "") + (authority.map { "//\($0)" } ?? "") + path + (query.map { "?\($0)" } ?? "")
    }

    /// What a reference means where `base` is the place it stands in (section 5.2).
    func resolved(against base: String) -> URIReference {
        if scheme != nil { return self }
        var result = URIReference(base)
        result.fragment = fragment
        if authority != nil {
            (result.authority, result.path, result.query) = (authority, path, query)
        } else if path.isEmpty {
            if query != nil { result.query = query }
        } else {
            result.query = query
            if path.hasPrefix("/") {
                result.path = Self.withoutDots(path)
            } else if let slash = result.path.lastIndex(of: "/") {
                result.path = Self.withoutDots(result.path[...slash] + path)
            } else {
                result.path = Self.withoutDots(result.authority == nil ? path : "/" + path)
            }
        }
        return result
    }

    private static func withoutDots(_ path: Substring) -> Substring {
        guard path.contains("/.") || path.hasPrefix(".") else { return path }
        var parts: [Substring] = []
        let all = path.split(separator: "/", omittingEmptySubsequences: false)
        for (index, part) in all.enumerated() {
            if part == ".." {
                if parts.count > 1 || parts.first.map({ !$0.isEmpty }) ?? false { parts.removeLast() }
                if index == all.count - 1 { parts.append("") }
            } else if part == "." {
                if index == all.count - 1 { parts.append("") }
            } else {
                parts.append(part)
            }
        }
        return Substring(parts.joined(separator: "/"))
    }

    /// `%41` as A.
    static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
