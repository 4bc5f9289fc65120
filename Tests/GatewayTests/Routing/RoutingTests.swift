import Foundation
import FoundationNetworking
import Testing

@Suite(.timeLimit(.minutes(5)), .serialized) struct RoutingTests {
    private func chat(_ model: String, _ text: String, _ more: String = "") -> String {
        #"{"model":"\#(model)","max_tokens":4,"seed":3,"messages":[{"role":"user","content":"\#(text)"}]\#(more)}"#
    }

    @Test func `a request to draw through chat is answered with the picture that the image route draws`() async throws {
        try await withWholeGateway { client in
            let answer = try await post(client, "/v1/chat/completions", chat("auto", "draw a blue potion"))
            #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self).prefix(300))")
            let body = try json(answer.body)
            #expect(body["model"] as? String == "tiny")
            let message = try #require((body["choices"] as? [[String: Any]])?.first?["message"] as? [String: Any])
            let content = try #require(message["content"] as? String)
            let images = try #require(message["images"] as? [[String: Any]])
            let url = try #require((images.first?["image_url"] as? [String: Any])?["url"] as? String)
            #expect(content == "![picture, seed 3](\(url))")

            let drawn = try await post(
                client, "/v1/images/generations", #"{"model":"auto","prompt":"draw a blue potion","seed":3}"#)
            let picture = try #require(
                (try json(drawn.body)["data"] as? [[String: Any]])?.first?["b64_json"] as? String)
            #expect(url == "data:image/png;base64," + picture)

            let streamed = try await post(
                client, "/v1/chat/completions", chat("auto", "draw a blue potion", #","stream":true"#))
            let events = String(decoding: streamed.body, as: UTF8.self)
            #expect(events.contains(picture) && events.hasSuffix("data: [DONE]\n\n") && events.contains(": step 1 of"))
        }
    }

    @Test func `a picture of an earlier turn does not come back as tokens`() async throws {
        try await withWholeGateway { client in
            func prompt(_ answer: String) -> String {
                #"{"model":"llama","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"\#(answer)"},"#
                    + #"{"role":"user","content":"b"}]}"#
            }
            let picture = "![picture](data:image/png;base64,\(String(repeating: "A", count: 3_000)))"
            let answer = try await post(
                client, "/v1/chat/completions", prompt(picture).dropLast() + #","max_tokens":1}"#)
            #expect(answer.status == 200)
            let tokens = (try json(answer.body)["usage"] as? [String: Any])?["prompt_tokens"] as? Int
            let short = try await post(
                client, "/v1/chat/completions", prompt("![picture]").dropLast() + #","max_tokens":1}"#)
            #expect((try json(short.body)["usage"] as? [String: Any])?["prompt_tokens"] as? Int == tokens)
        }
    }

    @Test func `routes choose the model, cap the answer, fall back, and limit the rate`() async throws {
        let routes = """
            aliases: {gpt-4o: llama}
            presets:
              shout:
                variables: {mark: "!"}
                en: {system: "Shout.", template: "{{input}}{{mark}}"}
            routes:
              - name: chinese
                when: {language: zh}
                to: qwen
                fallback: llama
                limits: {max_tokens: 2}
              - name: rare
                when: {model: rare}
                to: llama
                limits: {requests_per_minute: 1}
            """
        try await withWholeGateway(routes: routes) { client in
            let alias = try await post(client, "/v1/chat/completions", chat("gpt-4o", "hello"))
            #expect(try json(alias.body)["model"] as? String == "llama")

            let chinese = try await post(client, "/v1/chat/completions", chat("anything", "你好，世界"))
            #expect(try json(chinese.body)["model"] as? String == "llama")
            #expect((try json(chinese.body)["usage"] as? [String: Any])?["completion_tokens"] as? Int ?? 9 <= 2)

            #expect(try await post(client, "/v1/chat/completions", chat("rare", "x")).status == 200)
            let second = try await post(client, "/v1/chat/completions", chat("rare", "x"))
            #expect(second.status == 429)
            #expect((try json(second.body)["error"] as? [String: Any])?["code"] as? String == "rate_limit_exceeded")

            func promptTokens(_ body: String) async throws -> Int {
                let answer = try await post(client, "/v1/chat/completions", body)
                return try #require((try json(answer.body)["usage"] as? [String: Any])?["prompt_tokens"] as? Int)
            }
            let turns = #"[{"role":"system","content":"Shout."},{"role":"user","content":"hi?"}]"#
            let expected = try await promptTokens(#"{"model":"llama","max_tokens":1,"messages":\#(turns)}"#)
            let variables = #","preset":"shout","preset_variables":{"mark":"?"}"#
            #expect(try await promptTokens(chat("llama", "hi", variables)) == expected)
            #expect(try await promptTokens(chat("llama+shout", "hi")) == expected)
            let unknown = try await post(client, "/v1/chat/completions", chat("llama", "hi", #","preset":"nothing""#))
            #expect(unknown.status == 400)
            let wrong = try await post(
                client, "/v1/chat/completions", chat("llama", "hi", #","preset":"shout","preset_variables":{"a":"b"}"#))
            #expect(wrong.status == 400)
            #expect(try await post(client, "/v1/chat/completions", chat("nothing", "hi")).status == 404)

            let explained = try await post(client, "/admin/route", #"{"text":"你好","model":"m"}"#)
            let explanation = try json(explained.body)
            #expect(explanation["route"] as? String == "chinese")
            #expect(explanation["targets"] as? [String] == ["qwen", "llama"])
            let presets = try await client.execute(uri: "/v1/presets", method: "GET")
            let names = (try json(presets.body)["data"] as? [[String: Any]])?.compactMap { $0["id"] as? String }
            #expect(names?.contains("shout") == true && names?.contains("article") == true)
        }
    }
}
