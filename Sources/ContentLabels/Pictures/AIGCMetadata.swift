internal import JSON
package import PNG

/// The implicit label that China's rules ask for since September 2025: GB 45438-2025, appendix E, as TC260's practice
/// guide for picture files (August 2025) puts it into PNG: a `tEXt` chunk of the keyword `AIGC` that holds a JSON object.
package struct AIGCMetadata: Sendable, Equatable {
    /// Who generates: a name, or the code that TC260's rules give a provider, for example 001, 1, a unified social
    /// credit code of 18 characters, and 5 characters for the service.
    package var producer: String
    /// Who spreads it; empty where that is left to whoever does.
    package var propagator: String

    package init(producer: String, propagator: String = "") {
        (self.producer, self.propagator) = (producer, propagator)
    }

    /// What an operator who chose nothing is called.
    package static let standard = AIGCMetadata(producer: "Nephele")

    /// - Parameter id: the provider's number for the content.
    package func chunk(id: String) -> PNGChunk { .text("AIGC", json(id: id)) }

    /// Whoever's metadata a PNG file has, and the number that its producer gave the content; nil where it has none that can
    /// be read, or one that says that the content was not generated.
    package static func found(in file: [UInt8]) -> (producer: String, id: String)? {
        let texts = (try? PNG.chunks(of: file))?.compactMap(\.text) ?? []
        guard let text = texts.first(where: { $0.keyword == "AIGC" })?.text,
            let fields = try? JSONParser.parse(Array(text.utf8)), fields["Label"]?.text == "1",
            let producer = fields["ContentProducer"]?.text, let id = fields["ProduceID"]?.text
        else { return nil }
        return (producer, id)
    }

    /// The seven fields in the standard's order. `Label` 1 says that the content is generated. The reserved codes, for a
    /// provider's and a spreader's own protection of the label, are empty: C2PA signs what is in the file.
    func json(id: String) -> String {
        let fields = [
            ("Label", "1"), ("ContentProducer", producer), ("ProduceID", id), ("ReservedCode1", ""),
            ("ContentPropagator", propagator), ("PropagateID", propagator.isEmpty ? "" : id), ("ReservedCode2", ""),
        ]
        return "{" + fields.map { "\"\($0)\":\"\(Self.escaped($1))\"" }.joined(separator: ",") + "}"
    }

    /// A JSON string's inside, of ASCII alone: `tEXt` is Latin-1.
    private static func escaped(_ text: String) -> String {
        text.utf16.map { unit in
            switch unit {
            case 0x22, 0x5C: "\\" + String(UnicodeScalar(UInt8(unit)))
            case 0x20..<0x7F: String(UnicodeScalar(UInt8(unit)))
            default:
                "\\u" + String(repeating: "0", count: 4 - String(unit, radix: 16).count) + String(unit, radix: 16)
            }
        }.joined()
    }
}
