import JSON
import RegularExpressions
import Testing

@testable import Grammars

@Suite struct PatternTests {
    private let patterns = [
        "b", "^b", "b$", "^b$", "^a|b$", "(a|b)*c", "^(ab){2,3}$", "a?b+c*", "[a-c]{2}", "[^a-c]", "^[^\\d]+$",
        "\\d{3}-\\d",
        "^\\w+\\s\\w+$", "^(?:a(?=b)|.)*$", "x|y|", "^$", "^(a|ab)(c|bcd)$", "a.c", "^.{3}$", "\\.",
        "^\\u0041[\\u4e00-\\u9fff]$",
        "^(?=.*\\d)(?=.*[a-z]).{4,}$", "^(?!abc)[a-d]+$", "[\\]\\-x]", "^a{0}b$", "^(a*)*$", "^é$",
    ]
    private let texts = [
        "", "a", "b", "ab", "abc", "xyz", "xb", "ba", "abab", "ababab", "abababab", "aabbcc", "acc", "123-4", "12-3",
        "foo bar", "foo  bar", "A中", "B中", "a\nc", "a1b2", "abcd", "dcba", "a-b]", "é", "e\u{301}", "中", "1234", "abc1",
        "x",
    ]

    @Test func `texts are found as PCRE2 finds them`() throws {
        for source in patterns {
            // PCRE2's $ also stands before a last line break, which ECMA-262's does not.
            let judge = source.replacing("\\u0041", with: "A").replacing("\\u4e00-\\u9fff", with: "一-鿿")
            let expression = try? RegularExpression(judge)
            guard let automaton = try? PatternParser.parse(source).automaton(), let expression else {
                #expect(source.contains("(?=b)"), "\(source)")
                continue
            }
            // The wrapper looks for nothing in an empty text.
            for text in texts where !text.isEmpty {
                #expect(
                    automaton.accepts(text.unicodeScalars) == !expression.matches(
                        in: Array(text.utf8), range: 0..<text.utf8.count, includesEmpty: true
                    ).isEmpty,
                    "\(source) in \(text.debugDescription)")
            }
        }
    }

    @Test(arguments: [
        ("(", "')' is expected"), ("a)", "closes no group"), ("*", "repeats nothing"), ("a{2,1}", "no range"),
        ("[b-a]", "ends before"),
        ("\\1", "no regular language"), ("\\bx", "word's border"), ("(?<=a)b", "look-behind"),
        ("\\p{Klingon}", "not supported"),
        ("a{99999}", "repetitions"), ("\\q", "means nothing"), ("[a", "']' is expected"),
    ])
    func `what is no pattern, or no regular language, is refused by its place`(source: String, says: String) {
        #expect { try PatternParser.parse(source) } throws: { "\($0)".contains(says) && "\($0)".contains("character") }
    }

    @Test func `Boolean operations are those of sets`() throws {
        let automata = patterns.compactMap { try? PatternParser.parse($0).automaton() }
        for (index, a) in automata.enumerated() {
            let b = automata[(index * 7 + 3) % automata.count]
            let (both, either, other) = try (a.intersection(b), a.union(b), a.complement())
            let minus = try a.subtracting(b), small = a.minimized()
            for text in texts.map(\.unicodeScalars) {
                #expect(both.accepts(text) == (a.accepts(text) && b.accepts(text)))
                #expect(either.accepts(text) == (a.accepts(text) || b.accepts(text)))
                #expect(other.accepts(text) == !a.accepts(text) && small.accepts(text) == a.accepts(text))
                #expect(minus.accepts(text) == (a.accepts(text) && !b.accepts(text)))
            }
        }
    }

    @Test func `an explosive pattern is refused in bounded time and memory`() {
        for source in ["^(a|aa)+$", "(.*a){3}.{14}$", "^((a{1,100}){1,100}){1,100}$", "(x+x+)+y"] {
            do throws(GrammarError) {
                let automaton = try PatternParser.parse(source).automaton()
                #expect(automaton.stateCount <= ScalarAutomaton.stateLimit)
            } catch {
                #expect(error.code == .tooComplex)
            }
        }
    }
}
