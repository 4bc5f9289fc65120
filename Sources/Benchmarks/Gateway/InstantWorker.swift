internal import Foundation
internal import Messages
internal import RPC
internal import ZeroMQTransport

/// A tokenizer and a text-model that answer at once and compute nothing: what then takes time is the gateway.
package enum InstantWorker {
    /// The hidden argument that makes the executable such a worker.
    package static let argument = "--gateway-benchmark-worker"

    /// Answers with some 30 words at once.
    static let instant = "instant"
    /// Streams a word each `pace`, as many as are asked for.
    static let steady = "steady"
    static let pace = Duration.milliseconds(200)

    static let tokenizerEndpoint = "tokenizer.sock"
    static let textModelEndpoint = "text-model.sock"

    /// Serves until standard input ends; to be called with what followed `argument`: the directory for its sockets.
    package static func serve(_ arguments: [String]) throws {
        guard arguments.count == 1 else {
            throw RPCError(.invalidArgument, "\(argument) takes a directory, got \(arguments)")
        }
        Thread.detachNewThread {
            while let data = try? FileHandle.standardInput.read(upToCount: 1), !data.isEmpty {}
            exit(0)
        }
        let transport = try ZeroMQTransport.shared()
        let servers = [
            RPCServer(
                description("tokenizer", modality: ""), services: [InstantTokenizer()],
                transports: [transport.server("ipc://\(arguments[0])/\(tokenizerEndpoint)")]),
            RPCServer(
                description("text-model", modality: "text"), services: [InstantTextModel()],
                transports: [transport.server("ipc://\(arguments[0])/\(textModelEndpoint)")]),
        ]
        for server in servers { _ = try server.start() }
        withExtendedLifetime(servers) {
            while true { Thread.sleep(forTimeInterval: 3600) }
        }
    }

    private static func description(_ service: String, modality: String) -> ServiceDescription {
        var description = ServiceDescription(service: service)
        description.models = [instant, steady].map { name in
            var model = ModelDescription(name: name)
            (model.revision, model.numericsID) = ("1", InstantTokenizer.hash)
            if modality == "text" {
                (model.modality, model.contextLength) = (modality, 4_096)
                model.tokenizerHash = InstantTokenizer.hash
            }
            return model
        }
        description.capacity = 4_096
        return description
    }
}

private struct InstantTokenizer: RPCService {
    static let hash = String(repeating: "0", count: 64)

    func register(with router: inout RPCRouter) {
        router.immediate(Wire.Tokenizer.renderChat) { request, _ in
            // About as many tokens as such a text has.
            let bytes = request.message.messages.reduce(0) { $0 + $1.content.utf8.count }
            let ids = [Int32](repeating: 7, count: max(1, bytes / 4))
            return ServerReply(Wire.TokensReply(ids: ids, tokenizerHash: Self.hash))
        }
        router.immediate(Wire.Tokenizer.describeChat) { _, _ in ServerReply(Wire.ChatForm()) }
    }
}

private struct InstantTextModel: RPCService {
    private static let words = Array(repeating: "The moon stands over the quiet river, and", count: 4)

    func register(with router: inout RPCRouter) {
        router.serverStreaming(Wire.TextModel.generate) { request, writer, _ in
            let isSteady = request.message.model == InstantWorker.steady
            let texts = isSteady ? Array(repeating: " word", count: Int(request.message.maxTokens)) : Self.words
            var due = ContinuousClock.now
            var offset = 0
            for (index, text) in texts.enumerated() {
                if isSteady {
                    due += InstantWorker.pace
                    try await Task.sleep(until: due, clock: .continuous)
                }
                try await writer.write(
                    Wire.GenerateDelta(
                        choice: 0, index: UInt32(index), tokens: [7], text: text, textOffset: offset,
                        finishReason: index == texts.count - 1 ? "stop" : ""))
                offset += text.utf8.count
            }
        }
    }
}
