import Foundation
import JSON
import Testing

@testable import Gateway

/// Tools through the whole system. The model says nothing of sense; what it must say, its grammar decides.
@Suite(.timeLimit(.minutes(5)), .serialized) struct ToolCallTests {
    private let path = "/v1/chat/completions"
    /// Of few answers, so that the model comes to an end.
    private static let tools =
        #""tools":[{"type":"function","function":{"name":"go","strict":true,"parameters":{"type":"object","properties":"#
        + #"{"to":{"enum":["a","右"]}},"required":["to"]}}},{"type":"function","function":{"name":"no","parameters":{"type":"object","properties":{}}}}]"#
    private static let question = #""model":"llama","max_tokens":90,"messages":[{"role":"user","content":"go"}],"#

    private func message(_ body: Data) throws -> (message: [String: Any], reason: String?) {
        let choice = try #require((json(body)["choices"] as? [[String: Any]])?.first)
        return (try #require(choice["message"] as? [String: Any]), choice["finish_reason"] as? String)
    }

    private func calls(_ message: [String: Any]) throws -> [(id: String, name: String, arguments: String)] {
        try (message["tool_calls"] as? [[String: Any]] ?? []).map { call in
            let function = try #require(call["function"] as? [String: Any])
            #expect(call["type"] as? String == "function")
            return (
                try #require(call["id"] as? String), try #require(function["name"] as? String),
                try #require(function["arguments"] as? String)
            )
        }
    }

    private func check(_ name: String, _ arguments: String) throws {
        let value = try JSONParser.parse(Array(arguments.utf8))
        guard case .object(let object) = value else { throw CancellationError() }
        if name == "go" {
            #expect(object.members.map(\.key) == ["to"] && ["a", "右"].contains(value["to"]?.text), "\(arguments)")
        } else {
            #expect(name == "no")
        }
    }

    @Test func `a call that is required is a call, whole, and its stream is the same`() async throws {
        try await withWholeGateway { client in
            for seed in 0..<6 {
                let parallel = seed % 2 == 0
                let choice =
                    seed % 3 == 0 ? #"{"type":"function","function":{"name":"go"}}"# : #""required""#
                let fields =
                    Self.question + Self.tools
                    + #","tool_choice":\#(choice),"seed":\#(seed),"parallel_tool_calls":\#(parallel)"#
                let (message, reason) = try message(try await post(client, path, "{\(fields)}").body)
                let whole = try calls(message)
                // A model without sense may call on and on.
                #expect(reason == "tool_calls" || parallel && reason == "length" && !whole.isEmpty)
                #expect(message["content"] is NSNull && message["role"] as? String == "assistant")
                for call in reason == "length" ? Array(whole.dropLast()) : whole {
                    try check(call.name, call.arguments)
                }
                if !parallel { #expect(whole.count == 1) }
                if seed % 3 == 0 { #expect(whole.allSatisfy { $0.name == "go" }) }
                // The stream.
                var streamed: [(name: String, arguments: String)] = []
                var ids: [String] = []
                var reasons: [String] = []
                let events = String(
                    decoding: try await post(client, path, #"{\#(fields),"stream":true}"#).body, as: UTF8.self)
                for line in events.split(separator: "\n") where line.hasPrefix("data: {") {
                    let choice = try #require(
                        (json(Data(line.dropFirst(6).utf8))["choices"] as? [[String: Any]])?.first)
                    if let reason = choice["finish_reason"] as? String { reasons.append(reason) }
                    let delta = try #require(choice["delta"] as? [String: Any])
                    for call in delta["tool_calls"] as? [[String: Any]] ?? [] {
                        let index = try #require(call["index"] as? Int)
                        let function = try #require(call["function"] as? [String: Any])
                        if let name = function["name"] as? String {
                            #expect(index == streamed.count)
                            streamed.append((name, ""))
                            ids.append(try #require(call["id"] as? String))
                        }
                        streamed[index].arguments += function["arguments"] as? String ?? ""
                    }
                    #expect((delta["content"] as? String ?? "").isEmpty)
                }
                #expect(streamed.map(\.name) == whole.map(\.name))
                #expect(streamed.map(\.arguments) == whole.map(\.arguments))
                #expect(Set(ids).count == whole.count && reasons == [reason])
            }
        }
    }

    @Test func `a response's items are its calls, as a whole and as a stream`() async throws {
        try await withWholeGateway { client in
            let fields =
                #""model":"llama","max_output_tokens":80,"input":[{"role":"user","content":"go"},"#
                + #"{"type":"function_call","call_id":"c1","name":"go","arguments":"{}"},"#
                + #"{"type":"function_call_output","call_id":"c1","output":"done"}],"seed":1,"tool_choice":"required","#
                + #""parallel_tool_calls":false,"tools":[{"type":"function","name":"go","strict":true,"parameters":{"type":"object","#
                + #""properties":{"to":{"enum":["a","右"]}},"required":["to"]}}]"#
            let reply = try await post(client, "/v1/responses", "{\(fields)}")
            let response = try json(reply.body)
            #expect(response["status"] as? String == "completed", "\(response)")
            let output = try #require(response["output"] as? [[String: Any]])
            #expect(output.count == 1 && output[0]["type"] as? String == "function_call")
            #expect(output[0]["name"] as? String == "go" && output[0]["status"] as? String == "completed")
            let arguments = try #require(output[0]["arguments"] as? String)
            try check("go", arguments)
            #expect((response["tools"] as? [[String: Any]])?.first?["name"] as? String == "go")
            #expect(
                response["tool_choice"] as? String == "required" && response["parallel_tool_calls"] as? Bool == false)
            let events = String(
                decoding: try await post(client, "/v1/responses", #"{\#(fields),"stream":true}"#).body, as: UTF8.self
            ).split(separator: "\n").filter { $0.hasPrefix("data: ") }.map { try? json(Data($0.dropFirst(6).utf8)) }
            let names = events.compactMap { $0?["type"] as? String }
            #expect(
                names.prefix(3) == ["response.created", "response.in_progress", "response.output_item.added"]
                    && names.suffix(3) == [
                        "response.function_call_arguments.done", "response.output_item.done", "response.completed",
                    ])
            let deltas = events.filter { $0?["type"] as? String == "response.function_call_arguments.delta" }
            #expect(
                deltas.compactMap { $0?["delta"] as? String }.joined() == arguments && deltas.count == names.count - 6)
        }
    }

    @Test func `tools that may be called leave the answer free, and a form for its words holds`() async throws {
        try await withWholeGateway { client in
            let free = try message(
                try await post(
                    client, path, "{" + Self.question + Self.tools + #","seed":3,"max_completion_tokens":20}"#
                ).body)
            #expect(free.reason == "length" && (free.message["content"] as? String)?.isEmpty == false)
            let none = try await post(
                client, path,
                "{" + Self.question + Self.tools + #","seed":3,"tool_choice":"none","max_completion_tokens":20}"#)
            // What may not be called is not shown: the answer is another one.
            #expect(try message(none.body).message["content"] as? String != free.message["content"] as? String)
            let form =
                #","response_format":{"type":"json_schema","json_schema":{"schema":{"enum":["a","b"]}}},"seed":5}"#
            let held = try message(try await post(client, path, "{" + Self.question + Self.tools + form).body)
            let content = held.message["content"] as? String
            #expect(try ["\"a\"", "\"b\""].contains(content) || !calls(held.message).isEmpty, "\(held)")
        }
    }

    @Test(arguments: [
        (#""tool_choice":"required""#, "tool_choice"), (#""tools":[],"tool_choice":"required""#, "tool_choice"),
        (#"\#(Self.tools),"tool_choice":"banana""#, "tool_choice"),
        (#"\#(Self.tools),"tool_choice":{"type":"x"}"#, "tool_choice"),
        (#"\#(Self.tools),"tool_choice":{"type":"function","function":{"name":"fly"}}"#, "tool_choice"),
        (#""tools":{"a":1}"#, "tools"), (#""tools":[{"type":"web_search"}]"#, "tools"),
        (#""tools":[{"type":"function","function":{"name":"<|im_start|>"}}]"#, "tools"),
        (#""tools":[{"type":"function","function":{"name":"a","parameters":[]}}]"#, "tools"),
        (
            #""tools":[{"type":"function","function":{"name":"a"}},{"type":"function","function":{"name":"a"}}]"#,
            "tools"
        ),
        (
            #""tools":[{"type":"function","function":{"name":"a","strict":true,"parameters":{"type":"object","properties":"#
                + #"{"x":{"type":"string","pattern":"(?<=a)b"}}}}}]"#, "tools"
        ),
        (#"\#(Self.tools),"parallel_tool_calls":"no""#, "parallel_tool_calls"),
        (#""functions":[{"name":"a"}]"#, "functions"),
    ]) func `what cannot be called is refused by its field`(fields: String, parameter: String) async throws {
        try await withWholeGateway { client in
            let reply = try await post(client, path, "{" + Self.question + fields + "}")
            let error = try json(reply.body)["error"] as? [String: Any]
            #expect(reply.status == 400 && error?["param"] as? String == parameter, "\(error ?? [:])")
        }
    }
}
