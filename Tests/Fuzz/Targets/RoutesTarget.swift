import PromptRouting

/// The gateway's routes: YAML with patterns and presets.
struct RoutesTarget: FuzzTarget {
    let kind = SampleKind.text
    let samples: [[UInt8]]

    init() throws {
        samples =
            try ["presets.yaml", "standard.yaml"].map { try Corpus.file("../Sources/PromptRouting/" + $0) }
            + [
                """
                aliases: { fast: nephele-verse, "slow": 'big' }
                intents:
                  draw: { any: ["\\\\bdraw\\\\b", "画"], none: ["don't"] }
                routes:
                  - when: { kind: chat, model: "a*", language: zh, longer_than: 10, key: k }
                    to: [{ model: a, weight: 3 }, { model: b, weight: 1 }]
                    fallback: [c]
                    requests_per_minute: 10
                presets:
                  p:
                    system: "You are {name}"
                    values: { name: x }
                    examples:
                      - { user: a, assistant: b }

                """
            ].map { Array($0.utf8) }
    }

    mutating func run(_ input: [UInt8]) throws {
        guard let table = try? RoutingTable(String(decoding: input, as: UTF8.self), file: "/nowhere/routes.yaml") else {
            return
        }
        for kind in RoutingRequest.Kind.allCases {
            for text in ["", "draw a 画 book, don't", String(repeating: "a", count: 5_000)] {
                _ = table.decide(RoutingRequest(kind: kind, model: "auto", text: text, chance: 0.5))
                _ = table.decide(RoutingRequest(kind: kind, model: "ab", text: text, user: "u", key: "k"), preset: "p")
            }
        }
    }
}
