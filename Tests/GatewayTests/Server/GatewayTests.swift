import Foundation
import FoundationNetworking
import Testing

@Suite(.timeLimit(.minutes(5)), .serialized) struct GatewayTests {
    @Test func `a chat is answered whole and as a stream, with the same text`() async throws {
        try await withWholeGateway { client in
            let fields = #""model":"llama","messages":[{"role":"user","content":"你好 hello"}],"max_tokens":20,"seed":3"#
            let whole = try await post(client, "/v1/chat/completions", "{\(fields)}")
            #expect(whole.status == 200)
            let body = try json(whole.body)
            let choice = try #require((body["choices"] as? [[String: Any]])?.first)
            let text = try #require((choice["message"] as? [String: Any])?["content"] as? String)
            #expect(choice["finish_reason"] as? String == "length")
            #expect((body["usage"] as? [String: Any])?["completion_tokens"] as? Int == 20)

            let streamed = try await post(
                client, "/v1/chat/completions",
                "{\(fields),\"stream\":true,\"stream_options\":{\"include_usage\":true}}")
            let events = String(decoding: streamed.body, as: UTF8.self).components(separatedBy: "\n\n").filter {
                !$0.isEmpty
            }
            #expect(events.last == "data: [DONE]")
            var joined = "", reasons: [String] = [], usage = 0
            for event in events.dropLast() {
                let chunk = try json(Data(event.dropFirst(6).utf8))
                #expect(chunk["object"] as? String == "chat.completion.chunk")
                for choice in chunk["choices"] as? [[String: Any]] ?? [] {
                    joined += (choice["delta"] as? [String: Any])?["content"] as? String ?? ""
                    if let reason = choice["finish_reason"] as? String { reasons.append(reason) }
                }
                usage = (chunk["usage"] as? [String: Any])?["completion_tokens"] as? Int ?? usage
            }
            #expect(joined == text && reasons == ["length"] && usage == 20)
        }
    }

    @Test func `models are listed and a completion has its choices`() async throws {
        try await withWholeGateway { client in
            let models = try json(try await client.execute(uri: "/v1/models", method: "GET").body)
            #expect((models["data"] as? [[String: Any]])?.map { $0["modality"] as? String } == ["text", "image"])
            let model = try #require((models["data"] as? [[String: Any]])?.first)
            #expect(model["id"] as? String == "llama" && model["modality"] as? String == "text")
            #expect(model["context_length"] as? Int == 512)
            let reply = try await post(
                client, "/v1/completions", #"{"model":"llama","prompt":"abc","n":3,"max_tokens":5,"stop":"zzz"}"#)
            #expect(try (json(reply.body)["choices"] as? [[String: Any]])?.count == 3)
            #expect(try await client.execute(uri: "/readyz", method: "GET").status == 200)
        }
    }

    @Test(
        arguments: [
            (#"{"#, 400, nil, nil), (#"[]"#, 400, nil, nil), (#"{"model":"llama"}"#, 400, "messages", nil),
            (#"{"model":"llama","messages":[]}"#, 400, "messages", nil),
            (#"{"model":"llama","messages":"hi"}"#, 400, "messages", nil),
            (#"{"model":"gpt-9","messages":[{"role":"user","content":"x"}]}"#, 404, "model", "model_not_found"),
            (
                #"{"model":"llama","messages":[{"role":"user","content":"x"}],"temperature":-1}"#, 400, "temperature",
                nil
            ),
            (
                #"{"model":"llama","messages":[{"role":"user","content":"x"}],"temperature":"hot"}"#, 400,
                "temperature", nil
            ),
            (#"{"model":"llama","messages":[{"role":"user","content":"x"}],"n":0}"#, 400, "n", nil),
            (#"{"model":"llama","messages":[{"role":"user","content":"x"}],"n":-5}"#, 400, "n", nil),
            (#"{"model":"llama","messages":[{"role":"user","content":"x"}],"top_k":-7}"#, 400, "top_k", nil),
            (
                #"{"model":"llama","messages":[{"role":"user","content":"x"}],"max_tokens":5000}"#, 400, "max_tokens",
                "context_length_exceeded"
            ),
            (
                #"{"model":"llama","messages":[{"role":"user","content":"x"}],"max_tokens":5000,"stream":true}"#, 400,
                "max_tokens", "context_length_exceeded"
            ),
            (String(repeating: "[", count: 50_000), 400, nil, nil),
            (String(repeating: " ", count: 70_000), 413, nil, "request_too_large"),
        ] as [(String, Int, String?, String?)])
    func `a bad request gets an error object that names the field`(
        body: String, status: Int, parameter: String?, code: String?
    ) async throws {
        try await withWholeGateway { client in
            let reply = try await post(client, "/v1/chat/completions", body)
            #expect(reply.status == status)
            let error = try #require(try json(reply.body)["error"] as? [String: Any])
            #expect(
                (error["message"] as? String)?.isEmpty == false && error["type"] as? String == "invalid_request_error")
            #expect(error["param"] as? String == parameter && error["code"] as? String == code)
        }
    }

    @Test func `bytes that are not UTF-8 and routes that are not there are refused`() async throws {
        try await withWholeGateway { client in
            let bad = try await client.execute(
                uri: "/v1/chat/completions", method: "POST", body: Data([0x7B, 0xFF, 0xFE, 0x7D]))
            #expect(bad.status == 400)
            let missing = try await client.execute(uri: "/v1/nothing", method: "GET")
            #expect(missing.status == 404)
            #expect(try json(missing.body)["error"] != nil)
            for (path, method, allowed) in [
                ("/v1/chat/completions", "GET", "POST"), ("/v1/models", "DELETE", "GET, HEAD"),
                ("/admin/models/a/reload", "PUT", "POST"), ("/v1/models/", "POST", "GET, HEAD"),
            ] {
                let wrong = try await client.execute(uri: path, method: method)
                #expect(wrong.status == 405 && wrong.headers["allow"] == allowed, "\(path)")
                #expect(try json(wrong.body)["error"] != nil)
            }
        }
    }

    @Test func `log-probabilities come with their alternatives, and echo brings the prompt's`() async throws {
        try await withWholeGateway { client in
            let chat = try json(
                try await post(
                    client, "/v1/chat/completions",
                    #"{"model":"llama","messages":[{"role":"user","content":"你好"}],"max_tokens":6,"logprobs":true,"top_logprobs":3}"#
                ).body)
            let choice = try #require((chat["choices"] as? [[String: Any]])?.first)
            let content = try #require((choice["logprobs"] as? [String: Any])?["content"] as? [[String: Any]])
            #expect(content.count == 6)
            for token in content {
                let top = try #require(token["top_logprobs"] as? [[String: Any]])
                let values = top.compactMap { $0["logprob"] as? Double }
                #expect(values.count == 3 && values == values.sorted(by: >) && values[0] <= 0)
                #expect(try #require(token["logprob"] as? Double) <= values[0])
                #expect((token["bytes"] as? [Int])?.isEmpty == false)
            }
            let echoed = try json(
                try await post(
                    client, "/v1/completions",
                    #"{"model":"llama","prompt":"Hello 世界","max_tokens":4,"echo":true,"logprobs":2,"n":2}"#
                ).body)
            let choices = try #require(echoed["choices"] as? [[String: Any]])
            #expect(choices.count == 2)
            let prompt = try #require((echoed["usage"] as? [String: Any])?["prompt_tokens"] as? Int)
            for choice in choices {
                // By bytes: what follows may begin with a combining mark, which Swift takes as part of 界.
                #expect((choice["text"] as? String)?.utf8.starts(with: "Hello 世界".utf8) == true)
                let logprobs = try #require(choice["logprobs"] as? [String: Any])
                let values = try #require(logprobs["token_logprobs"] as? [Any])
                #expect(values.count == prompt + 4 && values[0] is NSNull && !(values[1] is NSNull))
                #expect((logprobs["tokens"] as? [String])?.count == prompt + 4)
                let offsets = try #require(logprobs["text_offset"] as? [Int])
                #expect(offsets == offsets.sorted() && offsets.count == prompt + 4)
            }
        }
    }

    @Test func `a streamed completion's log-probabilities are those of the whole one, offsets too`() async throws {
        try await withWholeGateway { client in
            let fields = #""model":"llama","prompt":"Hello","max_tokens":8,"seed":7,"logprobs":1,"n":2"#
            let whole = try json(try await post(client, "/v1/completions", "{\(fields)}").body)
            let streamed = try await post(client, "/v1/completions", "{\(fields),\"stream\":true}")
            var offsets: [Int: [Int]] = [:]
            for event in String(decoding: streamed.body, as: UTF8.self).components(separatedBy: "\n\n")
            where event.hasPrefix("data: {") {
                let chunk = try json(Data(event.dropFirst(6).utf8))
                for choice in chunk["choices"] as? [[String: Any]] ?? [] {
                    let index = try #require(choice["index"] as? Int)
                    offsets[index, default: []] +=
                        (choice["logprobs"] as? [String: Any])?["text_offset"] as? [Int] ?? []
                }
            }
            let choices = try #require(whole["choices"] as? [[String: Any]])
            #expect(choices.count == 2)
            for (index, choice) in choices.enumerated() {
                let expected = (choice["logprobs"] as? [String: Any])?["text_offset"] as? [Int]
                #expect(expected?.count == 8 && offsets[index] == expected)
            }
        }
    }

    @Test func `a prompt beyond the context is refused under the field it came in`() async throws {
        try await withWholeGateway { client in
            let prompt = String(repeating: "x ", count: 2_000)
            let reply = try await post(client, "/v1/completions", #"{"model":"llama","prompt":"\#(prompt)"}"#)
            let error = try #require(try json(reply.body)["error"] as? [String: Any])
            #expect(error["param"] as? String == "prompt" && error["code"] as? String == "context_length_exceeded")
        }
    }

    @Test func `the tokens of a conversation are those of its chat, tools among them`() async throws {
        try await withWholeGateway { client in
            let turns = #""model":"llama","messages":[{"role":"user","content":"go"}]"#
            let tools =
                #""tools":[{"type":"function","function":{"name":"go","description":"Goes.","parameters":{"type":"object"}}}]"#
            var counts: [Int] = []
            for fields in [turns, turns + "," + tools, turns + "," + tools + #","tool_choice":"none""#] {
                let reply = try json(try await post(client, "/tokenize", "{\(fields)}").body)
                let chat = try json(
                    try await post(client, "/v1/chat/completions", "{\(fields),\"max_tokens\":1}").body)
                let count = try #require(reply["count"] as? Int, "\(reply)")
                #expect((chat["usage"] as? [String: Any])?["prompt_tokens"] as? Int == count, "\(fields)")
                counts.append(count)
            }
            #expect(counts[1] > counts[0] && counts[2] == counts[0])
            let wrong = try await post(client, "/tokenize", "{\(turns),\"tools\":[{\"type\":\"magic\"}]}")
            #expect(wrong.status == 400 && String(decoding: wrong.body, as: UTF8.self).contains("tools[0].type"))
        }
    }

    @Test func `prompts come as lists and as ids, and tokens go there and back`() async throws {
        try await withWholeGateway { client in
            let there = try json(
                try await post(
                    client, "/tokenize", #"{"model":"llama","prompt":"Hello 世界","add_special_tokens":false}"#
                )
                .body)
            let ids = try #require(there["tokens"] as? [Int])
            #expect(there["count"] as? Int == ids.count && there["max_model_len"] as? Int == 512)
            let back = try json(try await post(client, "/detokenize", #"{"model":"llama","tokens":\#(ids)}"#).body)
            #expect(back["prompt"] as? String == "Hello 世界")

            let fields = #""model":"llama","max_tokens":5,"seed":4,"n":2"#
            let many = try json(
                try await post(client, "/v1/completions", "{\(fields),\"prompt\":[\(ids),\(ids)]}").body)
            let texts = try #require(many["choices"] as? [[String: Any]]).map { $0["text"] as? String }
            let one = try json(try await post(client, "/v1/completions", "{\(fields),\"prompt\":\(ids)}").body)
            let expected = try #require(one["choices"] as? [[String: Any]]).map { $0["text"] as? String }
            #expect(texts == expected + expected && expected[0] != nil)
        }
    }

    @Test func `a drawing is the same whole and streamed, with an event for each step`() async throws {
        try await withWholeGateway { client in
            let fields = #""model":"tiny","prompt":"x","n":2,"seed":5,"steps":6"#
            let whole = try await post(client, "/v1/images/generations", "{\(fields)}")
            #expect(whole.status == 200)
            let pictures = try #require(try json(whole.body)["data"] as? [[String: Any]])
            let files = pictures.compactMap { $0["b64_json"] as? String }
            #expect(files.count == 2 && files[0] != files[1] && files[0].hasPrefix("iVBOR"))
            #expect(pictures.map { $0["seed"] as? Int } == [5, 6])
            let streamed = try await post(
                client, "/v1/images/generations", "{\(fields),\"stream\":true,\"progress_events\":true}")
            var steps: [Int] = [], drawn: [String] = []
            for event in String(decoding: streamed.body, as: UTF8.self).components(separatedBy: "\n\n")
            where event.hasPrefix("data: {") {
                let event = try json(Data(event.dropFirst(6).utf8))
                switch event["type"] as? String {
                case "image_generation.progress": steps.append(try #require(event["step"] as? Int))
                case "image_generation.completed": drawn.append(try #require(event["b64_json"] as? String))
                default: Issue.record("an event of another type")
                }
            }
            #expect(steps == [1, 2, 3, 4, 5, 6] && drawn == files)
            // Unless they are asked for, steps are comments: OpenAI's clients take any event for a picture.
            let plain = String(
                decoding: try await post(client, "/v1/images/generations", "{\(fields),\"stream\":true}").body,
                as: UTF8.self)
            #expect(!plain.contains("image_generation.progress") && plain.contains(": step 6 of 6\n\n"))
        }
    }

    @Test func `a streamed drawing shows previews on the way, and ends with the same pictures`() async throws {
        try await withWholeGateway { client in
            let fields = #""model":"tiny","prompt":"x","n":2,"seed":5,"steps":8"#
            let whole = try json(try await post(client, "/v1/images/generations", "{\(fields)}").body)
            let files = (whole["data"] as? [[String: Any]])?.compactMap { $0["b64_json"] as? String }
            let streamed = try await post(
                client, "/v1/images/generations", "{\(fields),\"stream\":true,\"partial_images\":2}")
            var seen: [String] = [], drawn: [String] = []
            for event in String(decoding: streamed.body, as: UTF8.self).components(separatedBy: "\n\n")
            where event.hasPrefix("data: {") {
                let event = try json(Data(event.dropFirst(6).utf8))
                let picture = event["b64_json"] as? String
                switch event["type"] as? String {
                case "image_generation.partial_image":
                    #expect(picture?.hasPrefix("iVBOR") == true && files?.contains(picture ?? "") == false)
                    #expect(event["size"] as? String == "8x8" && event["output_format"] as? String == "png")
                    seen.append("\(event["index"] ?? "")/\(event["partial_image_index"] ?? "")")
                case "image_generation.completed": drawn.append(try #require(picture))
                default: break
                }
            }
            #expect(seen == ["0/0", "1/0", "0/1", "1/1"] && drawn == files && drawn.count == 2)
        }
    }

    @Test(
        arguments: [
            (#"{"model":"tiny","prompt":"x","stream":true,"partial_images":4}"#, 400, "partial_images"),
            (#"{"model":"tiny","prompt":"x","stream":true,"partial_images":-1}"#, 400, "partial_images"),
            (#"{"model":"tiny","prompt":"x","partial_images":1}"#, 400, "partial_images"),
            (#"{"model":"tiny"}"#, 400, "prompt"), (#"{"model":"tiny","prompt":"x","n":0}"#, 400, "n"),
            (#"{"model":"tiny","prompt":"x","size":"big"}"#, 400, "size"),
            (#"{"model":"tiny","prompt":"x","size":"33x7"}"#, 400, "size"),
            (#"{"model":"tiny","prompt":"x","steps":0}"#, 400, "steps"),
            (#"{"model":"tiny","prompt":"x","response_format":"url"}"#, 400, "response_format"),
            (#"{"model":"llama","prompt":"x"}"#, 400, "model"), (#"{"model":"dall-e","prompt":"x"}"#, 404, "model"),
        ] as [(String, Int, String?)])
    func `a drawing that cannot be is refused`(body: String, status: Int, parameter: String?) async throws {
        try await withWholeGateway { client in
            let reply = try await post(client, "/v1/images/generations", body)
            #expect(reply.status == status)
            let error = try #require(try json(reply.body)["error"] as? [String: Any])
            #expect(error["param"] as? String == parameter)
        }
    }

    @Test(arguments: [true, false]) func `a client that goes away stops its work`(streams: Bool) async throws {
        try await withWholeGateway { client in
            let request = Task {
                try await post(
                    client, "/v1/images/generations",
                    #"{"model":"tiny","prompt":"x","n":10,"steps":1000,"stream":\#(streams)}"#)
            }
            for await _ in client.drawings { break }
            request.cancel()
            // Drawings take turns: this one has its own only when the ten thousand steps have been given up.
            let next = try await post(
                client, "/v1/images/generations", #"{"model":"tiny","prompt":"x","steps":2}"#)
            #expect(next.status == 200)
            #expect(client.imageGauge.report.steps < 10_000)
            // It is counted as what it was: no fault of the gateway's.
            let counted = ["nephele:http_requests_total{", "nephele:requests_cancelled_total "]
            var counts: [Substring] = []
            while counts.count < 3 {
                let metrics = try await client.execute(uri: "/metrics", method: "GET")
                counts = String(decoding: metrics.body, as: UTF8.self).split(separator: "\n").filter { line in
                    counted.contains { line.hasPrefix($0) }
                }
            }
            #expect(counts.contains { $0.hasSuffix(#"status="499"} 1"#) }, "\(counts)")
            #expect(counts.contains { $0.hasSuffix("cancelled_total 1") }, "\(counts)")
        }
    }

    @Test func `the fleet's instances are shown with their load`() async throws {
        try await withWholeGateway { client in
            let status = try json(try await client.execute(uri: "/admin/status", method: "GET").body)
            let instances = try #require(status["instances"] as? [[String: Any]])
            #expect(instances.map { $0["service"] as? String } == ["diffusion", "text-model", "tokenizer"])
            #expect(instances.allSatisfy { $0["state"] as? String == "ready" && $0["outstanding"] as? Int == 0 })
            let services = try #require(status["services"] as? [String: [String: Int]])
            #expect(Set(services.keys) == ["diffusion", "text-model", "tokenizer"])
            let capacities = services.mapValues { $0["capacity"] }
            #expect(services.values.allSatisfy { $0["instances"] == 1 && $0["running_calls"] == 0 })
            #expect(
                capacities
                    == Dictionary(
                        instances.map { ($0["service"] as? String ?? "", $0["capacity"] as? Int) },
                        uniquingKeysWith: { first, _ in first }))
        }
    }
}
