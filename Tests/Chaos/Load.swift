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
    var isText: Bool { body.model == "nephele-verse" || needsAdapter }
    var needsAdapter: Bool { body.model == "nephele-verse-lora" }
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

    /// What each request gives when nothing happens.
    static func answers(_ system: any ChaosSystem, to requests: [Load] = requests) async throws -> [String] {
        var answers: [String] = []
        for request in requests { answers.append(try await request.send(system).content) }
        return answers
    }

    /// Sends the request; once more while nothing listens because the gateway is being replaced, as anything in front of
    /// it would.
    ///
    /// - Throws: whatever a client would see as an error.
    func send(_ system: any ChaosSystem) async throws -> Answer {
        var last = ContinuousClock.now
        var longest: Duration = .zero
        func sign() {
            longest = max(longest, .now - last)
            last = .now
        }
        while true {
            let address = try system.address()
            var hasBegun = false
            do {
                let content = try await send(system.client()) {
                    hasBegun = true
                    sign()
                }
                return Answer(content: content, longestPause: longest)
            } catch let error as GatewayClientError where error.code == .unreachable && !hasBegun {
                guard try await isReplaced(address, system) else { throw error }
            }
        }
    }

    /// Waits a while for another gateway.
    private func isReplaced(_ address: String, _ system: any ChaosSystem) async throws -> Bool {
        let patience = ContinuousClock.now + .seconds(60)
        while try system.address() == address {
            guard .now < patience else { return false }
            try await Task.sleep(for: .milliseconds(20))
        }
        return true
    }

    /// - Parameter sign: is called at each sign of life.
    private func send(_ client: GatewayClient, _ sign: () -> Void) async throws -> String {
        guard body.stream == true else {
            let content = try await whole(client)
            sign()
            return content
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
        return content.joined(separator: "\n")
    }

    /// As patient as a request is: the shared session gives one up that has had no byte for 60 s.
    private static let session: URLSession = {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.timeoutIntervalForRequest = 600
        return URLSession(configuration: configuration)
    }()

    private func whole(_ client: GatewayClient) async throws -> String {
        var request = URLRequest(url: client.address.appendingPathComponent(path), timeoutInterval: 600)
        request.httpMethod = "POST"
        request.httpBody = try JSONEncoder().encode(body)
        let (data, response): (Data, URLResponse)
        do { (data, response) = try await Self.session.data(for: request) } catch {
            throw GatewayClientError(code: .unreachable, message: "\(error)")
        }
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
