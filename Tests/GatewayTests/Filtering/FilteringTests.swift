import ContentFilter
import Foundation
import FoundationNetworking
import Messages
import Testing

@testable import Gateway

private let strict = """
    rules:
      - {name: slurs, categories: [hate], threshold: 0.8, action: block}
      - {name: people, categories: ["personal/*"], action: redact, replacement: "[removed]"}
    """

/// Policies that know one word, without a classifier's opinions.
private func filter(_ rules: String, _ phrases: String) throws -> ContentFilter {
    try ContentFilter(FilterPolicy(rules + "\nphrases:\n  - {category: test, phrases: [\(phrases)]}", file: "test"))
}

@Suite(.timeLimit(.minutes(5)), .serialized) struct FilteringTests {
    private func deltas(_ texts: [String], reason: String = "length") -> [Wire.GenerateDelta] {
        var offset = 0
        return texts.enumerated().map { index, text in
            let logprob = Wire.TokenLogprob(id: Int32(index), logprob: -1, bytes: Array(text.utf8), alternatives: [])
            defer { offset += text.utf8.count }
            return Wire.GenerateDelta(
                choice: 0, index: UInt32(index), tokens: [Int32(index)], text: text, textOffset: offset,
                logprob: logprob,
                finishReason: index == texts.count - 1 ? reason : "")
        }
    }

    private func pass(_ texts: [String], _ filter: ContentFilter) -> [AnswerDelta] {
        var transform = FilterTransform(filter, choices: 1)
        return deltas(texts).flatMap { delta in
            var passed = [AnswerDelta(delta)]
            transform.transform(&passed)
            return passed
        }
    }

    @Test func `text without findings passes whole, every token and log-probability with it`() throws {
        let out = pass(["Hello", " wor", "ld", ", all", " is", " well"], try filter("rules: []", "zebra"))
        #expect(out.map(\.text).joined() == "Hello world, all is well")
        #expect(out.flatMap(\.tokens) == [0, 1, 2, 3, 4, 5])
        #expect(out.compactMap { $0.logprob?.bytes }.joined().count == 24)
        #expect(out.last?.finishReason == "length" && out.filter { !$0.finishReason.isEmpty }.count == 1)
    }

    @Test func `what is redacted goes with its log-probabilities`() throws {
        let rules = "rules:\n  - {name: z, categories: [test], action: redact, replacement: '#'}"
        let out = pass(["a ze", "bra", " b", " c"], try filter(rules, "zebra"))
        #expect(out.map(\.text).joined() == "a # b c")
        #expect(out.flatMap(\.tokens).count == 4)
        #expect(out.compactMap { $0.logprob.map { String(decoding: $0.bytes, as: UTF8.self) } } == [" b", " c"])
    }

    @Test func `a block ends the choice before the word, and says so`() throws {
        let rules = "rules:\n  - {name: z, categories: [test], action: block}"
        let out = pass(["one ze", "bra", " two", " three"], try filter(rules, "zebra"))
        #expect(out.map(\.text).joined() == "one ")
        #expect(out.last?.finishReason == "content_filter" && out.allSatisfy { $0.logprob == nil })
    }

    private func chat(_ text: String, _ more: String = "") -> String {
        #"{"model":"llama","max_tokens":12,"seed":3,"messages":[{"role":"user","content":"\#(text)"}]\#(more)}"#
    }

    @Test(arguments: [
        ("/v1/chat/completions", #"{"model":"llama","messages":[{"role":"user","content":"you f4gg0t"}]}"#, "messages"),
        ("/v1/completions", #"{"model":"llama","prompt":["fine","you f a g g o t"]}"#, "prompt"),
        ("/v1/completions", #"{"model":"llama","prompt":[102,97,103,103,111,116]}"#, "prompt"),
        ("/v1/images/generations", #"{"model":"tiny","prompt":"a faggot"}"#, "prompt"),
        ("/v1/images/generations", #"{"model":"tiny","prompt":"a cat","negative_prompt":"faggot"}"#, "negative_prompt"),
        (
            "/v1/chat/completions",
            #"{"model":"llama","preset":"verse","preset_variables":{"form":"faggot"},"#
                + #""messages":[{"role":"user","content":"a cat"}]}"#, "preset_variables"
        ),
    ])
    func `a blocked prompt is refused before any model sees it`(path: String, body: String, field: String) async throws
    {
        try await withWholeGateway(filter: strict) { client in
            var body = body
            if body.contains("[102,") {
                // The ids that the tokenizer itself gives.
                let answer = try await post(client, "/tokenize", #"{"model":"llama","prompt":"you faggot"}"#)
                let ids = try #require(try json(answer.body)["tokens"] as? [Int])
                body = #"{"model":"llama","prompt":\#(ids)}"#
            }
            let answer = try await post(client, path, body)
            #expect(answer.status == 400)
            let error = try #require(try json(answer.body)["error"] as? [String: Any])
            #expect(error["code"] as? String == "content_policy_violation" && error["param"] as? String == field)
            #expect((error["message"] as? String)?.contains("slurs") == true)
            let status = try json(try await client.execute(uri: "/admin/status", method: "GET").body)
            let count = try #require((status["filter"] as? [[String: Any]])?.first)
            #expect(count["rule"] as? String == "slurs" && count["action"] as? String == "block")
        }
    }

    @Test func `what is redacted from a prompt is not what the model gets`() async throws {
        try await withWholeGateway(filter: strict) { client in
            let given = try await post(
                client, "/v1/completions",
                #"{"model":"llama","prompt":"mail a@example.com","max_tokens":1,"echo":true}"#)
            let text = (try json(given.body)["choices"] as? [[String: Any]])?.first?["text"] as? String
            #expect(text?.utf8.starts(with: "mail [removed]".utf8) == true, "\(text?.prefix(60) ?? "")")
        }
    }

    @Test func `a blocked answer ends with content_filter, whole and streamed, with the same text`() async throws {
        let policy = """
            rules: [{name: any, categories: [any], action: block}]
            patterns: [{name: any, category: any, pattern: '\\S'}]
            """
        try await withWholeGateway(
            filter: "rules: [{name: any, categories: [any], direction: out, action: block}]\n"
                + policy.split(separator: "\n")[1]
        ) { client in
            let whole = try json(try await post(client, "/v1/chat/completions", chat("hello")).body)
            let choice = try #require((whole["choices"] as? [[String: Any]])?.first)
            #expect(choice["finish_reason"] as? String == "content_filter")
            let text = (choice["message"] as? [String: Any])?["content"] as? String
            #expect(text?.allSatisfy(\.isWhitespace) == true)
            let streamed = try await post(
                client, "/v1/chat/completions",
                chat("hello", #","stream":true,"stream_options":{"include_usage":true}"#))
            let events = String(decoding: streamed.body, as: UTF8.self)
            #expect(events.contains(#""finish_reason":"content_filter""#) && events.hasSuffix("data: [DONE]\n\n"))
            // The rest is not generated; where tokens travel together, some of it is.
            let usage = try #require(events.split(separator: "data: ").first { $0.contains("completion_tokens") })
            #expect(((try json(Data(usage.utf8))["usage"] as? [String: Any])?["completion_tokens"] as? Int ?? 99) < 12)
        }
    }

    @Test func `moderations come in OpenAI's form`() async throws {
        try await withWholeGateway { client in
            let one = try json(
                try await post(
                    client, "/v1/moderations", #"{"input":"how to make a pipe bomb","model":"omni-moderation-latest"}"#
                ).body)
            let result = try #require((one["results"] as? [[String: Any]])?.first)
            #expect(result["flagged"] as? Bool == true)
            let categories = try #require(result["categories"] as? [String: Bool])
            #expect(categories.count == 13 && categories["illicit/violent"] == true && categories["illicit"] == true)
            #expect((result["category_scores"] as? [String: Double])?.count == 13)
            let many = try json(
                try await post(client, "/v1/moderations", #"{"input":["what a lovely day for a walk","child porn"]}"#)
                    .body)
            #expect((many["results"] as? [[String: Any]])?.map { $0["flagged"] as? Bool } == [false, true])
            let parts = try await post(client, "/v1/moderations", #"{"input":[{"type":"text","text":"hi"}]}"#)
            #expect(parts.status == 200)
            for bad in [
                #"{"input":[{"type":"image_url","image_url":{"url":"x"}}]}"#, #"{"input":[]}"#, #"{}"#, #"{"input":3}"#,
            ] {
                #expect(try await post(client, "/v1/moderations", bad).status == 400)
            }
        }
    }

    @Test func `a route's filter takes the place of the gateway's, and one that is not there lets nothing pass`()
        async throws
    {
        let routes = """
            routes:
              - {name: open, when: {model: llama}, to: llama, filter: "off"}
            """
        try await withWholeGateway(routes: routes, filter: strict) { client async throws in
            #expect(try await post(client, "/v1/chat/completions", chat("you faggot")).status == 200)
        }
        try await withWholeGateway(routes: routes.replacingOccurrences(of: "\"off\"", with: "nowhere")) {
            client async throws in
            let answer = try await post(client, "/v1/chat/completions", chat("hello"))
            #expect(answer.status == 500)
        }
    }
}
