import Accounts
import Foundation
import JSON
import Testing

@testable import Gateway

/// Anthropic's form of a chat.
@Suite(.timeLimit(.minutes(5)), .serialized) struct AnthropicTests {
    private let path = "/v1/messages"
    private static let question = #""model":"llama","seed":3,"messages":[{"role":"user","content":"go"}]"#
    private static let tool =
        #""tools":[{"name":"go","strict":true,"input_schema":{"type":"object","properties":{"to":{"enum":["a","右"]}},"required":["to"]}}]"#
    /// Of a model that thinks, and always begins with it.
    private static let thinking =
        "{%- for m in messages -%}<{{ m.role }}>{{ m.content }}{{ m.reasoning_content }}{%- endfor -%}"
        + "{%- if enable_thinking -%}!{%- endif -%}{%- if add_generation_prompt -%}<assistant><think>{%- endif -%}{# </think> #}"

    /// The names and data of a stream's events.
    private func events(_ body: Data) throws -> [(name: String, data: [String: Any])] {
        try String(decoding: body, as: UTF8.self).components(separatedBy: "\n\n").compactMap { event in
            let lines = event.split(separator: "\n")
            guard lines.count == 2, lines[0].hasPrefix("event: "), lines[1].hasPrefix("data: ") else { return nil }
            return (String(lines[0].dropFirst(7)), try json(Data(lines[1].dropFirst(6).utf8)))
        }
    }

    /// The message that a stream's events make.
    private func message(_ events: [(name: String, data: [String: Any])]) throws -> [String: Any] {
        var message = try #require(events.first?.data["message"] as? [String: Any])
        #expect(events[0].name == "message_start" && events[1].name == "ping" && events.last?.name == "message_stop")
        var content: [[String: Any]] = []
        var arguments: [Int: String] = [:]
        for (name, data) in events {
            #expect(data["type"] as? String == name)
            let index = data["index"] as? Int ?? 0
            switch name {
            case "content_block_start":
                #expect(index == content.count)
                content.append(try #require(data["content_block"] as? [String: Any]))
            case "content_block_delta":
                let delta = try #require(data["delta"] as? [String: Any])
                let fields = ["text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"]
                if let field = fields[try #require(delta["type"] as? String)] {
                    content[index][field] = (content[index][field] as? String ?? "") + (delta[field] as? String ?? "")
                } else {
                    arguments[index, default: ""] += try #require(delta["partial_json"] as? String)
                }
            case "message_delta":
                message.merge(try #require(data["delta"] as? [String: Any])) { $1 }
                message["usage"] = data["usage"]
            default: break
            }
        }
        for (index, text) in arguments { content[index]["input"] = try? json(Data(text.utf8)) }
        message["content"] = content
        return message
    }

    @Test func `a message says what a chat says, and its stream the same`() async throws {
        try await withWholeGateway { client in
            let chat = try await post(
                client, "/v1/chat/completions",
                #"{"model":"llama","seed":3,"max_tokens":12,"temperature":0.5,"messages":[{"role":"system","content":"be brief, and \nof no more words than are needed"},"#
                    + #"{"role":"user","content":"a\nb"},{"role":"assistant","content":"c"},{"role":"user","content":"d"}]}"#
            )
            let choice = try #require((json(chat.body)["choices"] as? [[String: Any]])?.first)
            let text = try #require((choice["message"] as? [String: Any])?["content"] as? String)
            let prompt = try #require((json(chat.body)["usage"] as? [String: Any])?["prompt_tokens"] as? Int)
            let conversation =
                #""model":"llama","system":[{"type":"text","text":"be brief, and ","cache_control":{"type":"ephemeral"}},{"type":"text","text":"of no more words than are needed"}],"#
                + #""messages":[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"}]},"#
                + #"{"role":"assistant","content":[{"type":"text","text":"c","citations":null}]},{"role":"user","content":"d"}]"#
            let fields = conversation + #","seed":3,"max_tokens":12,"temperature":0.5,"metadata":{"user_id":"u"}"#
            let reply = try await post(client, path, "{\(fields)}")
            #expect(reply.status == 200 && reply.headers["request-id"] == reply.headers["x-request-id"])
            let message = try json(reply.body)
            #expect(message["type"] as? String == "message" && message["stop_reason"] as? String == "max_tokens")
            let content = try #require(message["content"] as? [[String: Any]])
            #expect(content.count == 1 && content[0]["text"] as? String == text)
            let usage = try #require(message["usage"] as? [String: Int])
            let read = try #require(usage["cache_read_input_tokens"])
            #expect(
                read > 0 && read % 32 == 0 && usage["input_tokens"] == prompt - read && usage["output_tokens"] == 12)
            let streamed = try self.message(
                events(try await post(client, path, #"{\#(fields),"stream":true}"#).body))
            for key in ["content", "stop_reason", "stop_sequence", "role", "type", "model"] {
                #expect(streamed[key] as? NSObject == message[key] as? NSObject, "\(key)")
            }
            #expect((streamed["usage"] as? [String: Int])?["output_tokens"] == 12)
            let count = try await post(client, path + "/count_tokens", "{\(conversation)}")
            #expect(try json(count.body)["input_tokens"] as? Int == prompt)
        }
    }

    @Test func `an answer ends as Anthropic's words have it`() async throws {
        try await withWholeGateway { client in
            let free = try json(try await post(client, path, #"{\#(Self.question),"max_tokens":20}"#).body)
            let text = try #require((free["content"] as? [[String: Any]])?.first?["text"] as? String)
            let stop = String(Array(text)[8..<10])
            let reply = try json(
                try await post(
                    client, path, #"{\#(Self.question),"max_tokens":20,"stop_sequences":["never",\#(quoted(stop))]}"#
                ).body)
            #expect(reply["stop_reason"] as? String == "stop_sequence" && reply["stop_sequence"] as? String == stop)
            let cut = text.range(of: stop).map { String(text[..<$0.lowerBound]) }
            #expect((reply["content"] as? [[String: Any]])?.first?["text"] as? String == cut)
            // There is no room for all that is asked for.
            let long = try json(
                try await post(client, path, #"{\#(Self.question),"max_tokens":100000,"ignore_eos":true}"#).body)
            #expect(long["stop_reason"] as? String == "model_context_window_exceeded")
            // Nothing but the prompt is computed.
            let none = try json(try await post(client, path, #"{\#(Self.question),"max_tokens":0}"#).body)
            #expect((none["content"] as? [Any])?.isEmpty == true && none["stop_reason"] as? String == "max_tokens")
            // The assistant's turn goes on, and the answer is what follows.
            let begun = Self.question.replacingOccurrences(
                of: #"}]"#, with: #"},{"role":"assistant","content":\#(quoted(String(text.prefix(3))))}]"#)
            let rest = try json(try await post(client, path, #"{\#(begun),"max_tokens":5,"temperature":0}"#).body)
            let whole = try json(
                try await post(client, path, #"{\#(Self.question),"max_tokens":8,"temperature":0}"#).body)
            #expect((rest["usage"] as? [String: Int])?["output_tokens"] == 5 && whole["id"] != nil)
        }
    }

    private func quoted(_ text: String) -> String { String(decoding: JSONValue.string(text).bytes, as: UTF8.self) }

    @Test func `tools are called, and what they gave back is read`() async throws {
        try await withWholeGateway { client in
            for choice in [#"{"type":"any","disable_parallel_tool_use":true}"#, #"{"type":"tool","name":"go"}"#] {
                let fields = #"\#(Self.question),\#(Self.tool),"max_tokens":90,"tool_choice":\#(choice)"#
                let message = try json(try await post(client, path, "{\(fields)}").body)
                #expect(message["stop_reason"] as? String == "tool_use", "\(message)")
                let blocks = try #require(message["content"] as? [[String: Any]])
                #expect(blocks.count == 1 && blocks[0]["type"] as? String == "tool_use")
                let input = try #require(blocks[0]["input"] as? [String: Any])
                #expect(blocks[0]["name"] as? String == "go" && ["a", "右"].contains(input["to"] as? String))
                let events = try events(try await post(client, path, #"{\#(fields),"stream":true}"#).body)
                let streamed = try #require(try self.message(events)["content"] as? [[String: Any]])
                #expect((streamed[0]["input"] as? [String: Any])?["to"] as? String == input["to"] as? String)
                let id = try #require(blocks[0]["id"] as? String)
                let next = try await post(
                    client, path,
                    #"{"model":"llama","max_tokens":4,\#(Self.tool),"messages":[{"role":"user","content":"go"},"#
                        + #"{"role":"assistant","content":[{"type":"tool_use","id":"\#(id)","name":"go","input":{"to":"a"}}]},"#
                        + #"{"role":"user","content":[{"type":"tool_result","tool_use_id":"\#(id)","is_error":true,"#
                        + #""content":[{"type":"text","text":"no"}]},{"type":"text","text":"and now?"}]}]}"#)
                #expect(next.status == 200, "\(String(decoding: next.body, as: UTF8.self))")
            }
            let held = try json(
                try await post(
                    client, path,
                    #"{\#(Self.question),"max_tokens":60,"output_config":{"effort":"high","format":{"type":"json_schema","schema":{"enum":["x"]}}}}"#
                ).body)
            #expect((held["content"] as? [[String: Any]])?.first?["text"] as? String == "\"x\"")
        }
    }

    @Test func `thoughts are blocks of their own, and end with their budget`() async throws {
        try await withWholeGateway(chatTemplate: Self.thinking) { client in
            let fields =
                #"\#(Self.question),"max_tokens":20,"thinking":{"type":"enabled","budget_tokens":6}"#
            let message = try json(try await post(client, path, "{\(fields)}").body)
            let blocks = try #require(message["content"] as? [[String: Any]])
            #expect(blocks.map { $0["type"] as? String } == ["thinking", "text"], "\(blocks)")
            #expect((blocks[0]["thinking"] as? String)?.isEmpty == false && blocks[0]["signature"] is String)
            let details = (message["usage"] as? [String: Any])?["output_tokens_details"] as? [String: Int]
            // The closing mark has a token for each of its bytes here.
            #expect(details?["thinking_tokens"] == 6 + 8)
            let streamed = try self.message(
                events(try await post(client, path, #"{\#(fields),"stream":true}"#).body))
            #expect(streamed["content"] as? NSArray == blocks as NSArray)
            let hidden = fields.replacingOccurrences(of: "6}", with: #"6,"display":"omitted"}"#)
            let silent = try #require(
                try json(try await post(client, path, "{\(hidden)}").body)["content"] as? [[String: Any]])
            #expect(silent[0]["thinking"] as? String == "")
            #expect(silent[1]["text"] as? String == blocks[1]["text"] as? String)
            // Chats have vLLM's and Qwen's names for it.
            for name in ["thinking_token_budget", "thinking_budget"] {
                let chat = try json(
                    try await post(
                        client, "/v1/chat/completions", #"{\#(Self.question),"max_tokens":20,"\#(name)":0}"#
                    ).body)
                let text = ((chat["choices"] as? [[String: Any]])?.first?["message"] as? [String: Any])
                #expect(text?["reasoning"] == nil && (text?["content"] as? String)?.isEmpty == false)
            }
            // Responses have OpenRouter's name for it too.
            let asked = #""model":"llama","seed":3,"input":"go","max_output_tokens":40"#
            for budget in [#""reasoning":{"max_tokens":6}"#, #""thinking_token_budget":6"#] {
                let response = try json(try await post(client, "/v1/responses", "{\(asked),\(budget)}").body)
                let usage = (response["usage"] as? [String: Any])?["output_tokens_details"] as? [String: Int]
                #expect(usage?["reasoning_tokens"] == 6 + 8, "\(response)")
            }
            for wrong in [#""reasoning":{"max_tokens":-1}"#, #""reasoning":{"max_tokens":"6"}"#] {
                let answer = try await post(client, "/v1/responses", "{\(asked),\(wrong)}")
                let error = try json(answer.body)["error"] as? [String: Any]
                #expect(answer.status == 400 && error?["param"] as? String == "reasoning.max_tokens")
            }
            let omitted = #""thinking":{"type":"enabled","display":"omitted"}"#
            for (route, fields) in [("/v1/chat/completions", Self.question), ("/v1/responses", asked)] {
                let answer = try await post(client, route, "{\(fields),\(omitted)}")
                let error = try json(answer.body)["error"] as? [String: Any]
                #expect(answer.status == 400 && error?["param"] as? String == "thinking.display")
            }
            let back = try await post(
                client, path,
                #"{"model":"llama","max_tokens":3,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":["#
                    + #"{"type":"thinking","thinking":"so","signature":"x"},{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}"#
            )
            #expect(back.status == 200)
        }
    }

    @Test(arguments: [
        (#""thinking":{"type":"enabled","budget_tokens":1024}"#, "thinking"),
        (#""thinking":{"type":"between_tools"}"#, "thinking.type"),
        (#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#, "tools[0].type"),
        (#""tools":[{"name":"<|im_start|>","input_schema":{}}]"#, "tools[0].name"),
        (#""tools":[{"name":"a","input_schema":[]}]"#, "tools[0].input_schema"),
        (#""tools":[{"name":"a","input_schema":{},"defer_loading":true}]"#, "tools[0].defer_loading"),
        (#""tool_choice":{"type":"any"}"#, "tool_choice"),
        (#""tool_choice":{"type":"tool","name":"x"}"#, "tool_choice"),
        (#""tool_choice":{"type":"banana"}"#, "tool_choice.type"), (#""mcp_servers":[{"type":"url"}]"#, "mcp_servers"),
        (#""container":"c""#, "container"), (#""speed":"fast""#, "speed"), (#""stop":["a"]"#, "stop"),
        (#""output_config":{"task_budget":{"type":"tokens"}}"#, "output_config.task_budget"),
        (#""output_config":{"effort":"low"}"#, "output_config.effort"),
        (
            #""output_config":{"format":{"type":"json_schema","schema":{"pattern":"(?<=a)b","type":"string"}}}"#,
            "output_config.format"
        ),
        (#""service_tier":"flex""#, "service_tier"), (#""n":2"#, "n"),
        (#""system":[{"type":"image"}]"#, "system[0].type"),
        (#""context_management":{"edits":[{}]}"#, "context_management"), (#""temperature":-1"#, "temperature"),
    ]) func `what is not done is refused by its field`(fields: String, parameter: String) async throws {
        try await withWholeGateway { client in
            let reply = try await post(client, path, #"{\#(Self.question),"max_tokens":4,\#(fields)}"#)
            let error = try json(reply.body)
            let detail = try #require(error["error"] as? [String: String])
            #expect(reply.status == 400 && error["type"] as? String == "error")
            #expect(error["request_id"] as? String == reply.headers["request-id"])
            #expect(
                detail["type"] == "invalid_request_error" && detail["message"]?.contains(parameter) == true, "\(detail)"
            )
        }
    }

    @Test(arguments: [
        (#"[]"#, "messages"), (#"[{"role":"tool","content":"x"}]"#, "messages[0].role"),
        (#"[{"role":"user","content":[{"type":"image","source":{}}]}]"#, "messages[0].content[0].type"),
        (
            #"[{"role":"user","content":[{"type":"text","text":"a","citations":[{}]}]}]"#,
            "messages[0].content[0].citations"
        ),
        (
            #"[{"role":"user","content":[{"type":"tool_use","id":"a","name":"b","input":{}}]}]"#,
            "messages[0].content[0].type"
        ),
        (#"[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":{}}]}]"#, "messages"),
        (
            #"[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":"{}"}]}]"#,
            "messages[0].content[0].input"
        ),
        (
            #"[{"role":"assistant","content":[{"type":"tool_result","tool_use_id":"a"}]}]"#,
            "messages[0].content[0].type"
        ),
        (
            #"[{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"thinking","thinking":""}]}]}]"#,
            "messages[0].content[0].content[0].type"
        ),
    ]) func `a turn that cannot be read is refused by its place`(messages: String, place: String) async throws {
        try await withWholeGateway { client in
            for path in [path, path + "/count_tokens"] {
                let reply = try await post(client, path, #"{"model":"llama","max_tokens":4,"messages":\#(messages)}"#)
                let detail = try json(reply.body)["error"] as? [String: String]
                #expect(reply.status == 400 && detail?["message"]?.contains("'\(place)'") == true, "\(detail ?? [:])")
            }
        }
    }

    @Test func `keys come as Anthropic's clients send them, and every error has their form`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("accounts-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try AccountStore(file: folder.appendingPathComponent("accounts.sqlite").path)
        let key = try await store.makeKey(name: "one", limits: .init(requestsPerMinute: 2)).key.secret
        try await withWholeGateway(accounts: AccountKeeper(store: store), filter: Self.policy) { client async throws in
            func send(_ body: String, to path: String = "/v1/messages", method: String = "POST", key: String? = nil)
                async throws
                -> String
            {
                let headers = ["anthropic-version": "2023-06-01"].merging(key.map { ["x-api-key": $0] } ?? [:]) { $1 }
                let reply = try await client.execute(
                    uri: path, method: method, body: method == "POST" ? Data(body.utf8) : nil, headers: headers)
                let body = try json(reply.body)
                let type = (body["error"] as? [String: String])?["type"] ?? body["type"] as? String
                return "\(reply.status) \(type ?? "")"
            }
            let body = #"{\#(Self.question),"max_tokens":2}"#
            #expect(try await send(body) == "401 authentication_error")
            #expect(try await send(body, key: key) == "200 message")
            let blocked = body.replacingOccurrences(of: "\"go\"", with: "\"Project Zeus\"")
            #expect(try await send(blocked, key: key) == "400 invalid_request_error")
            #expect(try await send(body, key: key) == "429 rate_limit_error")
            #expect(try await send("", method: "GET", key: key) == "405 invalid_request_error")
            #expect(try await send("", to: "/v1/messages/none", key: key) == "404 not_found_error")
            #expect(try await send(String(repeating: " ", count: 1 << 17), key: key) == "413 request_too_large")
        }
    }

    private static let policy =
        "rules: [{name: zeus, categories: [ours], action: block}]\nphrases: [{category: ours, phrases: [Project Zeus]}]\n"

    @Test func `models have Anthropic's form for its clients`() async throws {
        try await withWholeGateway { client in
            func get(_ uri: String) async throws -> (status: Int, json: [String: Any]) {
                let answer = try await client.execute(
                    uri: uri, method: "GET", headers: ["anthropic-version": "2023-06-01"])
                return (answer.status, try json(answer.body))
            }
            let list = try await get("/v1/models?limit=1").json
            let first = try #require((list["data"] as? [[String: Any]])?.first)
            #expect(first["type"] as? String == "model" && first["id"] as? String == "llama")
            #expect(first["max_input_tokens"] as? Int == 512 && first["lifecycle"] as? String == "active")
            #expect(list["first_id"] as? String == "llama" && list["has_more"] is Bool && list["object"] == nil)
            #expect(try await get("/v1/models/llama").json as NSDictionary == first as NSDictionary)
            let behind = try await get("/v1/models?after_id=llama").json
            #expect((behind["data"] as? [[String: Any]])?.contains { $0["id"] as? String == "llama" } == false)
            #expect(try await get("/v1/models?limit=0").status == 400)
            let missing = try await get("/v1/models/none")
            #expect(missing.status == 404 && missing.json["type"] as? String == "error")
            // Others have OpenAI's.
            let plain = try json(try await client.execute(uri: "/v1/models", method: "GET").body)
            #expect(plain["object"] as? String == "list")
        }
    }

    @Test func `a batch of messages is answered as each message alone, and read in its order`() async throws {
        try await withKeepingGateway { client, _ in
            let path = "/v1/messages/batches"
            func request(_ id: String, _ more: String = #""max_tokens":6"#) -> String {
                #"{"custom_id":"\#(id)","params":{\#(Self.question),\#(more)}}"#
            }
            func get(_ uri: String) async throws -> [String: Any] {
                try json(try await client.execute(uri: uri, method: "GET").body)
            }
            let ids = (0..<8).map { "r-\($0)" }
            let requests = ids.map { request($0) } + [request("wrong", #""max_tokens":-1"#)]
            let begun = try json(
                try await post(client, path, #"{"requests":[\#(requests.joined(separator: ","))]}"#).body)
            let id = try #require(begun["id"] as? String, "\(begun)")
            #expect(id.hasPrefix("msgbatch_") && begun["processing_status"] as? String == "in_progress")
            #expect((begun["request_counts"] as? [String: Int])?["processing"] == 9)
            #expect(begun["results_url"] is NSNull)
            var batch = begun
            while batch["processing_status"] as? String != "ended" {
                try await Task.sleep(for: .milliseconds(50))
                batch = try await get("\(path)/\(id)")
            }
            #expect(
                batch["request_counts"] as? [String: Int] == [
                    "processing": 0, "succeeded": 8, "errored": 1, "canceled": 0, "expired": 0,
                ])
            let url = try #require(batch["results_url"] as? String)
            let results = try await client.execute(uri: url, method: "GET")
            let lines = try results.body.split(separator: 10).map { try json(Data($0)) }
            #expect(lines.map { $0["custom_id"] as? String } == ids + ["wrong"])
            let alone = try json(try await post(client, "/v1/messages", #"{\#(Self.question),"max_tokens":6}"#).body)
            for line in lines.dropLast() {
                let result = try #require(line["result"] as? [String: Any])
                let message = try #require(result["message"] as? [String: Any])
                #expect(result["type"] as? String == "succeeded")
                #expect(message["content"] as? NSArray == alone["content"] as? NSArray)
            }
            let error = try #require((lines.last?["result"] as? [String: Any])?["error"] as? [String: Any])
            #expect(error["type"] as? String == "error")
            let list = try await get(path)
            #expect((list["data"] as? [[String: Any]])?.map { $0["id"] as? String } == [id])
            #expect(list["last_id"] as? String == id && list["has_more"] as? Bool == false)
            // The same batch, as OpenAI's clients see it.
            #expect(try await get("/v1/batches/\(id.dropFirst(3))")["status"] as? String == "completed")
            #expect(try await post(client, "\(path)/\(id)/cancel", "").status == 409)
            let gone = try await client.execute(uri: "\(path)/\(id)", method: "DELETE")
            #expect(try json(gone.body)["type"] as? String == "message_batch_deleted")
            #expect(try await client.execute(uri: url, method: "GET").status == 404)
            for (wrong, field) in [
                (#"{"requests":[]}"#, "requests"),
                (#"{"requests":[\#(requests[0]),\#(requests[0])]}"#, "requests[1].custom_id"),
                (#"{"requests":[\#(request("a b"))]}"#, "requests[0].custom_id"),
                (#"{"requests":[{"custom_id":"a"}]}"#, "requests[0].params"),
                (#"{"requests":[\#(request("a", #""max_tokens":6,"stream":true"#))]}"#, "requests[0].params.stream"),
            ] {
                let answer = try await post(client, path, wrong)
                let error = try json(answer.body)["error"] as? [String: Any]
                #expect(answer.status == 400 && (error?["message"] as? String)?.contains(field) == true, "\(wrong)")
            }
        }
    }

    @Test func `a batch of messages that is cancelled ends`() async throws {
        try await withKeepingGateway { client, _ in
            let requests = (0..<200).map {
                #"{"custom_id":"r\#($0)","params":{\#(Self.question),"max_tokens":100}}"#
            }
            let body = #"{"requests":[\#(requests.joined(separator: ","))]}"#
            let begun = try json(try await post(client, "/v1/messages/batches", body).body)
            let uri = "/v1/messages/batches/\(try #require(begun["id"] as? String))"
            #expect(try await client.execute(uri: uri + "/results", method: "GET").status == 404)
            #expect(try await client.execute(uri: uri, method: "DELETE").status == 409)
            let cancelled = try json(try await post(client, uri + "/cancel", "").body)
            #expect(cancelled["processing_status"] as? String == "canceling", "\(cancelled)")
            var batch = cancelled
            while batch["processing_status"] as? String != "ended" {
                try await Task.sleep(for: .milliseconds(50))
                batch = try json(try await client.execute(uri: uri, method: "GET").body)
            }
            let counts = try #require(batch["request_counts"] as? [String: Int])
            #expect(counts["processing"] == 0 && batch["cancel_initiated_at"] is String)
        }
    }
}
