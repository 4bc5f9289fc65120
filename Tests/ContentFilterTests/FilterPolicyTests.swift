import ConfigurationFiles
import Testing

@testable import ContentFilter

@Suite struct FilterPolicyTests {
    @Test func `a policy is read with its rules, phrases and patterns`() throws {
        let policy = try FilterPolicy(
            """
            rules:
              - name: projects
                categories: [ours/projects]
                action: redact
                replacement: "[project]"
              - {name: harm, categories: ["hate/*", hate], threshold: 0.8, direction: [in, image], action: block}
            phrases:
              - {category: ours/projects, phrases: [Project Zeus, 宙斯计划]}
            patterns:
              - {name: ticket, category: ours/projects, pattern: 'ZEUS-[0-9]{1,6}'}
            """, file: "p.yaml")
        let filter = try ContentFilter(policy)
        #expect(
            filter.check("on project  ZEUS, 宙斯計劃 and ZEUS-12.", .out).text == "on [project], [project] and [project].")
        #expect(filter.check("you faggot", .out).verdict.hits.isEmpty)
        #expect(filter.check("you faggot", .image).verdict.block?.rule == "harm")
    }

    @Test(arguments: [
        (
            "rules:\n  - {name: a, categories: [hate], action: explode}",
            "p.yaml:2:43: 'explode' is none of flag, redact, block"
        ),
        ("rules:\n  - {name: a, categories: [hat], action: flag}", "p.yaml:2:5: nothing finds the category 'hat'"),
        ("rule: []", "p.yaml:1:1: 'rule' is not known here; known are: rules, phrases, patterns"),
        (
            "rules:\n  - {name: a, categories: [hate], action: flag, threshold: 2}",
            "p.yaml:2:60: '2' is not a number of 0.0 to 1.0"
        ),
        ("rules:\n  - {categories: [hate], action: flag}", "p.yaml:2:5: 'name' is missing"),
        ("rules: 3", "p.yaml:1:8: a list is expected here"),
        (
            "patterns:\n  - {name: x, category: y, pattern: '('}",
            "p.yaml:2:37: pattern 'x': regular expression \"(\", at byte 1: missing closing parenthesis"
        ),
        (
            "patterns:\n  - {name: x, category: y, pattern: '(?<=aaaaaaaaaaaaaaaaaaaa)b'}",
            "p.yaml:2:37: pattern 'x' looks back 20 characters; 16 are kept"
        ),
        (
            "rules:\n- {name: a, categories: [hate], action: flag}\n- {name: a, categories: [hate], action: flag}",
            "p.yaml:3:3: there are two rules of the name 'a'"
        ),
    ])
    func `what is wrong is named with its line`(text: String, message: String) {
        let error = #expect(throws: ConfigurationError.self) { try FilterPolicy(text, file: "p.yaml") }
        #expect(error?.description == message)
    }

    @Test func `a phrase without letters, or with too many words, is refused`() {
        for text in ["...", String(repeating: "a ", count: 30)] {
            #expect(throws: FilterError.self) { try PhraseAutomaton([Phrase(text, .hate, score: 1)]) }
        }
    }

    @Test func `the standard policy blocks sexual text about minors and lets the rest pass, flagged`() throws {
        let filter = ContentFilter(.standard, listsAndPatterns)
        #expect(filter.check("child porn", .in).verdict.isBlocked)
        let flagged = filter.check("my card is 4012888888881881, faggot", .out)
        #expect(flagged.text == "my card is 4012888888881881, faggot")
        #expect(Set(flagged.verdict.hits.map(\.rule)) == ["personal-data", "harm"])
    }
}
