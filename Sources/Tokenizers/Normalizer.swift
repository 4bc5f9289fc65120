import Foundation

/// What is done to a text before it is cut.
indirect enum Normalizer: Sendable {
    case identity
    case prepend([UInt8])
    case replace([UInt8], with: [UInt8])
    case lowercase
    case nfc, nfd, nfkc, nfkd
    case sequence([Normalizer])

    func apply(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .identity: bytes
        case .prepend(let prefix): bytes.isEmpty ? bytes : prefix + bytes
        case .replace(let pattern, let replacement): Self.replace(bytes, pattern, replacement)
        case .lowercase: text(bytes) { $0.lowercased() }
        case .nfc: text(bytes) { $0.precomposedStringWithCanonicalMapping }
        case .nfd: text(bytes) { $0.decomposedStringWithCanonicalMapping }
        case .nfkc: text(bytes) { $0.precomposedStringWithCompatibilityMapping }
        case .nfkd: text(bytes) { $0.decomposedStringWithCompatibilityMapping }
        case .sequence(let steps): steps.reduce(bytes) { $1.apply($0) }
        }
    }

    private func text(_ bytes: [UInt8], _ change: (String) -> String) -> [UInt8] {
        bytes.allSatisfy { $0 < 0x80 } && !isLowercase
            ? bytes : Array(change(String(decoding: bytes, as: UTF8.self)).utf8)
    }

    private var isLowercase: Bool { if case .lowercase = self { true } else { false } }

    static func replace(_ bytes: [UInt8], _ pattern: [UInt8], _ replacement: [UInt8]) -> [UInt8] {
        guard let first = pattern.first else { return bytes }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var position = 0
        while position < bytes.count {
            if bytes[position] == first, position + pattern.count <= bytes.count,
                bytes[position..<position + pattern.count].elementsEqual(pattern)
            {
                out.append(contentsOf: replacement)
                position += pattern.count
            } else {
                out.append(bytes[position])
                position += 1
            }
        }
        return out
    }

    /// - Throws: `TokenizerError.unsupported` for a kind that is not known here.
    init(_ json: JSONValue?) throws(TokenizerError) {
        guard let json, !json.isNull else {
            self = .identity
            return
        }
        switch json["type"]?.text {
        case "Sequence":
            var steps: [Normalizer] = []
            for step in json["normalizers"]?.array ?? [] { steps.append(try Normalizer(step)) }
            self = .sequence(steps)
        case "Prepend": self = .prepend(json["prepend"]?.bytes ?? [])
        case "Replace":
            guard let pattern = json["pattern"]?["String"]?.bytes, let content = json["content"]?.bytes else {
                throw TokenizerError(.unsupported, "a Replace normalizer by regular expression is not supported")
            }
            self = .replace(pattern, with: content)
        case "Lowercase": self = .lowercase
        case "NFC": self = .nfc
        case "NFD": self = .nfd
        case "NFKC": self = .nfkc
        case "NFKD": self = .nfkd
        case let kind:
            throw TokenizerError(.unsupported, "tokenizer.json: normalizer \"\(kind ?? "?")\" is not supported")
        }
    }
}
