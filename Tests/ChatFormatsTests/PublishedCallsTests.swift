import Foundation
import JSON
import Testing

@testable import ChatFormats

/// Turns that published chat templates write, which is what models of their families have been trained to write.
@Suite struct PublishedCallsTests {
    private static let goldens = Bundle.module.url(forResource: "calls", withExtension: "json")
        .flatMap { try? Data(contentsOf: $0) }.flatMap { try? JSONParser.parse(Array($0)) }

    /// Templates whose calls are written in a form that is not known; answers of such models are content.
    private static let unknown: Set<String> = [
        "GigaChat3-10B-A1.8B", "Kimi-K3", "meetkai-functionary-medium-v3.2", "muse-glimmer",
    ]

    private struct Turn {
        var template: String
        var form: ToolForm
        var text: String
        var calls: [ReadCall]
    }

    private func turns() throws -> [Turn] {
        let goldens = try #require(Self.goldens)
        var turns: [Turn] = []
        for template in goldens["templates"]?.elements ?? [] {
            let name = try #require(template["template"]?.text)
            let marks = (template["marks"]?.elements ?? []).compactMap(\.text).joined(separator: "\n")
            guard case .object(let texts)? = template["turns"], !Self.unknown.contains(name) else { continue }
            let form = try #require(ToolForm.described(by: marks), "\(name)")
            for (key, text) in texts.members {
                let calls = (goldens["cases"]?[key]?.elements ?? []).map {
                    ReadCall(name: $0.elements?[0].text ?? "", arguments: canonical($0.elements?[1] ?? .null))
                }
                // Some templates write the first call only.
                let isOne = ["openai-gpt-oss-120b", "GigaChat3.1-10B-A1.8B"].contains(name)
                turns.append(
                    Turn(
                        template: name, form: form, text: text.text ?? "", calls: isOne ? Array(calls.prefix(1)) : calls
                    ))
            }
        }
        return turns
    }

    @Test func `calls are read as templates write them`() throws {
        let goldens = try #require(Self.goldens)
        let tools = try Tool.list(try #require(goldens["tools"]))
        let turns = try turns()
        #expect(Set(turns.map(\.template)).count >= 45)
        for turn in turns {
            var parser = AnswerParser(turn.form, tools: tools)
            let read = ReadAnswer(parser.feed(turn.text, isLast: true))
            #expect(read.calls.map(\.canonical) == turn.calls, "\(turn.template): \(turn.text)")
        }
    }

    @Test func `how a text is cut changes nothing`() throws {
        let goldens = try #require(Self.goldens)
        let tools = try Tool.list(try #require(goldens["tools"]))
        var random = SystemRandomNumberGenerator()
        for turn in try turns() {
            // Something is thought and said before the calls, unless they have no sign.
            let text =
                turn.form.opening.isEmpty ? turn.text : "<think>\n12 < 3 </thin\n</think>\n\nWell. <tool\n" + turn.text
            var parser = AnswerParser(turn.form, tools: tools, reasoning: .named("think"))
            let whole = ReadAnswer(parser.feed(text, isLast: true))
            for most in [1, 2, 7, 40] {
                var parser = AnswerParser(turn.form, tools: tools, reasoning: .named("think"))
                var pieces: [AnswerPiece] = []
                var rest = Array(text.unicodeScalars)[...]
                while !rest.isEmpty {
                    let count = most == 1 ? 1 : Int.random(in: 1...most, using: &random)
                    pieces += parser.feed(String(String.UnicodeScalarView(rest.prefix(count))))
                    rest = rest.dropFirst(count)
                }
                pieces += parser.feed("", isLast: true)
                #expect(ReadAnswer(pieces) == whole, "\(turn.template), at most \(most) at a time: \(text)")
            }
        }
    }
}

/// A call of an answer that has been read.
struct ReadCall: Equatable {
    var name: String
    var arguments: String

    /// With its arguments in an order that does not depend on how they are written.
    var canonical: ReadCall {
        let value = try? JSONParser.parse(Array(arguments.utf8))
        return ReadCall(name: name, arguments: value.map(ChatFormatsTests.canonical) ?? "no JSON: \(arguments)")
    }
}

/// An answer's pieces, joined.
struct ReadAnswer: Equatable {
    var content = ""
    var reasoning = ""
    var calls: [ReadCall] = []

    init(_ pieces: [AnswerPiece]) {
        for piece in pieces {
            switch piece {
            case .content(let text): content += text
            case .reasoning(let text): reasoning += text
            case .call(let number, let name):
                #expect(number == calls.count)
                calls.append(ReadCall(name: name, arguments: ""))
            case .arguments(let number, let text): calls[number].arguments += text
            }
        }
    }
}

func canonical(_ value: JSONValue) -> String {
    switch value {
    case .object(let object):
        let members = object.members.sorted { $0.key < $1.key }.map { "\($0.key): \(canonical($0.value))" }
        return "{\(members.joined(separator: ", "))}"
    case .array(let elements): return "[\(elements.map(canonical).joined(separator: ", "))]"
    default: return String(decoding: value.bytes, as: UTF8.self)
    }
}
