import Foundation
import JSON
import Messages
import Testing

@testable import Gateway

/// What clients send back of a conversation with tools reaches the tokenizer whole.
@Suite struct ChatTurnTests {
    private func request(_ messages: String, _ fields: String = "") throws -> ChatCompletionRequest {
        let body = #"{"model":"m","messages":[\#(messages)]\#(fields.isEmpty ? "" : "," + fields)}"#
        return try JSONRequest.decode(ChatCompletionRequest.self, from: Data(body.utf8))
    }

    private func members(_ messages: String) throws -> [String] {
        try request(messages).messages.map { Wire.ChatMessage($0).members }
    }

    private func refusal(_ messages: String, _ fields: String = "") -> String? {
        do {
            _ = try request(messages, fields)
            return nil
        } catch { return (error as? APIError)?.parameter }
    }

    private static let call =
        #""tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]"#
    private static let written =
        #""tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\": 1}"}}]"#

    @Test(arguments: [#""content":null,"#, "", #""content":"","#])
    func `each client's history of a call is taken`(content: String) throws {
        let turns =
            #"{"role":"user","content":"a"},{"role":"assistant",\#(content)\#(Self.call)},"#
            + #"{"role":"tool","tool_call_id":"c","content":"42"}"#
        let sent = try members(turns)
        #expect(sent[0] == "")
        #expect(sent[1] == "{" + (content.contains("\"\"") ? "" : #""content":null,"#) + Self.written + "}")
        #expect(sent[2] == #"{"tool_call_id":"c","name":"f"}"#)
    }

    @Test func `older clients' calls of functions are calls of tools`() throws {
        let turns =
            #"{"role":"user","content":"a"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}},"#
            + #"{"role":"function","name":"f","content":"42"}"#
        let request = try request(turns)
        #expect(request.messages.map(\.role) == ["user", "assistant", "tool"])
        #expect(request.messages[1].toolCalls[0].function.arguments == "{}")
        #expect(request.messages[2].toolCallID == "call_1_0" && request.messages[1].toolCalls[0].id == "call_1_0")
    }

    @Test func `answers without an id belong to the calls in their order, or by name`() throws {
        let calls =
            #"{"function":{"name":"f","arguments":{"x":[1,2.50]}}},{"function":{"name":"g"}},{"function":{"name":"f"}}"#
        let turns = #"{"role":"user","content":"a"},{"role":"assistant","tool_calls":[\#(calls)]},"#
        let inOrder = try request(
            turns + [1, 2, 3].map { #"{"role":"tool","content":"\#($0)"}"# }.joined(separator: ","))
        #expect(inOrder.messages.compactMap(\.toolCallID) == ["call_1_0", "call_1_1", "call_1_2"])
        #expect(inOrder.messages.dropFirst(2).map(\.name) == ["f", "g", "f"])
        #expect(inOrder.messages[1].toolCalls[0].function.arguments == #"{"x":[1,2.50]}"#)
        let byName = try request(
            turns + ["g", "f", "f"].map { #"{"role":"tool","name":"\#($0)","content":"1"}"# }.joined(separator: ","))
        #expect(byName.messages.compactMap(\.toolCallID) == ["call_1_1", "call_1_0", "call_1_2"])
    }

    @Test func `what is wrong with a call is named by its place`() throws {
        func call(_ function: String) -> String {
            #"{"role":"assistant","tool_calls":[{"id":"c","function":\#(function)}]}"#
        }
        let place = "messages[0].tool_calls[0].function"
        #expect(refusal(call(#"{"name":"f","arguments":"{"}"#)) == place + ".arguments")
        #expect(refusal(call(#"{"name":"f","arguments":"[1]"}"#)) == place + ".arguments")
        #expect(refusal(call(#"{"name":"f","arguments":[1]}"#)) == place + ".arguments")
        #expect(refusal(call(#"{"name":""}"#)) == place + ".name")
        #expect(refusal(call(#"{"arguments":"{}"}"#)) == place + ".name")
        #expect(
            refusal(#"{"role":"assistant","tool_calls":[{"type":"custom","custom":{}}]}"#)
                == "messages[0].tool_calls[0].type")
        #expect(refusal(#"{"role":"tool","content":"x"}"#) == "messages[0].tool_call_id")
        #expect(refusal(#"{"role":"user","content":null}"#) == "messages[0].content")
        #expect(refusal(#"{"role":"user","content":"x"}"#, #""tools":[1]"#) == "tools[0]")
        #expect(refusal(#"{"role":"user","content":"x"}"#, #""chat_template_kwargs":[]"#) == "chat_template_kwargs")
        #expect(
            refusal(#"{"role":"user","content":"x"}"#, #""add_generation_prompt":true,"continue_final_message":true"#)
                == "add_generation_prompt")
    }

    @Test func `tools and variables reach the tokenizer as they were written`() throws {
        let request = try request(
            #"{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},"#
                + #"{"role":"assistant","content":"x","reasoning":"r"}"#,
            #""tools":[{"type":"function","function":{"name":"f","parameters":{"z":1.50,"a":{}}}}],"functions":[{"name":"g"}],"#
                + #""documents":[{"text":"d"}],"chat_template_kwargs":{"enable_thinking":true,"k":"v"},"#
                + #""reasoning_effort":"none","continue_final_message":true"#)
        let render = Wire.RenderChatRequest(model: "m", request.messages, request.template)
        #expect(
            render.tools
                == #"[{"type":"function","function":{"name":"f","parameters":{"z":1.50,"a":{}}}},{"type":"function","function":{"name":"g"}}]"#
        )
        #expect(render.documents == #"[{"text":"d"}]"#)
        // What the client names itself goes before what reasoning_effort says.
        #expect(render.variables == #"{"enable_thinking":true,"k":"v","reasoning_effort":"none","thinking":false}"#)
        #expect(render.continueFinalMessage && !render.addGenerationPrompt)
        #expect(render.messages[0].content == "a\nb")
        #expect(render.messages[0].members == #"{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#)
        #expect(render.messages[1].members == #"{"reasoning_content":"r"}"#)
        #expect(request.template.field("chat_template_kwargs.reasoning_effort") == "reasoning_effort")
        #expect(request.template.field("chat_template_kwargs.k") == "chat_template_kwargs.k")
    }

    @Test func `the filter sees calls, their answers, thoughts, and what templates are given`() async throws {
        let policy =
            "phrases: [{category: ours, phrases: [Project Zeus]}]\nrules: [{name: ours, categories: [ours], action: block}]\n"
        let zeus = "Project Zeus"
        let turns = [
            #"{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":[\"\#(zeus)\"]}"}}]}"#,
            #"{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"\#(zeus)\":1}"}}]}"#,
            #"{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"\#(zeus)","arguments":"{}"}}]}"#,
            #"{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f"}}]},{"role":"tool","content":"\#(zeus)"}"#,
            #"{"role":"assistant","content":"a","reasoning_content":"\#(zeus)"}"#,
            #"{"role":"user","content":[{"type":"text","text":"Project "},{"type":"text","text":"Zeus"}]}"#,
            #"{"role":"user","content":[{"type":"text","text":"Project Ze"},{"type":"text","text":"us"}]}"#,
        ]
        let fields = [#""documents":[{"text":"\#(zeus)"}]"#, #""chat_template_kwargs":{"a":"\#(zeus)"}"#]
        try await withWholeGateway(filter: policy) { client in
            let bodies =
                turns.map { #"{"model":"llama","messages":[\#($0)]}"# }
                + fields.map { #"{"model":"llama","messages":[{"role":"user","content":"x"}],\#($0)}"# }
            for body in bodies {
                let reply = try await post(client, "/v1/chat/completions", body)
                let error = try json(reply.body)["error"] as? [String: Any]
                #expect(
                    error?["code"] as? String == "content_policy_violation", "\(body): \(String(describing: error))")
            }
        }
    }
}
