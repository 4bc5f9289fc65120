import Foundation
import PNG
import Synchronization
import Testing

private let marked = """
    labels:
      text:
        watermark: {keys: watermark.key, delta: 6}
    policies:
      plain: off
    """

@Suite(.timeLimit(.minutes(5)), .serialized) struct LabelTests {
    // MARK: Pictures

    /// What chunks of text a picture carries.
    private func texts(_ base64: some StringProtocol) throws -> [String: String] {
        let file = [UInt8](try #require(Data(base64Encoded: String(base64))))
        _ = try PNG.decode(file)
        return Dictionary(try PNG.chunks(of: file).compactMap(\.text).map { ($0.keyword, $0.text) }) { $1 }
    }

    /// The fields of a picture's metadata.
    private func metadata(_ base64: some StringProtocol) throws -> [String: String] {
        let json = try #require(try texts(base64)["AIGC"])
        return try JSONDecoder().decode([String: String].self, from: Data(json.utf8))
    }

    private func pictures(_ answer: WholeGatewayClient.Answer) throws -> [String] {
        #expect(answer.status == 200)
        return (try json(answer.body)["data"] as? [[String: Any]] ?? []).compactMap { $0["b64_json"] as? String }
    }

    /// The objects of an event stream.
    private func events(_ answer: WholeGatewayClient.Answer) throws -> [[String: Any]] {
        try String(decoding: answer.body, as: UTF8.self).split(separator: "\n").filter { $0.hasPrefix("data: {") }
            .map { try json(Data($0.dropFirst(6).utf8)) }
    }

    @Test func `every picture says that it is generated, whole and streamed, in chats and with several`() async throws {
        try await withWholeGateway { client in
            let draw = #"{"model":"tiny","prompt":"a secret garden","steps":1,"seed":5,"n":2"#
            var found = try pictures(try await post(client, "/v1/images/generations", draw + "}"))
            let streamed = try events(try await post(client, "/v1/images/generations", draw + #","stream":true}"#))
            found += streamed.compactMap { $0["b64_json"] as? String }
            let chat = #"{"model":"tiny","n":2,"messages":[{"role":"user","content":"a secret garden"}]"#
            for more in ["}", #","stream":true}"#] {
                let answer = try await post(client, "/v1/chat/completions", chat + more)
                let objects = more == "}" ? [try json(answer.body)] : try events(answer)
                for choice in objects.flatMap({ $0["choices"] as? [[String: Any]] ?? [] }) {
                    let text = choice["message"] ?? choice["delta"]
                    for image in (text as? [String: Any])?["images"] as? [[String: Any]] ?? [] {
                        let url = (image["image_url"] as? [String: String])?["url"] ?? ""
                        found.append(String(url.dropFirst("data:image/png;base64,".count)))
                    }
                }
            }
            #expect(found.count == 8)
            let all = try found.map { try metadata($0) }
            #expect(all.allSatisfy { $0["Label"] == "1" && $0["ContentProducer"] == "Nephele" && $0.count == 7 })
            // The same picture is the same file, however it comes; the chats' are of other seeds.
            #expect(found[..<2] == found[2..<4] && Set(all.compactMap { $0["ProduceID"] }).count == 6)
            // The prompt is its user's.
            for picture in found {
                #expect(try texts(picture).keys.sorted() == ["AIGC"])
                #expect(Data(base64Encoded: picture)?.firstRange(of: Data("garden".utf8)) == nil)
            }
        }
    }

    @Test func `parameters hold the user's prompt as the filter let it pass, and nothing of a preset`() async throws {
        let routes = """
            presets:
              ours: {en: {template: "{{input}}", picture: "in the house style, {{input}}"}}
            """
        try await withWholeGateway(
            routes: routes, filter: #"rules: [{name: p, categories: ["personal/*"], action: redact}]"#,
            labels: "labels: {pictures: {parameters: prompt, mark: on}}"
        ) { client in
            let body =
                #"{"model":"tiny","prompt":"a card for a@example.com","steps":2,"seed":7,"preset":"ours"}"#
            let drawn = try pictures(try await post(client, "/v1/images/generations", body))
            let text = try #require(try texts(drawn[0])["parameters"])
            let lines = text.split(separator: "\n")
            try #require(lines.count == 2)
            #expect(lines[0] == "a card for [redacted]")
            #expect(lines[1].hasPrefix("Steps: 2, Sampler: DDPM, CFG scale: 1.0, Seed: 7, Size: "), "\(lines[1])")
            #expect(lines[1].contains(", Model: tiny, Revision: fedcba987654, "))
        }
    }

    @Test func `a route has labels of its own, and a policy that is not there lets nothing pass`() async throws {
        let labels = "policies: {signed: {pictures: {aigc: {producer: Studio}}}}"
        func routes(_ policy: String) -> String {
            "routes: [{name: r, when: {model: tiny}, to: tiny, labels: \(policy)}]"
        }
        let body = #"{"model":"tiny","prompt":"a","steps":1}"#
        try await withWholeGateway(routes: routes("signed"), labels: labels) { client async throws in
            let drawn = try pictures(try await post(client, "/v1/images/generations", body))
            #expect(try metadata(drawn[0])["ContentProducer"] == "Studio")
            let why = try await post(client, "/admin/route", #"{"text":"a","model":"tiny","kind":"image"}"#)
            #expect(try json(why.body)["labels"] as? String == "signed")
        }
        try await withWholeGateway(routes: routes("\"off\""), labels: labels) { client async throws in
            let drawn = try pictures(try await post(client, "/v1/images/generations", body))
            #expect(try texts(drawn[0]).isEmpty)
        }
        try await withWholeGateway(routes: routes("nobody"), labels: labels) { client async throws in
            #expect(try await post(client, "/v1/images/generations", body).status == 500)
        }
    }

    // MARK: Notices

    private func chat(_ text: String, _ more: String = "") -> String {
        #"{"model":"llama","max_tokens":8,"seed":3,"ignore_eos":true,"messages":[{"role":"user","content":"\#(text)"}]\#(more)}"#
    }

    private func contents(_ answer: WholeGatewayClient.Answer) throws -> [String] {
        #expect(answer.status == 200)
        return (try json(answer.body)["choices"] as? [[String: Any]] ?? []).map {
            ($0["message"] as? [String: Any])?["content"] as? String ?? $0["text"] as? String ?? ""
        }
    }

    /// The texts of a stream's choices.
    private func streamed(_ answer: WholeGatewayClient.Answer) throws -> [Int: String] {
        var texts: [Int: String] = [:]
        for choice in try events(answer).flatMap({ $0["choices"] as? [[String: Any]] ?? [] }) {
            let text = (choice["delta"] as? [String: Any])?["content"] as? String ?? choice["text"] as? String
            texts[choice["index"] as? Int ?? -1, default: ""] += text ?? ""
        }
        return texts
    }

    @Test func `answers carry the notice in the language of the request, whole and streamed, and are no longer for it`()
        async throws
    {
        let unlabelled = Mutex<[String]>([])
        try await withWholeGateway { client async throws in
            let answer = try contents(try await post(client, "/v1/chat/completions", chat("hello", #","n":2"#)))
            unlabelled.withLock { $0 = answer }
        }
        let plain = unlabelled.withLock(\.self)
        for (place, notice) in [("end", "\n\nMade by AI."), ("start", "Made by AI.\n\n")] {
            let labels = "labels: {text: {notice: {place: \(place), en: Made by AI., zh: 人工智能生成}}}"
            try await withWholeGateway(labels: labels) { client async throws in
                let whole = try await post(client, "/v1/chat/completions", chat("hello", #","n":2"#))
                let expected = plain.map { place == "end" ? $0 + notice : notice + $0 }
                #expect(try contents(whole) == expected)
                #expect((try json(whole.body)["usage"] as? [String: Any])?["completion_tokens"] as? Int == 16)
                let stream = try await post(
                    client, "/v1/chat/completions",
                    chat("hello", #","n":2,"stream":true,"stream_options":{"include_usage":true}"#))
                #expect(try streamed(stream) == [0: expected[0], 1: expected[1]])
                let usage = try events(stream).compactMap { $0["usage"] as? [String: Any] }
                #expect(usage.last?["completion_tokens"] as? Int == 16)
                let chinese = try contents(try await post(client, "/v1/chat/completions", chat("你好")))[0]
                #expect(chinese.contains("人工智能生成") && !chinese.contains("Made by AI."))
                let completion = try await post(
                    client, "/v1/completions", #"{"model":"llama","prompt":["a","b"],"max_tokens":3,"seed":1}"#)
                #expect(try contents(completion).allSatisfy { $0.contains(notice) })
            }
        }
    }

    @Test func `a notice at the start moves the offsets of log-probabilities, and an empty answer has none`()
        async throws
    {
        let body = #"{"model":"llama","prompt":"abc","max_tokens":4,"seed":1,"ignore_eos":true,"logprobs":0"#
        try await withWholeGateway(labels: "labels: {text: {notice: {place: start, en: AI}}}") { client async throws in
            func first(_ more: String) async throws -> [String: Any] {
                let answer = try await post(client, "/v1/completions", body + more + "}")
                let object = more.contains("stream") ? try events(answer)[0] : try json(answer.body)
                return try #require((object["choices"] as? [[String: Any]])?.first)
            }
            func offsets(_ choice: [String: Any]) -> [Int] {
                (choice["logprobs"] as? [String: Any])?["text_offset"] as? [Int] ?? []
            }
            #expect(offsets(try await first("")).first == 4)
            #expect(offsets(try await first(#","stream":true"#)).first == 4)
            let echo = try await first(#","echo":true"#)
            #expect((echo["text"] as? String)?.hasPrefix("abcAI\n\n") == true)
            let own = offsets(echo)
            #expect(own[own.count - 4] == 7)
            let none = try await post(client, "/v1/completions", #"{"model":"llama","prompt":"abc","max_tokens":0}"#)
            #expect(try contents(none) == [""])
        }
    }

    private func turns(_ answer: String) -> String {
        #"{"model":"llama","max_tokens":1,"messages":[{"role":"user","content":"hi"},"#
            + #"{"role":"assistant","content":"\#(answer)"},{"role":"user","content":"and"}]}"#
    }

    @Test func `a model does not read the notice of its earlier answers`() async throws {
        try await withWholeGateway(labels: "labels: {text: {notice: on}}") { client async throws in
            func length(_ answer: String) async throws -> Int? {
                let whole = try await post(client, "/v1/chat/completions", turns(answer))
                return (try json(whole.body)["usage"] as? [String: Any])?["prompt_tokens"] as? Int
            }
            let plain = try await length("well")
            #expect(try await length("well\\n\\n(AI-generated)") == plain)
            #expect(try await length("well\\n\\n（本内容由人工智能生成）") == plain)
            #expect(try await length("well\\n\\n(AI-generator)") != plain)
        }
    }

    // MARK: Watermarks

    private func detect(_ client: WholeGatewayClient, _ texts: [String]) async throws -> [[String: Any]] {
        let body = try JSONSerialization.data(withJSONObject: ["model": "llama", "input": texts])
        let answer = try await client.execute(uri: "/v1/watermark/detect", method: "POST", body: body)
        #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
        let object = try json(answer.body)
        #expect(object["z_threshold"] as? Double == 4 && (object["false_positive_rate"] as? Double ?? 1) < 3.2e-5)
        return try #require(object["data"] as? [[String: Any]])
    }

    @Test func `generated text is told from other text, whole, streamed and cut`() async throws {
        // The tiny model's tokens are bytes: letters alone are text that is encoded to what it was made of.
        let letters = (64..<90).map { "\"\($0)\":100" }.joined(separator: ",")
        let body =
            #"{"model":"llama","max_tokens":200,"seed":9,"ignore_eos":true,"prompt":"hello","logit_bias":{\#(letters)}"#
        let unlabelled = Mutex("")
        try await withWholeGateway { client async throws in
            let answer = try contents(try await post(client, "/v1/completions", body + "}"))[0]
            unlabelled.withLock { $0 = answer }
        }
        let plain = unlabelled.withLock(\.self)
        let routes = "routes: [{name: r, when: {user: plain}, to: llama, labels: plain}]"
        try await withWholeGateway(routes: routes, labels: marked) { client async throws in
            let text = try contents(try await post(client, "/v1/completions", body + "}"))[0]
            #expect(text != plain)
            #expect(try contents(try await post(client, "/v1/completions", body + "}"))[0] == text)
            let stream = try streamed(try await post(client, "/v1/completions", body + #","stream":true}"#))[0]
            #expect(stream == text)
            let unmarked = try contents(try await post(client, "/v1/completions", body + #","user":"plain"}"#))[0]
            #expect(unmarked == plain)
            let scalars = Array(text.unicodeScalars)
            let cut = String(String.UnicodeScalarView(scalars[(scalars.count / 3)...]))
            let found = try await detect(client, [text, plain, cut, "", "a"])
            #expect(found.map { $0["prediction"] as? Bool } == [true, false, true, false, false])
            #expect((found[0]["z_score"] as? Double ?? 0) > 6 && (found[0]["p_value"] as? Double ?? 1) < 1e-8)
            #expect(found[3]["num_tokens_scored"] as? Int == 0 && found[3]["p_value"] as? Double == 1)
            #expect(found.map { $0["index"] as? Int } == [0, 1, 2, 3, 4])
            #expect((found[0]["key_id"] as? String)?.count == 8)
        }
    }

    @Test func `what is wrong with a request for detection is said`() async throws {
        try await withWholeGateway(labels: marked) { client async throws in
            for (body, status, parameter) in [
                ("", 400, nil), ("[]", 400, nil), ("{}", 400, "model"), (#"{"input":"a"}"#, 400, "model"),
                (#"{"model":"llama"}"#, 400, "input"), (#"{"model":"llama","input":3}"#, 400, "input"),
                (#"{"model":"llama","input":null}"#, 400, "input"), (#"{"model":"llama","input":[]}"#, 400, "input"),
                (#"{"model":"llama","input":[1,2]}"#, 400, "input[0]"),
                (#"{"model":"llama","input":{"text":"a"}}"#, 400, "input"), (#"{"model":7,"input":"a"}"#, 400, "model"),
                (#"{"model":"other","input":"a"}"#, 404, "model"), (#"{"model":"tiny","input":"a"}"#, 400, "model"),
                (#"{"model":"llama","input":"a","z_threshold":0.5}"#, 400, "z_threshold"),
                (#"{"model":"llama","input":"a","z_threshold":1e300}"#, 400, "z_threshold"),
                (#"{"model":"llama","input":"a","z_threshold":"4"}"#, 400, "z_threshold"),
                (
                    #"{"model":"llama","input":["# + [String](repeating: #""a""#, count: 257).joined(separator: ",")
                        + "]}", 400, "input"
                ), ("{\"model\":\"llama\",\"input\":\"" + String(repeating: "a", count: 1 << 17) + "\"}", 413, nil),
                (String(repeating: "[", count: 10_000), 400, nil), ("\u{0}\u{FFFE}", 400, nil),
            ] as [(String, Int, String?)] {
                let answer = try await post(client, "/v1/watermark/detect", body)
                #expect(answer.status == status, "\(body.prefix(80))")
                let error = try json(answer.body)["error"] as? [String: Any]
                #expect(error?["message"] is String && error?["param"] as? String == parameter, "\(body.prefix(80))")
            }
            let bytes = Data([0x7B, 0x22, 0xFF, 0x22, 0x7D])
            #expect(try await client.execute(uri: "/v1/watermark/detect", method: "POST", body: bytes).status == 400)
            #expect(try await client.execute(uri: "/v1/watermark/detect", method: "GET").status == 405)
        }
        try await withWholeGateway { client async throws in
            let answer = try await post(client, "/v1/watermark/detect", #"{"model":"llama","input":"a"}"#)
            #expect(answer.status == 404)
            let error = try json(answer.body)["error"] as? [String: Any]
            #expect(error?["code"] as? String == "watermark_not_configured")
        }
    }
}
