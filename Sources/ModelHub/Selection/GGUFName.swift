internal import GGUF

/// What a GGUF file's name says of it, as people name them: `NAME-Q4_K_M.gguf`, `NAME.Q4_1.gguf`,
/// `Q8_0/NAME-UD-Q8_K_XL-00001-of-00002.gguf`.
struct GGUFName: Sendable, Hashable {
    /// Without folder, part number and suffix.
    let stem: String

    init(_ path: String) {
        let whole = GGUFParts.Name(path).map(\.stem) ?? String(path.dropLast(path.hasSuffix(".gguf") ? 5 : 0))
        stem = whole.split(separator: "/").last.map { String($0) } ?? whole
    }

    /// How it is quantized: `Q4_K_M`, `UD-Q8_K_XL`, `BF16`; the whole stem where its end does not say it.
    var quantization: String {
        let pieces = stem.split { $0 == "-" || $0 == "." }
        guard let last = pieces.last?.uppercased(), Self.isQuantization(last) else { return stem }
        return pieces.dropLast().last?.uppercased() == "UD" ? "UD-" + last : last
    }

    private static func isQuantization(_ text: String) -> Bool {
        if ["F32", "F16", "BF16", "FP16", "FP32"].contains(text) || text.hasPrefix("MXFP4") { return true }
        let digits = ["IQ", "TQ", "Q"].first { text.hasPrefix($0) }.map { text.dropFirst($0.count) } ?? ""
        return digits.first?.isNumber ?? false
    }
}
