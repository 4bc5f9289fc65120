import Foundation
import Testing

@testable import Gateway

/// Ollama's routes.
@Suite(.timeLimit(.minutes(5)), .serialized) struct OllamaTests {
    private func lines(_ answer: WholeGatewayClient.Answer) throws -> [[String: Any]] {
        #expect(answer.headers["content-type"] == "application/x-ndjson")
        return try String(decoding: answer.body, as: UTF8.self).split(separator: "\n").map { try json(Data($0.utf8)) }
    }

    @Test func `a chat streams unless it is told not to, and says what OpenAI's says`() async throws {
        try await withWholeGateway { client in
            let messages = #""messages":[{"role":"user","content":"hello"}]"#
            let chat = try json(
                try await post(
                    client, "/v1/chat/completions",
                    #"{"model":"llama","max_tokens":12,"seed":3,"repetition_penalty":1.2,"stop":["zz"],\#(messages)}"#
                ).body)
            let message = (chat["choices"] as? [[String: Any]])?.first?["message"] as? [String: Any]
            let text = try #require(message?["content"] as? String)
            let fields =
                #""model":"llama","options":{"num_predict":12,"seed":3,"repeat_penalty":1.2,"stop":["zz"],"num_gpu":1},\#(messages)"#
            let streamed = try lines(try await post(client, "/api/chat", "{\(fields)}"))
            let pieces = streamed.compactMap { ($0["message"] as? [String: Any])?["content"] as? String }
            #expect(pieces.joined() == text && pieces.count == streamed.count && pieces.count > 2)
            let last = try #require(streamed.last)
            #expect(last["done"] as? Bool == true && last["done_reason"] as? String == "length")
            #expect(last["eval_count"] as? Int == 12 && (last["total_duration"] as? Int ?? 0) > 0)
            let whole = try json(try await post(client, "/api/chat", #"{\#(fields),"stream":false}"#).body)
            #expect((whole["message"] as? [String: Any])?["content"] as? String == text)
            let generated = try lines(
                try await post(
                    client, "/api/generate",
                    #"{"model":"llama","options":{"num_predict":12,"seed":3,"repeat_penalty":1.2},"prompt":"hello"}"#))
            #expect(generated.compactMap { $0["response"] as? String }.joined() == text)
        }
    }

    @Test func `a call is told as a whole, and not where it was cut`() async throws {
        try await withWholeGateway { client in
            let tools =
                #""tools":[{"type":"function","function":{"name":"go","parameters":{"type":"object","properties":{"to":{"enum":["a"]}},"required":["to"]}}}]"#
            // The words that begin a call are put into the model's mouth.
            let begun =
                #""messages":[{"role":"user","content":"go"},{"role":"assistant","content":"<tool_call>\n{\"name\": \"go\", "}],"#
                + #""continue_final_message":true"#
            let reply = try await post(
                client, "/api/chat",
                #"{"model":"llama","stream":false,"options":{"num_predict":4},\#(begun),\#(tools)}"#)
            let answer = try json(reply.body)
            #expect(reply.status == 200, "\(answer)")
            #expect(
                (answer["message"] as? [String: Any])?["tool_calls"] == nil
                    && answer["done_reason"] as? String == "length")
        }
    }

    @Test func `errors are Ollama's`() async throws {
        try await withWholeGateway { client in
            for (path, body, status, word) in [
                ("/api/chat", #"{"model":"x","messages":[{"role":"user","content":"a"}]}"#, 404, "x"),
                ("/api/chat", #"{"model":"llama","messages":[{"role":"bot","content":"a"}]}"#, 400, "messages[0].role"),
                (
                    "/api/chat", #"{"model":"llama","options":{"top_p":7},"messages":[{"role":"user","content":"a"}]}"#,
                    400, "top_p"
                ),
                ("/api/generate", #"{"model":"llama","prompt":"a","context":[1]}"#, 400, "context"),
                ("/api/generate", #"{"model":"llama","prompt":"a","format":"yaml"}"#, 400, "format"),
                ("/api/show", #"{"model":"x"}"#, 404, "x"), ("/api/pull", "{}", 404, "/api/pull"),
                ("/api/embed", #"{"model":"llama","input":""}"#, 400, "input"), ("/api/tags", "{}", 405, "/api/tags"),
            ] {
                let reply = try await post(client, path, body)
                let error = try json(reply.body)["error"] as? String
                #expect(reply.status == status && error?.contains(word) == true, "\(path) \(error ?? "")")
            }
        }
    }
}
