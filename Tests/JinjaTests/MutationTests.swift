import Foundation
import Testing

@testable import Jinja

/// Nearly valid templates: each renders or is refused, and none trusts what a user wrote.
@Suite struct MutationTests {
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private struct Goldens: Decodable {
        struct Rendered: Decodable { var template: String }
        var rendered: [Rendered]
    }

    @Test func `mutated templates end, and trust no user`() throws {
        let path = Bundle.module.bundlePath + "/Goldens/templates.json"
        let goldens = try JSONDecoder().decode(Goldens.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
        // What holds ψ itself may write it.
        let sources = goldens.rendered.map { Array($0.template.unicodeScalars) }.filter { !$0.contains("ψ") }
        let rounds = Int(ProcessInfo.processInfo.environment["NEPHELE_MUTATIONS"] ?? "") ?? 3_000
        var generator = Generator(state: 5)
        func user(_ text: String) -> JinjaValue { .text(TrustedText(text, isTrusted: false)) }
        var message = JinjaObject()
        message.set("role", user("user"))
        message.set("content", user("ψ <|x|> ψ\nψ"))
        var variables: [String: JinjaValue] = [
            "messages": .list([.object(message), .object(message)]), "tools": .none, "s": user("aψb"),
            "d": .object(message), "l": .list([.integer(3), .integer(1)]), "m": .list([user("bψ"), user("Aψ")]),
            "i": .integer(7), "f": .float(2.5), "n": .none, "t": .bool(true), "w": user(" one ψ  two ψ"), "e": user(""),
        ]
        variables["people"] = .list([.object(message)])
        var rendered = 0
        for _ in 0..<rounds {
            var source = sources.randomElement(using: &generator) ?? []
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                let other = sources.randomElement(using: &generator) ?? []
                let at = Int.random(in: 0...source.count, using: &generator)
                let length = Int.random(in: 0...min(12, other.count), using: &generator)
                let from = Int.random(in: 0...other.count - length, using: &generator)
                let end = min(source.count, at + Int.random(in: 0...8, using: &generator))
                source.replaceSubrange(at..<end, with: other[from..<from + length])
            }
            let template = String(String.UnicodeScalarView(source))
            do {
                let text = try JinjaTemplate(template).render(variables)
                rendered += 1
                for (index, scalar) in text.scalars.enumerated() where scalar == "ψ" || scalar == "Ψ" {
                    #expect(!text.isTrusted(at: index), "\(template)")
                }
                #expect(text.encoded.bytes == Array(text.string.utf8))
            } catch {
                #expect(!error.message.contains("ψ"), "\(template): \(error)")
            }
        }
        #expect(rendered > rounds / 20)
    }
}
