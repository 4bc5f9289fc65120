import Foundation
import FoundationNetworking
import GatewayClient

/// One kind of request, the same each time.
struct Load: Sendable {
    /// A request's JSON.
    private struct Body: Encodable, Sendable {
        var model = "nephele-verse"
        var messages: [[String: String]]?
        var prompt: String?
        var max_tokens: Int?
        var n: Int?
        var seed: Int?
        var temperature: Double?
        var presence_penalty: Double?
        var repetition_penalty: Double?
        var stop: [String]?
        var logprobs: Int?
        var echo: Bool?
        var stream: Bool?
        var steps: Int?
    }

    struct Answer: Sendable {
        /// All that must not change, in a form of its own.
        var content: String
        /// Between two signs of life.
        var longestPause: Duration
    }

    let name: String
    private let path: String
    private let body: Body

    static let requests: [Load] = [
        Load(
            name: "chat, streamed", path: "v1/chat/completions",
            body: Body(
                messages: [["role": "user", "content": "写一首关于明月的诗"]], max_tokens: 160, seed: 1,
                presence_penalty: 0.4, stream: true)),
        Load(
            name: "n = 3, penalties, log-probabilities", path: "v1/completions",
            body: Body(
                prompt: "To be, or not to be", max_tokens: 120, n: 3, seed: 2, repetition_penalty: 1.1, logprobs: 2,
                stream: true)),
        Load(
            name: "stop strings, greedy", path: "v1/completions",
            body: Body(
                prompt: "KING:\n", max_tokens: 200, n: 2, seed: 3, temperature: 0,
                stop: ["never to be seen", "\n\n\n"],
                stream: true)),
        Load(
            name: "LoRA adapter", path: "v1/completions",
            body: Body(
                model: "nephele-verse-lora", prompt: "Enter", max_tokens: 100, seed: 7, logprobs: 0, stream: true)),
        Load(
            name: "whole, echo", path: "v1/completions",
            body: Body(prompt: "春眠不觉晓", max_tokens: 100, seed: 4, logprobs: 1, echo: true)),
        Load(
            name: "tokenize", path: "tokenize",
            body: Body(prompt: String(repeating: "All the world's a stage. 明月几时有。", count: 40))),
        Load(
            name: "drawing, streamed", path: "v1/images/generations",
            body: Body(model: "nephele-pixel", prompt: "a blue potion", n: 2, seed: 5, stream: true, steps: 12)),
        Load(
            name: "drawing, whole", path: "v1/images/generations",
            body: Body(model: "nephele-pixel", prompt: "一本红色的书", seed: 6, steps: 12)),
    ]

    /// Whether it needs neither pictures nor an adapter.
    var isOfTextModel: Bool { body.model == "nephele-verse" && path != "tokenize" }

    /// What a request is answered with, whatever it is.
    static func post(_ client: GatewayClient, _ path: String, _ body: String) async throws -> HTTPURLResponse {
        var request = URLRequest(url: client.address.appendingPathComponent(path), timeoutInterval: 600)
        request.httpMethod = "POST"
        request.httpBody = Data(body.utf8)
        let (_, response) = try await URLSession.shared.data(for: request)
        guard let response = response as? HTTPURLResponse else { throw URLError(.badServerResponse) }
        return response
    }

    /// - Throws: whatever a client would see as an error.
    func send(_ client: GatewayClient) async throws -> Answer {
        var last = ContinuousClock.now
        var longest: Duration = .zero
        func sign() {
            longest = max(longest, .now - last)
            last = .now
        }
        guard body.stream == true else {
            let content = try await whole(client)
            sign()
            return Answer(content: content, longestPause: longest)
        }
        // Events of one choice are in order; how choices take turns is not the same each time.
        var parts: [Int: [String]] = [:]
        for try await event in try client.events(path, body) {
            sign()
            let json = try JSONSerialization.jsonObject(with: event) as? [String: Any] ?? [:]
            for choice in json["choices"] as? [[String: Any]] ?? [] {
                let index = choice["index"] as? Int ?? -1
                parts[index, default: []].append(try Self.canonical(choice))
            }
            if let picture = json["b64_json"] as? String {
                parts[json["index"] as? Int ?? -1, default: []].append(picture)
            } else if let step = json["step"] as? Int {
                parts[1_000, default: []].append("\(step)")
            }
        }
        let content = parts.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.joined(separator: " "))" }
        return Answer(content: content.joined(separator: "\n"), longestPause: longest)
    }

    private func whole(_ client: GatewayClient) async throws -> String {
        var request = URLRequest(url: client.address.appendingPathComponent(path), timeoutInterval: 600)
        request.httpMethod = "POST"
        request.httpBody = try JSONEncoder().encode(body)
        let (data, response) = try await URLSession.shared.data(for: request)
        guard (response as? HTTPURLResponse)?.statusCode == 200 else {
            throw GatewayClientError(code: .refused, message: String(decoding: data, as: UTF8.self))
        }
        let json = try JSONSerialization.jsonObject(with: data) as? [String: Any] ?? [:]
        return try Self.canonical(json["choices"] ?? json["data"] ?? json["tokens"] ?? [])
    }

    private static func canonical(_ json: Any) throws -> String {
        let data = try JSONSerialization.data(withJSONObject: json, options: [.sortedKeys, .fragmentsAllowed])
        return String(decoding: data, as: UTF8.self)
    }
}
