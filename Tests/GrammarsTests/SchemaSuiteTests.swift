import Foundation
import JSON
import Testing

@testable import Grammars

/// A schema with texts that are values of it, or not.
struct SchemaCases: Decodable {
    struct Case: Decodable {
        var valid: Bool
        var texts: [String]
    }

    var file: String
    var name: String
    var schema: String
    var cases: [Case]

    static let suite: [SchemaCases] = {
        let url = URL(fileURLWithPath: Bundle.module.bundlePath + "/Goldens/suite.json")
        return (try? JSONDecoder().decode([SchemaCases].self, from: Data(contentsOf: url))) ?? []
    }()

    func grammar(_ vocabulary: TokenVocabulary) throws -> CompiledGrammar {
        try CompiledGrammar(schema: JSONParser.parse(Array(schema.utf8)), vocabulary)
    }
}

/// Each byte is a token, then some strings that cross the borders of JSON's signs; the last one ends a text.
enum SmallVocabulary {
    private static let strings = [
        "\"}", "\",", "\":", "\": ", "\", \"", "{\"", "}}", "},", "]}", "],", "1,", "12", "true", "false", "null", ", ",
        "foo", "bar", "\"foo\"", "\"foo\":", "[1, ", "[[", "\"a", "a\"", "\\u00", "é", "中文", "\n  ", "0.5", "e-0",
        "\"]",
        "\"],", "a\": ", "{}", "[]", "\"\"", "1]", "2}", "aaaaaaaa",
    ]
    static let tokens: [[UInt8]?] = (0..<256).map { [UInt8($0)] } + strings.map { Array($0.utf8) } + [nil]
    static let end = Int32(tokens.count - 1)
    static let all = TokenVocabulary(tokens: tokens, endTokens: [end])
}

/// Whether a text is let through, byte by byte: what is accepted is what the mask has.
func follows(_ grammar: CompiledGrammar, _ text: String) throws -> Bool {
    var matcher = GrammarMatcher(grammar)
    for byte in text.utf8 {
        let mayFollow = try matcher.mask().contains(Int32(byte))
        let isAccepted = try matcher.accept([byte])
        #expect(mayFollow == isAccepted, "\(text)")
        if !isAccepted { return false }
    }
    return matcher.canEnd
}

@Suite struct SchemaSuiteTests {
    @Test func `no invalid instance of JSON-Schema-Test-Suite is let through, and most schemas are enforced`() throws {
        let groups = SchemaCases.suite
        #expect(groups.count == 368)
        var (enforced, valid, accepted) = (0, 0, 0)
        for group in groups {
            guard let grammar = try? group.grammar(SmallVocabulary.all) else { continue }
            enforced += 1
            for instance in group.cases {
                for text in instance.texts {
                    let isAccepted = try follows(grammar, text)
                    #expect(!isAccepted || instance.valid, "\(group.file), \(group.name): \(text)")
                    if instance.valid { (valid, accepted) = (valid + 1, accepted + (isAccepted ? 1 : 0)) }
                }
            }
        }
        #expect(enforced >= 331)
        #expect(Double(accepted) / Double(valid) >= 0.97, "\(accepted) of \(valid)")
    }

    @Test func `whatever is allowed leads to a whole value`() throws {
        var random = SplitMix(state: 1)
        for group in SchemaCases.suite {
            guard let grammar = try? group.grammar(SmallVocabulary.all) else { continue }
            for _ in 0..<4 { try walk(grammar, group, &random) }
        }
    }

    /// Follows allowed tokens at random, closing signs rather after a while, and holds masks against what is accepted.
    private func walk(_ grammar: CompiledGrammar, _ group: SchemaCases, _ random: inout SplitMix) throws {
        var matcher = GrammarMatcher(grammar)
        var text: [UInt8] = []
        let closing: [Int32] = [0x22, 0x5D, 0x7D]
        for step in 0..<300 {
            let mask = try matcher.mask()
            let allowed = (0..<Int32(SmallVocabulary.tokens.count)).filter { mask.contains($0) }
            #expect(!allowed.isEmpty, "\(group.file), \(group.name): \(String(decoding: text, as: UTF8.self))")
            #expect(mask.contains(SmallVocabulary.end) == matcher.canEnd)
            if step % 16 == 5 {
                for id in 0..<SmallVocabulary.end {
                    var copy = matcher
                    #expect(try copy.accept(id) == mask.contains(id), "\(group.name), token \(id)")
                }
            }
            let closers = closing.filter { mask.contains($0) }
            let choice =
                step > 40 && !closers.isEmpty
                ? closers.randomElement(using: &random) : allowed.randomElement(using: &random)
            guard let id = choice, id != SmallVocabulary.end else { break }
            #expect(try matcher.accept(id))
            text += SmallVocabulary.tokens[Int(id)] ?? []
        }
        if matcher.canEnd { #expect(throws: Never.self) { try JSONParser.parse(text) } }
    }

    private static let notes =
        (ProcessInfo.processInfo.environment["NEPHELE_SHARED"] ?? "../shared") + "/notes/structured-output.md"

    @Test(.enabled(if: FileManager.default.fileExists(atPath: Self.notes), "the shared notes are not here"))
    func `pydantic's schemas let their values through and nothing else`() throws {
        let text = try String(contentsOfFile: Self.notes, encoding: .utf8)
        let section = try #require(text.components(separatedBy: "### Appendix: pydantic").dropFirst().first)
        let own = try #require(section.components(separatedBy: "\n### ").first)
        var grammar: CompiledGrammar?
        var (name, counts) = ("", [0, 0])
        for line in own.split(separator: "\n") {
            if line.hasPrefix("**"), let start = line.firstIndex(of: "`"), let end = line.lastIndex(of: "`"),
                start < end
            {
                let schema = line[line.index(after: start)..<end]
                name = String(line.prefix(40))
                // Some are cut short there.
                grammar = try? CompiledGrammar(schema: JSONParser.parse(Array(schema.utf8)), SmallVocabulary.all)
            }
            guard let grammar, line.hasPrefix("| `"), let end = line.range(of: "` | ") else { continue }
            let value = line[line.index(line.startIndex, offsetBy: 3)..<end.lowerBound].replacing("⏎", with: "\n")
            let isValid = line[end.upperBound...].hasPrefix("valid")
            // Digits are ASCII's, as ECMA-262 has them; pydantic's own are all of Unicode.
            if value.contains("１２３４") { continue }
            counts[isValid ? 0 : 1] += 1
            #expect(try follows(grammar, String(value)) == isValid, "\(name): \(value)")
        }
        #expect(counts[0] >= 80 && counts[1] >= 35, "\(counts)")
    }
}

/// Steele, Lea and Flood, «Fast splittable pseudorandom number generators» (2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
