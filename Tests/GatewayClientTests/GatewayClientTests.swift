import Foundation
import GatewayClient
import Testing

@Suite(.timeLimit(.minutes(10))) struct GatewayClientTests {
    private static let models = """
        {"object":"list","data":[
          {"id":"pictures","modality":"image","revision":"a","context_length":0},
          {"id":"verse","parent":"words","modality":"text","revision":"b","context_length":8},
          {"id":"words","modality":"text","revision":"c","context_length":8}]}
        """

    @Test func `the model that is meant is the one that is named, or the first of its modality that is no adapter`()
        async throws
    {
        let (names, requests) = try await withGateway(Self.models, key: "sk-1") { client in
            [
                try await client.model("mine", modality: "text"), try await client.model(nil, modality: "text"),
                try await client.model(nil, modality: "image"),
            ]
        }
        #expect(names == ["mine", "words", "pictures"])
        #expect(requests.map(\.path) == ["/v1/models", "/v1/models"])
        #expect(requests.allSatisfy { $0.authorization == "Bearer sk-1" })
    }

    @Test func `a modality that no model has is refused by name`() async throws {
        let (error, _) = try await withGateway(#"{"data":[]}"#) { client in
            await #expect(throws: GatewayClientError.self) { try await client.model(nil, modality: "image") }
        }
        #expect(error?.code == .refused && error?.message.hasSuffix("serves no image model") == true)
    }

    @Test func `a refusal says what the gateway says, and its status`() async throws {
        let (said, _) = try await withGateway(#"{"error":{"message":"too many"}}"#, status: .tooManyRequests) {
            client in
            await #expect(throws: GatewayClientError.self) { try await client.get(ModelEntries.self, "v1/models") }
        }
        #expect(said?.code == .refused && said?.message == "too many" && said?.status == 429)
        let (other, _) = try await withGateway("<html>", status: .badGateway) { client in
            await #expect(throws: GatewayClientError.self) { try await client.get(ModelEntries.self, "v1/models") }
        }
        #expect(other?.code == .refused && other?.message.contains("502") == true)
    }

    @Test func `an answer that is no gateway's is malformed, and names what was asked`() async throws {
        let (error, _) = try await withGateway("hello") { client in
            await #expect(throws: GatewayClientError.self) { try await client.get(ModelEntries.self, "v1/models") }
        }
        #expect(error?.code == .malformed && error?.message.contains("/v1/models") == true)
    }

    @Test func `where nothing listens the gateway is unreachable, and the message says what to do`() async throws {
        // Port 9 is discard's, and refused nearly everywhere.
        let client = try GatewayClient(address: "http://127.0.0.1:9", patience: 5)
        let error = await #expect(throws: GatewayClientError.self) {
            try await client.get(ModelEntries.self, "v1/models")
        }
        #expect(error?.code == .unreachable && error?.message.contains("nephele up") == true)
        #expect(await client.isReady() == false)
        #expect(await client.missingModels() == nil)
    }

    @Test func `a gateway that is not ready says which models are missing`() async throws {
        let text = "not served yet: verse, words\n"
        let (missing, requests) = try await withGateway(text, status: .serviceUnavailable) { client in
            #expect(await client.isReady() == false)
            return await client.missingModels()
        }
        #expect(missing == ["verse", "words"])
        #expect(requests.map(\.path) == ["/readyz", "/readyz"])
        let (other, _) = try await withGateway(
            "the service tokenizer has no instance yet\n", status: .serviceUnavailable
        ) {
            await $0.missingModels()
        }
        #expect(other == nil)
        let (none, _) = try await withGateway("ready\n") { client in
            #expect(await client.isReady())
            return await client.missingModels()
        }
        #expect(none == [])
    }

    @Test func `usage is asked for by its days`() async throws {
        let row =
            #"{"day":"2026-11-25","key":"k","model":"m","requests":1,"prompt_tokens":2,"completion_tokens":3,"#
            + #""pictures":0,"cost":0.5}"#
        let (lists, requests) = try await withGateway(#"{"data":[\#(row)]}"#) { client in
            [try await client.usage(from: nil, to: nil), try await client.usage(from: "2026-11-01", to: "2026-11-30")]
        }
        #expect(lists.allSatisfy { $0.data.map(\.cost) == [0.5] })
        #expect(requests.map(\.query) == ["", "from=2026-11-01&to=2026-11-30"])
    }

    @Test func `a model's name is one part of the path, whatever is in it`() async throws {
        let answer = #"{"model":"a/b c","outcome":"failed","replicas":[]}"#
        let (outcome, requests) = try await withGateway(answer, status: .conflict) { try await $0.reload("a/b c") }
        #expect(outcome.outcome == "failed" && outcome.replicas.isEmpty)
        #expect(requests.map(\.path) == ["/admin/models/a%2Fb%20c/reload"])
        let (error, _) = try await withGateway(#"{"error":{"message":"no"}}"#, status: .forbidden) { client in
            await #expect(throws: GatewayClientError.self) { try await client.reload("a") }
        }
        #expect(error?.status == 403)
    }

    @Test func `a route is asked for with what is given`() async throws {
        let answer = #"{"route":"code","targets":["words"],"steps":["one","two"]}"#
        let (explanation, requests) = try await withGateway(answer) { client in
            try await client.explainRoute(
                RouteQuestion(text: "hi", model: "auto", kind: "chat", user: nil, preset: nil))
        }
        #expect(explanation.route == "code" && explanation.steps == ["one", "two"] && explanation.filter == nil)
        let body = try #require(requests.first?.body)
        #expect(body.contains(#""text":"hi""#) && !body.contains("user"))
    }

    private func events(_ stream: String, status: Int = 200) async throws -> (
        events: [String], error: GatewayClientError?
    ) {
        try await withGateway(stream, status: .init(code: status)) { client in
            var events: [String] = []
            do {
                let request = ChatRequest(model: "m", messages: [.init(role: "user", content: "hi")])
                for try await event in try client.events("v1/chat/completions", request) {
                    events.append(String(decoding: event, as: UTF8.self))
                }
            } catch let error as GatewayClientError {
                return (events, error)
            }
            return (events, nil)
        }.0
    }

    @Test func `a stream gives its events without the last mark, and its comments to nobody`() async throws {
        let found = try await events("data: {\"a\":1}\n\n: step 1 of 2\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n")
        #expect(found.events == [#"{"a":1}"#, #"{"a":2}"#] && found.error == nil)
    }

    @Test func `an error in the midst of a stream ends it with what it says`() async throws {
        let found = try await events("data: {\"a\":1}\n\ndata: {\"error\":{\"message\":\"lost\"}}\n\n")
        #expect(found.events == [#"{"a":1}"#])
        #expect(found.error?.code == .refused && found.error?.message == "lost")
    }

    @Test func `a stream that is refused has no events and the refusal's status`() async throws {
        let found = try await events(#"{"error":{"message":"no key"}}"#, status: 401)
        #expect(found.events.isEmpty && found.error?.status == 401 && found.error?.message == "no key")
    }
}
