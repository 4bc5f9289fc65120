import ConfigurationFiles
import PromptRouting
import Testing

@Suite struct RoutingTableTests {
    private let standard: RoutingTable

    init() throws { standard = try .standard() }

    private func table(_ text: String) throws -> RoutingTable {
        try RoutingTable(text, file: "routes.yaml")
    }

    private func error(_ text: String) -> ConfigurationError? {
        do {
            _ = try table(text)
            return nil
        } catch { return error as? ConfigurationError }
    }

    // MARK: The standard table

    @Test(arguments: [
        "draw a blue potion", "Please draw me a cat", "can you paint a lighthouse at dusk?", "a picture of a red book",
        "Generate an image of a castle", "I'd like you to draw a tree", "make me a pixel art sword icon",
        "show me a painting of the sea", "画一只猫", "请画一幅山水", "帮我画个红色的药水", "生成一张城堡的图片",
        "来一张可爱的小狗头像", "畫一隻貓", "能画一本书吗", "给我做一张海报，主题是春天", "Sketch the outline of a horse",
        "Hello, could you please draw a house?", "设计一个图标", "I want a picture of my dog",
    ])
    func `a request to draw goes to a model that draws`(_ text: String) {
        let decision = standard.decide(RoutingRequest(kind: .chat, model: "auto", text: text))
        #expect(decision.targets.first?.model == .anyImage, "\(decision.steps)")
    }

    @Test(arguments: [
        "write a poem about a painting", "what conclusion can we draw?", "draw a conclusion from these notes",
        "how do I draw a cat?", "写一首关于画家的诗", "怎么画猫", "explain picture books", "make a list of cities",
        "how can I build a docker image", "我们计划去看画展", "Who painted the Mona Lisa?", "give me a recipe for bread",
        "写一首关于明月的诗", "What is in this picture?", "generate an image caption prompt", "design a database schema",
        "I need to draw up a contract", "the curtains draw closed at night", "为什么画蛇添足是成语",
    ])
    func `a request to write stays with a model that writes`(_ text: String) {
        let decision = standard.decide(RoutingRequest(kind: .chat, model: "auto", text: text))
        #expect(decision.targets.first?.model == .anyText, "\(decision.steps)")
    }

    @Test func `a model that a client names is its own choice`() {
        let decision = standard.decide(RoutingRequest(kind: .chat, model: "my-llama", text: "draw a cat"))
        #expect(decision.targets == [RouteTarget(.named("my-llama"))])
        #expect(decision.route == nil)
    }

    @Test func `presets for the common uses ship in English and Chinese`() throws {
        let names = [
            "article", "contract-draft", "game-dialogue", "lesson-quiz", "logo-idea", "marketing-copy",
            "product-concept",
            "report", "social-post", "verse",
        ]
        #expect(standard.presets.keys.sorted() == names)
        for preset in standard.presets.values {
            #expect(preset.languages == [.zh, .en], "\(preset.name)")
            for text in ["a subject", "一个题目"] {
                let wording = try #require(preset.wording(for: text))
                #expect(!wording.examples.isEmpty && wording.system != nil, "\(preset.name)")
                let filled = wording.template.filled(preset.variables.merging(["input": text]) { $1 })
                #expect(filled.contains(text) && !filled.contains("{{"), "\(preset.name)")
            }
        }
    }

