import Foundation
import RegularExpressions

/// What is done to a text before it is cut.
indirect enum Normalizer: Sendable {
    case identity
    case prepend([UInt8])
    case replace([UInt8], with: [UInt8])
    case replaceMatches(RegularExpression, with: [UInt8])
    case lowercase
    case nfc, nfd, nfkc, nfkd
    case strip(left: Bool, right: Bool)
    case stripAccents
    /// BERT's: control characters go, white space becomes spaces, Chinese characters stand apart, accents go.
    case bert(cleans: Bool, chinese: Bool, stripsAccents: Bool, lowercases: Bool)
    /// Some control characters go, and what separates words becomes spaces.
    case nmt
    /// Bytes in GPT-2's alphabet.
    case byteLevel
    /// SentencePiece's mapping of characters, as Hugging Face has it.
    case precompiled(CharacterMap)
    case sentencePiece(SentencePieceNormalizer)
    case sequence([Normalizer])

    func apply(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .identity: bytes
        case .prepend(let prefix): bytes.isEmpty ? bytes : prefix + bytes
        case .replace(let pattern, let replacement): Self.replace(bytes, pattern, replacement)
        case .replaceMatches(let pattern, let replacement): Self.replace(bytes, pattern, replacement)
        case .lowercase: Self.lowercased(bytes)
        case .nfc: text(bytes) { $0.precomposedStringWithCanonicalMapping }
        case .nfd: text(bytes) { $0.decomposedStringWithCanonicalMapping }
        // Foundation's own composition leaves some pairs apart, such as ｶﾞ.
        case .nfkc:
            text(bytes) { $0.decomposedStringWithCompatibilityMapping.precomposedStringWithCanonicalMapping }
        case .nfkd: text(bytes) { $0.decomposedStringWithCompatibilityMapping }
        case .strip(let left, let right): Self.stripped(bytes, left: left, right: right)
        case .stripAccents:
            Self.scalars(bytes) { scalar in
                UnicodeClasses.isMark(scalar) ? "" : nil
            }
        case .nmt: Self.scalars(bytes, Self.nmt)
        case .precompiled(let map): map.apply(bytes)
        case .sentencePiece(let own): own.apply(bytes)
        case .byteLevel: ByteLevelAlphabet.spelling(of: bytes)
        case .bert(let cleans, let chinese, let stripsAccents, let lowercases):
            Self.bert(bytes, cleans, chinese, stripsAccents, lowercases)
        case .sequence(let steps): steps.reduce(bytes) { $1.apply($0) }
        }
    }

    /// Whether a part of a text is sure to stay as it is.
    func keeps(_ bytes: [UInt8], _ range: Range<Int>) -> Bool {
        switch self {
        case .identity: return true
        // ASCII is composed.
        case .nfc:
            for index in range where bytes[index] >= 0x80 { return false }
            return true
        default: return false
        }
    }

    /// What is between characters that the tables of `tokenizers` do not know; those stay as they are. In parts, since
    /// Foundation changes a string in place, which takes quadratic time where it grows.
    private func text(_ bytes: [UInt8], _ change: (String) -> String) -> [UInt8] {
        if bytes.allSatisfy({ $0 < 0x80 }) { return bytes }
        var (out, known): ([UInt8], String.UnicodeScalarView) = ([], .init())
        var count = 0
        func flush() {
            if !known.isEmpty { out.append(contentsOf: change(String(known)).utf8) }
            (known, count) = (.init(), 0)
        }
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            if UnicodeClasses.isKnown(scalar, in: 9) {
                if count >= 256, UnicodeClasses.standsApart(scalar) { flush() }
                known.append(scalar)
                count += 1
            } else {
                flush()
                out.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
        flush()
        return out
    }

    /// Each scalar replaced by what `change` gives, where it gives something.
    private static func scalars(_ bytes: [UInt8], _ change: (Unicode.Scalar) -> String?) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            if let replacement = change(scalar) {
                out.append(contentsOf: replacement.utf8)
            } else {
                out.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            }
        }
        return out
    }

    /// Scalar by scalar, as Rust's `char::to_lowercase`: a final sigma is no other sigma.
    private static func lowercased(_ bytes: [UInt8]) -> [UInt8] {
        scalars(bytes) { $0.properties.changesWhenLowercased ? $0.properties.lowercaseMapping : nil }
    }

    private static func stripped(_ bytes: [UInt8], left: Bool, right: Bool) -> [UInt8] {
        var rest = bytes[...]
        if left {
            while let first = UnicodeClasses.scalar(rest), UnicodeClasses.isSpace(first.scalar) {
                rest = rest.dropFirst(first.length)
            }
        }
        if right {
            while let last = UnicodeClasses.lastScalar(rest), UnicodeClasses.isSpace(last.scalar) {
                rest = rest.dropLast(last.length)
            }
        }
        return Array(rest)
    }

    /// ASCII goes byte by byte: no step joins it to what is beside it.
    private static func bert(
        _ bytes: [UInt8], _ cleans: Bool, _ chinese: Bool, _ stripsAccents: Bool, _ lowercases: Bool
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var position = 0
        while position < bytes.count {
            let byte = bytes[position]
            if byte >= 0x80 {
                let end = bytes[position...].firstIndex { $0 < 0x80 } ?? bytes.count
                out += bertBeyondASCII(Array(bytes[position..<end]), cleans, chinese, stripsAccents, lowercases)
                position = end
                continue
            }
            position += 1
            if cleans, byte < 0x20 || byte == 0x7F {
                if byte == 0x9 || byte == 0xA || byte == 0xD { out.append(0x20) }
            } else {
                out.append(lowercases && (0x41...0x5A).contains(byte) ? byte | 0x20 : byte)
            }
        }
        return out
    }

    private static func bertBeyondASCII(
        _ bytes: [UInt8], _ cleans: Bool, _ chinese: Bool, _ stripsAccents: Bool, _ lowercases: Bool
    ) -> [UInt8] {
        var out = bytes
        if cleans {
            out = scalars(out) { scalar in
                if scalar.value == 0 || scalar.value == 0xFFFD { return "" }
                if ["\t", "\n", "\r"].contains(scalar) { return " " }
                if UnicodeClasses.isControl(scalar) { return "" }
                return UnicodeClasses.isSpace(scalar) ? " " : nil
            }
        }
        if chinese { out = scalars(out) { isChinese($0) ? " \(Character($0)) " : nil } }
        if stripsAccents {
            out = scalars(Normalizer.nfd.apply(out)) { UnicodeClasses.isNonspacingMark($0) ? "" : nil }
        }
        return lowercases ? lowercased(out) : out
    }

    private static func isChinese(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
            0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
            true
        default: false
        }
    }

    private static func nmt(_ scalar: Unicode.Scalar) -> String? {
        switch scalar.value {
        case 0x1...0x8, 0xB, 0xE...0x1F, 0x7F, 0x8F, 0x9F: ""
        case 0x9, 0xA, 0xC, 0xD, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD: " "
        default: nil
        }
    }

    static func contains(_ bytes: ArraySlice<UInt8>, _ pattern: [UInt8]) -> Bool {
        guard let first = pattern.first else { return true }
        return bytes.indices.contains { bytes[$0] == first && bytes[$0...].starts(with: pattern) }
    }

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

    static func replace(_ bytes: [UInt8], _ pattern: RegularExpression, _ replacement: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        var position = 0
        for match in pattern.matches(in: bytes, range: 0..<bytes.count) {
            out.append(contentsOf: bytes[position..<match.lowerBound])
            out.append(contentsOf: replacement)
            position = match.upperBound
        }
        out.append(contentsOf: bytes[position...])
        return out
    }

    /// - Throws: `TokenizerError.unsupported` for a kind or a field that is not known here.
    init(_ json: JSONValue?, _ place: String = "tokenizer.json: normalizer") throws(TokenizerError) {
        guard let json, !json.isNull else {
            self = .identity
            return
        }
        func fields(_ known: String...) throws(TokenizerError) -> JSONFields {
            try JSONFields(json, place, known: ["type"] + known)
        }
        let kinds = [
            "normalizers": "Sequence", "clean_text": "BertNormalizer", "strip_left": "Strip", "pattern": "Replace",
            "prepend": "Prepend",
        ]
        switch json.kind(byField: kinds) {
        case "Sequence":
            var steps: [Normalizer] = []
            for step in try fields("normalizers").array("normalizers") { steps.append(try Normalizer(step, place)) }
            self = .sequence(steps)
        case "Prepend":
            let fields = try fields("prepend")
            self = .prepend(try fields.required("prepend", fields.bytes("prepend")))
        case "Replace":
            let fields = try fields("pattern", "content")
            let content = try fields.required("content", fields.bytes("content"))
            switch try Pattern(fields) {
            case .literal(let literal): self = .replace(literal, with: content)
            case .expression(let expression): self = .replaceMatches(expression, with: content)
            }
        case "Strip":
            let fields = try fields("strip_left", "strip_right")
            self = .strip(left: try fields.bool("strip_left", true), right: try fields.bool("strip_right", true))
        case "BertNormalizer":
            let fields = try fields("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
            let lowercases = try fields.bool("lowercase", true)
            self = .bert(
                cleans: try fields.bool("clean_text", true), chinese: try fields.bool("handle_chinese_chars", true),
                stripsAccents: try fields.bool("strip_accents", lowercases), lowercases: lowercases)
        case "Precompiled":
            let fields = try fields("precompiled_charsmap")
            let text = try fields.required("precompiled_charsmap", fields.text("precompiled_charsmap"))
            guard let map = Data(base64Encoded: text) else {
                throw TokenizerError(.malformed, "\(place): \"precompiled_charsmap\" is not base64")
            }
            do { self = .precompiled(try CharacterMap(Array(map))) } catch {
                throw TokenizerError(error.code, "\(place): Precompiled: \(error.message)")
            }
        case let kind?:
            let plain: [String: Normalizer] = [
                "Lowercase": .lowercase, "NFC": .nfc, "NFD": .nfd, "NFKC": .nfkc, "NFKD": .nfkd,
                "StripAccents": .stripAccents, "Nmt": .nmt, "ByteLevel": .byteLevel,
            ]
            guard let own = plain[kind] else {
                throw TokenizerError(.unsupported, "\(place): \"\(kind)\" is not supported")
            }
            _ = try fields()
            self = own
        case nil: throw TokenizerError(.malformed, "\(place) has no \"type\"")
        }
    }
}

/// What a `pattern` of `tokenizer.json` looks for.
enum Pattern {
    case literal([UInt8])
    case expression(RegularExpression)

    /// - Throws: `TokenizerError` that names the place.
    init(_ fields: JSONFields) throws(TokenizerError) {
        let pattern = fields["pattern"]
        if let literal = pattern?["String"]?.bytes {
            self = .literal(literal)
        } else if let expression = pattern?["Regex"]?.text {
            do { self = .expression(try PreTokenizer.compile(expression)) } catch {
                throw TokenizerError(.unsupported, "\(fields.place): \(error.message)")
            }
        } else {
            throw TokenizerError(.malformed, "\(fields.place): \"pattern\" has neither \"String\" nor \"Regex\"")
        }
    }
}
