import Foundation
import Testing

@Suite(.timeLimit(.minutes(5)), .serialized) struct ResponsesTests {
    private let path = "/v1/responses"

    private func text(_ response: [String: Any]) throws -> String {
        let message = try #require((response["output"] as? [[String: Any]])?.first)
        let part = try #require((message["content"] as? [[String: Any]])?.first)
        #expect(message["role"] as? String == "assistant" && part["type"] as? String == "output_text")
        return try #require(part["text"] as? String)
    }

    @Test func `a response says what a chat with the same messages says`() async throws {
        try await withWholeGateway { client in
            let chat = try json(
                try await post(
                    client, "/v1/chat/completions",
                    #"{"model":"llama","max_tokens":20,"seed":3,"temperature":0.5,"messages":["#
                        + #"{"role":"system","content":"be brief"},{"role":"user","content":"你\n好"},"#
                        + #"{"role":"assistant","content":"hi"},{"role":"user","content":"and?"}]}"#
                ).body)
            let choice = try #require((chat["choices"] as? [[String: Any]])?.first)
            let expected = (choice["message"] as? [String: Any])?["content"] as? String
            let reply = try await post(
                client, path,
                #"{"model":"llama","max_output_tokens":20,"seed":3,"temperature":0.5,"instructions":"be brief","#
                    + #""metadata":{"a":"b"},"store":false,"tools":[],"previous_response_id":null,"input":["#
                    + #"{"role":"user","content":[{"type":"input_text","text":"你"},{"type":"input_text","text":"好"}]},"#
                    + #"{"type":"message","role":"assistant","content":[{"type":"output_text","text":"hi"}]},"#
                    + #"{"role":"user","content":"and?"}]}"#)
            #expect(reply.status == 200)
            let response = try json(reply.body)
            #expect(try text(response) == expected)
            #expect(response["object"] as? String == "response" && response["status"] as? String == "incomplete")
            #expect((response["incomplete_details"] as? [String: Any])?["reason"] as? String == "max_output_tokens")
            #expect(response["instructions"] as? String == "be brief" && response["store"] as? Bool == false)
            #expect(response["metadata"] as? [String: String] == ["a": "b"])
            #expect(response["temperature"] as? Double == 0.5 && response["max_output_tokens"] as? Int == 20)
            let (usage, told) = (response["usage"] as? [String: Any], chat["usage"] as? [String: Any])
            #expect(usage?["input_tokens"] as? Int == told?["prompt_tokens"] as? Int)
            #expect(usage?["output_tokens"] as? Int == 20 && told?["completion_tokens"] as? Int == 20)
            #expect((response["id"] as? String)?.hasPrefix("resp_") == true)
        }
    }

    @Test func `a stream has OpenAI's events in their order, and the text of the whole`() async throws {
        try await withWholeGateway { client in
            let fields = #""model":"llama","input":"你好 hello","max_output_tokens":20,"seed":3"#
            let whole = try text(json(try await post(client, path, "{\(fields)}").body))
            let streamed = try await post(client, path, "{\(fields),\"stream\":true}")
            #expect(streamed.headers["content-type"]?.hasPrefix("text/event-stream") == true)
            var events: [(name: String, data: [String: Any])] = []
            for block in String(decoding: streamed.body, as: UTF8.self).components(separatedBy: "\n\n")
            where !block.isEmpty {
                let lines = block.components(separatedBy: "\n")
                #expect(lines.count == 2 && lines[0].hasPrefix("event: ") && lines[1].hasPrefix("data: "))
                events.append((String(lines[0].dropFirst(7)), try json(Data(lines[1].dropFirst(6).utf8))))
            }
            #expect(events.allSatisfy { $0.name == $0.data["type"] as? String })
            #expect(events.map { $0.data["sequence_number"] as? Int } == Array(0..<events.count))
            let names = events.map(\.name)
            #expect(
                Array(names.prefix(4)) == [
                    "response.created", "response.in_progress", "response.output_item.added",
                    "response.content_part.added",
                ])
            #expect(
                Array(names.suffix(4)) == [
                    "response.output_text.done", "response.content_part.done", "response.output_item.done",
                    "response.incomplete",
                ])
            let deltas = events.dropFirst(4).dropLast(4)
            #expect(deltas.count > 1 && deltas.allSatisfy { $0.name == "response.output_text.delta" })
            #expect(deltas.compactMap { $0.data["delta"] as? String }.joined() == whole)
            #expect(events[events.count - 4].data["text"] as? String == whole)
            let last = try #require(events.last?.data["response"] as? [String: Any])
            #expect(try text(last) == whole)
            let first = try #require(events.first?.data["response"] as? [String: Any])
            #expect(first["id"] as? String == last["id"] as? String && first["status"] as? String == "in_progress")
            let ids = events.compactMap {
                $0.data["item_id"] as? String ?? ($0.data["item"] as? [String: Any])?["id"] as? String
            }
            #expect(Set(ids).count == 1 && ids.count == events.count - 3)
        }
    }

    @Test(
        arguments: [
            (#"{"model":"llama"}"#, 400, "input"), (#"{"model":"llama","input":[]}"#, 400, "input"),
            (#"{"model":"llama","input":5}"#, 400, "input"), (#"{"input":"x"}"#, 400, "model"),
            (#"{"model":"llama","input":"x","previous_response_id":"resp_1"}"#, 400, "previous_response_id"),
            (#"{"model":"llama","input":"x","tools":[{"type":"web_search"}]}"#, 400, "tools"),
            (#"{"model":"llama","input":"x","store":true}"#, 400, "store"),
            (#"{"model":"llama","input":"x","background":true}"#, 400, "background"),
            (#"{"model":"llama","input":"x","conversation":{"id":"c"}}"#, 400, "conversation"),
            (#"{"model":"llama","input":"x","prompt":{"id":"p"}}"#, 400, "prompt"),
            (#"{"model":"llama","input":"x","reasoning":{"effort":"high"}}"#, 400, "reasoning.effort"),
            (#"{"model":"llama","input":"x","reasoning":{"max_tokens":5}}"#, 400, "reasoning.max_tokens"),
            (#"{"model":"llama","input":"x","include":["message.output_text.logprobs"]}"#, 400, "include"),
            (#"{"model":"llama","input":"x","text":{"format":{"type":"grammar"}}}"#, 400, "text.format"),
            (#"{"model":"llama","input":"x","text":{"verbosity":"loud"}}"#, 400, "text.verbosity"),
            (#"{"model":"llama","input":"x","tool_choice":"required"}"#, 400, "tool_choice"),
            (#"{"model":"llama","input":"x","tool_choice":{"type":"function"}}"#, 400, "tool_choice"),
            (#"{"model":"llama","input":"x","tools":[{"type":"function","name":"a b"}]}"#, 400, "tools"),
            (#"{"model":"llama","input":"x","max_tool_calls":1}"#, 400, "max_tool_calls"),
            (#"{"model":"llama","input":"x","truncation":"auto"}"#, 400, "truncation"),
            (#"{"model":"llama","input":"x","n":2}"#, 400, "n"),
            (#"{"model":"llama","input":"x","metadata":{"a":5}}"#, 400, "metadata.a"),
            (#"{"model":"llama","input":[{"type":"item_reference","id":"x"}]}"#, 400, "input[0].type"),
            (#"{"model":"llama","input":[{"role":"tool","content":"x"}]}"#, 400, "input[0].tool_call_id"),
            (
                #"{"model":"llama","input":[{"role":"user","content":[{"type":"input_image"}]}]}"#, 400,
                "input[0].content[0].type"
            ),
            (#"{"model":"llama","input":"x","temperature":-1}"#, 400, "temperature"),
            (#"{"model":"llama","input":"x","max_output_tokens":-1}"#, 400, "max_output_tokens"),
            (#"{"model":"llama","input":"\#(String(repeating: "x ", count: 600))","stream":true}"#, 400, "input"),
            (#"{"model":"tiny","input":"x"}"#, 400, "model"), (#"{"model":"gpt-9","input":"x"}"#, 404, "model"),
        ] as [(String, Int, String)])
    func `what is not supported is refused by its name`(body: String, status: Int, parameter: String) async throws {
        try await withWholeGateway { client in
            let reply = try await post(client, path, body)
            let error = try #require(try json(reply.body)["error"] as? [String: Any])
            #expect(reply.status == status && error["param"] as? String == parameter, "\(error)")
            #expect(error["type"] as? String == "invalid_request_error")
        }
    }

    @Test func `an answer that the filter ends is incomplete, whole and streamed`() async throws {
        let policy =
            "rules: [{name: any, categories: [any], direction: out, action: block}]\n"
            + #"patterns: [{name: any, category: any, pattern: '\S'}]"#
        try await withWholeGateway(filter: policy) { client in
            let fields = #""model":"llama","input":"!","max_output_tokens":200,"seed":3"#
            let whole = try json(try await post(client, path, "{\(fields)}").body)
            #expect((whole["incomplete_details"] as? [String: Any])?["reason"] as? String == "content_filter")
            let streamed = try await post(client, path, "{\(fields),\"stream\":true}")
            #expect(String(decoding: streamed.body, as: UTF8.self).contains("\"reason\":\"content_filter\""))
        }
    }
}
