import Foundation
import Testing

@testable import Jinja

/// Against what transformers 5.23 renders with jinja2 3.1.6; `make_goldens.py` says how.
@Suite struct GoldenTests {
    private struct Rendered: Decodable {
        var context: String
        var template: String
        var text: String?
        var error: String?
    }

    private struct Goldens: Decodable {
        var rendered: [Rendered]
    }

    private static func value(_ json: Any) throws -> JinjaValue {
        switch json {
        case is NSNull: return .none
        case let list as [Any]: return .list(try list.map(value))
        case let tagged as [String: Any]:
            if let digits = tagged["float"] as? String { return .float(try #require(Double(digits))) }
            if let flag = tagged["bool"] as? Bool { return .bool(flag) }
            var object = JinjaObject()
            for pair in try #require(tagged["object"] as? [[Any]]) {
                let name = TrustedText(try #require(pair[0] as? String), isTrusted: false)
                object.set(name, try value(pair[1]))
            }
            return .object(object)
        case let text as String: return .text(TrustedText(text, isTrusted: false))
        case let number as NSNumber:
            return .integer(number.intValue)
        default: throw CocoaError(.coderInvalidValue)
        }
    }

    private static func data() throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: Bundle.module.bundlePath + "/Goldens/templates.json"))
    }

    private static func contexts(_ data: Data) throws -> [String: [String: JinjaValue]] {
        let json = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let contexts = try #require(json["contexts"] as? [String: Any])
        return try contexts.mapValues { context in
            guard case .object(let object) = try value(context) else { return [:] }
            return Dictionary(
                uniqueKeysWithValues: object.entries.compactMap { entry in
                    if case .text(let name) = entry.key { (name.string, entry.value) } else { nil }
                })
        }
    }

    /// What transformers renders and this interpreter refuses by name.
    private static let refused: Set<String> = [
        #"{{ '\N{DASH}' }}"#, #"{{ '\ud83d' }}"#, "{{ s.encode() }}", "{{ i.bit_length() }}", "{{ lipsum() }}",
        "{{ '{:>5}'.format(1) }}", "{{ s|escape }}",
        "{{ s|urlencode }}", "{{ s.__class__ }}", "{{ l|pprint }}", "{{ s|random }}",
    ]

    @Test func `every template renders as in transformers, or is refused where transformers raises`() throws {
        let contexts = try Self.contexts(Self.data())
        let goldens = try JSONDecoder().decode(Goldens.self, from: Self.data())
        #expect(goldens.rendered.count > 700)
        for golden in goldens.rendered {
            let context = try #require(contexts[golden.context])
            do {
                let text = try JinjaTemplate(golden.template).render(context)
                if let wanted = golden.text {
                    let isEqual = Array(text.string.unicodeScalars) == Array(wanted.unicodeScalars)
                    #expect(
                        isEqual,
                        "\(golden.template)\n got: \(text.string.debugDescription)\nmust: \(wanted.debugDescription)")
                } else {
                    Issue.record(
                        "\(golden.template) renders \(text.string.debugDescription), transformers raises \(golden.error ?? "")"
                    )
                }
                for (index, scalar) in text.scalars.enumerated() where scalar == "ψ" || scalar == "Ψ" {
                    #expect(!text.isTrusted(at: index), "\(golden.template) trusts what a user wrote")
                }
            } catch {
                #expect(error.line != nil, "\(golden.template): \(error)")
                #expect(!error.message.contains("ψ"), "\(golden.template): \(error)")
                if golden.text != nil {
                    let isKnown = Self.refused.contains(golden.template) && error.code == .unsupported
                    #expect(isKnown, "\(golden.template): \(error); must: \(golden.text ?? "")")
                }
            }
        }
    }
}