    @Test func `a preset is asked for by a field or behind the model's name`() {
        let request = RoutingRequest(kind: .chat, model: "auto+verse", text: "the moon")
        #expect(standard.decide(request).preset?.name == "verse")
        #expect(standard.decide(request).targets.first?.model == .anyText)
        let other = RoutingRequest(kind: .chat, model: "c+unknown", text: "the moon")
        #expect(standard.decide(other).targets == [RouteTarget(.named("c+unknown"))])
        #expect(
            standard.decide(RoutingRequest(kind: .chat, model: "m", text: ""), preset: "report").preset?.name
                == "report")
    }

    // MARK: Rules

    @Test func `the first route whose conditions all hold takes the request`() throws {
        let table = try table(
            """
            aliases: {gpt-4o: large}
            routes:
              - name: long
                when: {longer_than: 100, model: "lar*"}
                to: large-8k
              - name: chinese
                when: {language: zh, kind: [chat, completion]}
                to: qwen
                fallback: [large, small]
                filter: strict
                limits: {max_tokens: 64, timeout_ms: 2000, requests_per_minute: 5}
              - name: staff
                when: {key: "staff-*", text: '\\bSQL\\b'}
                to: coder
            """)
        func target(_ request: RoutingRequest) -> String { table.decide(request).targets[0].description }
        #expect(target(.init(kind: .chat, model: "gpt-4o", text: "hello")) == "large")
        #expect(target(.init(kind: .chat, model: "gpt-4o", text: "hello", length: 101)) == "large-8k")
        #expect(target(.init(kind: .image, model: "gpt-4o", text: "你好，世界")) == "large")
        #expect(target(.init(kind: .chat, model: "m", text: "some sql please", key: "staff-7")) == "coder")
        #expect(target(.init(kind: .chat, model: "m", text: "some sql please", key: "guest")) == "m")
        let decision = table.decide(.init(kind: .chat, model: "gpt-4o", text: "你好，世界"))
        #expect(decision.targets.map(\.description) == ["qwen", "large", "small"])
        #expect(decision.filter == "strict" && decision.route == "chinese")
        #expect(decision.limits.maxTokens == 64 && decision.limits.requestsPerMinute == 5)
        #expect(!decision.steps.joined().contains("你好"))
    }

    @Test func `a route that names no model leaves that to those after it`() throws {
        let table = try table("routes:\n  - {name: guests, when: {key: guest}, limits: {max_tokens: 5}}")
        let decision = table.decide(.init(kind: .chat, model: "auto", text: "画一只猫", key: "guest"))
        #expect(decision.route == "guests" && decision.limits.maxTokens == 5)
        #expect(decision.targets.first?.model == .anyImage)
        let named = table.decide(.init(kind: .chat, model: "m", text: "", key: "guest"))
        #expect(named.route == "guests" && named.targets == [RouteTarget(.named("m"))])
    }

    @Test func `weights share users out, and each user keeps to one side`() throws {
        let table = try table(
            """
            routes:
              - name: canary
                to: [{model: old, weight: 90}, {model: new, weight: 10, revision: ab12}]
            """)
        var counts: [String: Int] = [:]
        for user in 0..<5_000 {
            let request = RoutingRequest(kind: .chat, model: "m", text: "", user: "user \(user)")
            let target = table.decide(request).targets[0].description
            counts[target, default: 0] += 1
            #expect(table.decide(request).targets[0].description == target)
        }
        #expect((400...600).contains(counts["new revision ab12"] ?? 0))
        let first = RoutingRequest(kind: .chat, model: "m", text: "", chance: 0.89)
        let last = RoutingRequest(kind: .chat, model: "m", text: "", chance: 0.91)
        #expect(table.decide(first).targets[0].description == "old")
        #expect(table.decide(last).targets[0].description == "new revision ab12")
    }

    @Test func `what a user brings is never read as a template`() throws {
        let table = try table(
            """
            presets:
              p:
                variables: {tone: dry}
                en: {template: "{{tone}}: {{ input }}"}
            """)
        let preset = try #require(table.presets["p"])
        let wording = try #require(preset.wording(for: "x"))
        #expect(wording.template.filled(["tone": "dry", "input": "{{tone}}"]) == "dry: {{tone}}")
    }

    // MARK: Files that are wrong

    @Test func `an error names the line and what is known there`() {
        let unknown = error("routes:\n  - name: a\n    too: b\n")
        #expect(unknown?.line == 3 && unknown?.column == 5)
        #expect(unknown?.message.contains("'too' is not known here") == true)
        #expect(error("routes:\n  - to: b\n")?.line == 2)
        #expect(error("routes:\n  - name: a\n    when: {language: english}\n")?.message.contains("zh, en") == true)
        #expect(error("routes:\n  - name: a\n    when: {text: '('}\n")?.line == 3)
        #expect(error("routes:\n  - {name: a, preset: nothing}\n")?.message.contains("article") == true)
        #expect(error("routes:\n  - {name: a}\n  - {name: a}\n")?.line == 3)
        #expect(error("routes:\n  - name: a\n    limits: {max_tokens: 0}\n")?.line == 3)
        #expect(error("routes: [\n")?.line ?? 0 > 0)
        #expect(error("a: 1\na: 2\n")?.message.contains("twice") == true)
        #expect(error("presets:\n  p:\n    en: {template: 'no place'}\n")?.line == 3)
        #expect(error("presets:\n  p:\n    en: {template: '{{input}} {{other}}'}\n")?.message.contains("other") == true)
        #expect(error("- 1\n")?.line == 1)
        #expect(error("") == nil)
    }

    @Test func `a hostile text costs a pattern no more than its limit`() throws {
        let table = try table("routes:\n  - name: a\n    when: {text: '(a+)+$'}\n    to: b\n")
        let text = String(repeating: "a", count: 3_000) + "!"
        #expect(table.decide(.init(kind: .chat, model: "m", text: text)).route == nil)
    }
}

@Suite struct LanguageTests {
    @Test(arguments: [
        ("写一首诗", Language.zh), ("用 Swift 写一个函数", .zh), ("Write a poem", .en), ("こんにちは、元気ですか", .ja),
        ("안녕하세요", .ko), ("Привет, мир", .other), ("Écrivez à l’été où naît la forêt", .other),
        ("naïve café, please tell me more about it then", .en),
        ("What does 道 mean in the text?", .en), ("「東京」の意味", .ja),
    ])
    func `the script tells the language`(_ text: String, _ language: Language) {
        #expect(Language(of: text) == language)
    }

    @Test func `a text without letters has none`() { #expect(Language(of: "123 !? 🎉") == nil) }
}
