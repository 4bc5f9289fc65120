import Foundation
import JSON
import Testing

@testable import Gateway

/// Every field of every route: honoured, harmless, or refused by name.
@Suite(.timeLimit(.minutes(5)), .serialized) struct FieldTests {
    /// What the document says of a field.
    private struct Field {
        var name: String
        var schema: JSONValue
        /// Why it changes nothing.
        var harmless: String?
    }

    private struct Body {
        var path: String
        var fields: [Field]
        var refused: [(name: String, why: String)]
    }

    /// Short requests that are answered. Where a route is not named it needs what this gateway has not.
    private static let samples = [
        "/v1/chat/completions": #""model":"llama","max_tokens":3,"seed":1,"messages":[{"role":"user","content":"hi"}]"#,
        "/v1/completions": #""model":"llama","max_tokens":3,"seed":1,"prompt":"hi""#,
        "/v1/responses": #""model":"llama","max_output_tokens":3,"seed":1,"input":"hi""#,
        "/v1/messages": #""model":"llama","max_tokens":3,"seed":1,"messages":[{"role":"user","content":"hi"}]"#,
        "/v1/messages/count_tokens": #""model":"llama","messages":[{"role":"user","content":"hi"}]"#,
        "/v1/embeddings": #""model":"llama","input":"hi""#, "/v1/moderations": #""input":"hi""#,
        "/v1/rerank": #""model":"llama","query":"hi","documents":["a","b"]"#,
        "/v2/rerank": #""model":"llama","query":"hi","documents":["a","b"]"#,
        "/rerank": #""model":"llama","query":"hi","documents":["a","b"]"#,
        "/v1/score": #""model":"llama","text_1":"hi","text_2":"a""#,
        "/score": #""model":"llama","text_1":"hi","text_2":"a""#,
        "/tokenize": #""model":"llama","prompt":"hi""#, "/detokenize": #""model":"llama","tokens":[1]"#,
        "/api/chat":
            #""model":"llama","stream":false,"options":{"num_predict":3,"seed":1},"messages":[{"role":"user","content":"hi"}]"#,
        "/api/generate": #""model":"llama","stream":false,"options":{"num_predict":3,"seed":1},"prompt":"hi""#,
        "/api/embed": #""model":"llama","input":"hi""#, "/api/show": #""model":"llama""#,
        "/v1/images/generations": #""model":"tiny","prompt":"hi","seed":1,"steps":2"#,
    ]

    /// Bodies of other kinds, and those of routes that are off without an administrator, accounts or a file of state.
    private static let others: Set<String> = [
        "/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/v1/feedback", "/admin/route", "/v1/watermark/detect",
        "/v1/batches", "/v1/messages/batches", "/v1/conversations", "/v1/conversations/{id}",
        "/v1/fine_tuning/jobs",
        "/v1/conversations/{id}/items",
    ]

    private func bodies() throws -> [Body] {
        let document = try JSONParser.parse([UInt8](OpenAPIRoute.document()))
        func resolved(_ schema: JSONValue) -> JSONValue {
            guard let reference = schema["$ref"]?.text else { return schema }
            return resolved(reference.split(separator: "/").dropFirst().reduce(document) { $0[String($1)] ?? .null })
        }
        func fields(_ schema: JSONValue) -> [Field] {
            let schema = resolved(schema)
            var found = (schema["allOf"]?.elements ?? []).flatMap(fields)
            if case .object(let properties)? = schema["properties"] {
                found += properties.members.map { name, part in
                    Field(name: name, schema: resolved(part), harmless: part["x-harmless"]?.text)
                }
            }
            // A later description takes the place of an earlier one.
            return found.enumerated().filter { index, field in
                !found[(index + 1)...].contains { $0.name == field.name }
            }.map(\.element)
        }
        guard case .object(let paths)? = document["paths"] else { throw CancellationError() }
        return paths.members.compactMap { path, operations in
            guard let schema = operations["post"]?["requestBody"]?["content"]?["application/json"]?["schema"] else {
                return nil
            }
            var refused: [(String, String)] = []
            if case .object(let names)? = operations["post"]?["x-refused"] {
                refused = names.members.map { ($0.key, $0.value.text ?? "") }
            }
            return Body(path: path, fields: fields(schema), refused: refused)
        }
    }

    /// The table, as the documentation has it.
    private func page() throws -> String {
        var text = """
            # The fields of every route

            What becomes of each field of a request: it is honoured, it changes nothing, or it is refused by name.

            ## Overview

            This page is made of the API's document (`/openapi.json`, where a field that changes nothing has `x-harmless`, and an
            operation its refused fields in `x-refused`) by `FieldTests`: `NEPHELE_WRITE=1 swift test --filter FieldTests` writes
            it. Another test sends each field. Refused fields pass where they ask for nothing: null, false, an empty text or list,
            or what is done anyway. A field that is in no table changes nothing; with `--strict-fields` it is refused.

            """
        for body in try bodies() {
            text += "\n### `POST \(body.path)`\n\n| field | what becomes of it |\n|---|---|\n"
            for field in body.fields {
                let said = field.schema["description"]?.text?.split(separator: "\n").joined(separator: " ") ?? ""
                let what = field.harmless.map { "harmless: \($0)" } ?? (said.isEmpty ? "honoured" : "honoured: \(said)")
                text += "| `\(field.name)` | \(what.replacing("|", with: "\\|")) |\n"
            }
            var reasons: [(why: String, names: [String])] = []
            for (name, why) in body.refused {
                if let index = reasons.firstIndex(where: { $0.why == why }) {
                    reasons[index].names.append(name)
                } else {
                    reasons.append((why, [name]))
                }
            }
            for (why, names) in reasons {
                text +=
                    "| \(names.map { "`\($0)`" }.joined(separator: ", ")) | refused: \(why.replacing("|", with: "\\|")) |\n"
            }
        }
        return text
    }

    @Test func `the page of all fields is what the document says`() throws {
        let file = testsFolder.deletingLastPathComponent().appendingPathComponent(
            "Sources/Gateway/Gateway.docc/Fields.md")
        let page = try page()
        if ProcessInfo.processInfo.environment["NEPHELE_WRITE"] != nil { try Data(page.utf8).write(to: file) }
        #expect(try String(contentsOf: file, encoding: .utf8) == page, "NEPHELE_WRITE=1 writes it anew")
    }

    @Test func `every route has a request that its fields are tried in`() throws {
        let paths = Set(try bodies().map(\.path))
        #expect(paths == Set(Self.samples.keys).union(Self.others).intersection(paths))
        #expect(paths.subtracting(Self.others) == Set(Self.samples.keys))
    }

    /// Values of which one at least is none that a field could take.
    private static let wrong = [#"{"\u0001":[[]]}"#, "-7.5", #""\u0001?""#, "[[[7.5]]]", "true"]
    /// Values of which one at least asks for something.
    private static let wishes = [#""x""#, "7", "true", #"["x"]"#, #"{"x":"y"}"#]

    private func refusal(
        _ client: WholeGatewayClient, _ path: String, _ sample: String, _ field: String, _ values: [String]
    ) async throws -> Bool {
        for value in values {
            // The last one of equal names counts.
            let reply = try await post(client, path, "{\(sample),\"\(field)\":\(value)}")
            guard reply.status == 400 else { continue }
            let body = try json(reply.body)
            let error = body["error"] as? [String: Any]
            let message = (error?["message"] ?? body["error"]) as? String ?? ""
            let names = ["'\(field)", "\(field): ", "\(field) is "]
            if (error?["param"] as? String)?.hasPrefix(field) == true || names.contains(where: message.contains) {
                return true
            }
        }
        return false
    }

    /// What of an answer has to be the same.
    private func essence(_ reply: WholeGatewayClient.Answer) throws -> NSDictionary {
        var body = try json(reply.body)
        for key in [
            "id", "created", "created_at", "system_fingerprint", "usage", "output", "total_duration", "eval_duration",
            "prompt_eval_duration",
        ] { body[key] = nil }
        #expect(reply.status == 200, "\(body)")
        return body as NSDictionary
    }

    private func sample(of schema: JSONValue) -> String {
        if let values = schema["enum"]?.elements, let first = values.first(where: { !$0.isNull }) {
            return String(decoding: first.bytes, as: UTF8.self)
        }
        let types = schema["type"]?.elements?.compactMap(\.text) ?? [schema["type"]?.text ?? "string"]
        switch types.first {
        case "boolean": return "true"
        case "integer", "number": return "1"
        case "object": return #"{"a":"b"}"#
        case "array": return #"["a"]"#
        default: return #""a""#
        }
    }

    @Test(arguments: samples.keys.sorted()) func `each field is read, changes nothing, or is refused by its name`(
        path: String
    ) async throws {
        let body = try #require(try bodies().first { $0.path == path })
        let sample = try #require(Self.samples[path])
        try await withWholeGateway { client async throws in
            let plain = try essence(try await post(client, path, "{\(sample)}"))
            for field in body.fields {
                if field.harmless != nil {
                    let reply = try await post(
                        client, path, "{\(sample),\"\(field.name)\":\(self.sample(of: field.schema))}")
                    #expect(try essence(reply) == plain, "\(path) \(field.name)")
                } else {
                    #expect(
                        try await refusal(client, path, sample, field.name, Self.wrong),
                        "\(path): \(field.name) is not read")
                }
            }
            for (name, _) in body.refused {
                #expect(
                    try await refusal(client, path, sample, name, Self.wishes), "\(path): \(name) is not refused")
            }
        }
    }

    private static let histories = [
        (
            "/v1/chat/completions",
            #"{"model":"llama","max_tokens":3,"messages":[{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]},"#
                + #"{"role":"assistant","content":"b","refusal":null,"annotations":[{"type":"x"}],"audio":null,"reasoning_content":"r"},"#
                + #"{"role":"user","content":"c"}],"tools":[{"type":"function","function":{"name":"f"}}],"#
                + #""tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}}"#
        ),
        (
            "/v1/responses",
            #"{"model":"llama","max_output_tokens":3,"input":[{"role":"user","content":"a"},"#
                + #"{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"r"}],"encrypted_content":"x"},"#
                + #"{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"b","#
                + #""annotations":[{"type":"x"}],"logprobs":[{"token":"b"}]}]},"#
                + #"{"type":"function_call","id":"fc_1","status":"completed","call_id":"c","name":"f","arguments":"{}"},"#
                + #"{"type":"function_call_output","call_id":"c","output":"d"}],"tools":[{"type":"function","name":"f"}],"#
                + #""tool_choice":"none"}"#
        ),
        (
            "/v1/messages",
            #"{"model":"llama","max_tokens":3,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"#
                + #""messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b","citations":null},"#
                + #"{"type":"tool_use","id":"c","name":"f","input":{"x":1},"caller":{"type":"direct"}}]},{"role":"user","content":"#
                + #"[{"type":"tool_result","tool_use_id":"c","content":"d","cache_control":{"type":"ephemeral"}}]}],"#
                + #""tools":[{"name":"f","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}],"cache_control":{"type":"ephemeral"}}"#
        ),
    ]

    @Test func `a gateway that is strict refuses what no table has, at any depth`() async throws {
        try await withWholeGateway(refusesUnknownFields: true) { client async throws in
            for (path, sample) in Self.samples {
                #expect(try await post(client, path, "{\(sample)}").status == 200, "\(path)")
                #expect(try await post(client, path, #"{\#(sample),"nonsense":null,"more":[]}"#).status == 200)
                #expect(try await refusal(client, path, sample, "nonsense", ["1"]), "\(path)")
            }
            let chat = "/v1/chat/completions"
            for (field, place) in [
                (#""messages":[{"role":"user","content":"a","mood":"good"}]"#, "messages[0].mood"),
                (#""stream_options":{"include_everything":true}"#, "stream_options.include_everything"),
                (#""store":true"#, "store"),
            ] {
                let reply = try await post(client, chat, "{\(Self.samples[chat] ?? ""),\(field)}")
                let error = try json(reply.body)["error"] as? [String: Any]
                #expect(reply.status == 400 && error?["param"] as? String == place, "\(error ?? [:])")
            }
            // What clients send back of answers, and how they choose tools.
            for (path, body) in Self.histories {
                let reply = try await post(client, path, body)
                #expect(reply.status == 200, "\(path) \(String(decoding: reply.body, as: UTF8.self))")
            }
            // A schema is the client's own.
            let tool =
                #""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","x-own":{"a":1}}}}]"#
            #expect(try await post(client, chat, "{\(Self.samples[chat] ?? ""),\(tool)}").status == 200)
        }
    }
}
