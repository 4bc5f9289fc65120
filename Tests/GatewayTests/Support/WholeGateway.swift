import Accounts
import DiffusionModels
import DiffusionService
import Foundation
import FoundationNetworking
import Gateway
import Hummingbird
import Messages
import RPC
import StateKeeping
import Tensors
import Testing
import TextGeneration
import TextModelService
import TextModels
import TokenizerService
import ZeroMQTransport

private let llama = testsFolder.appendingPathComponent("TextModelsTests/Goldens/llama").path

private let tiny = testsFolder.appendingPathComponent("DiffusionModelsTests/Goldens/tiny").path

/// Loaded once: loading blocks, and every test would do it on the few threads that all share.
private let device = Device(threadCount: 1)
private let textModel = Result { try LoadedModel(directory: llama, on: device) }
private let imageModel = Result { try DiffusionPipeline(directory: tiny, device: device) }

/// The services of one text and one image model over ipc, and a gateway before them.
/// - Parameters:
///   - routes: a routing file's text; nil for the standard table.
///   - chatTemplate: that of the text model; nil for its own.
///   - contextLength: that of the text model; nil for its own.
///   - state: where the gateway keeps responses and the like.
///   - labels: a label file's text, beside which `watermark.key` lies; nil for the standard labels.
func withWholeGateway(
    chatTemplate: String? = nil, contextLength: Int? = nil, routes: String? = nil, accounts: AccountKeeper? = nil,
    filter: String? = nil,
    labels: String? = nil, certificates: CertificateSource? = nil, origins: [String] = [], state: StateStore? = nil,
    refusesUnknownFields: Bool = false,
    _ body: @Sendable @escaping (WholeGatewayClient) async throws -> Void
) async throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString).path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let isOwn = chatTemplate == nil && contextLength == nil
    let loaded = try isOwn ? textModel.get() : model(in: directory + "/model", chatTemplate, contextLength)
    let gauge = LoadGauge(capacity: 64)
    let engine = try TextEngine(loaded, options: .init(cachePositions: 4_096), on: device, gauge: gauge)
    let service = TextModelService(
        TextRevision(
            name: "llama", numericsID: "0123456789abcdef", tokenizerHash: loaded.tokenizer.hash, engine: engine))
    let tokenizers = TokenizerService(tokenizers: ["llama": loaded.tokenizer])
    let transport = try ZeroMQTransport.shared()
    let textServer = RPCServer(
        service.description(capacity: 64), services: [service],
        transports: [transport.server("ipc://\(directory)/text-model-1.sock")], gauge: gauge)
    let tokenizerServer = RPCServer(
        tokenizers.description(capacity: 64), services: [tokenizers],
        transports: [transport.server("ipc://\(directory)/tokenizer-1.sock")])
    let imageGauge = LoadGauge(capacity: 4)
    var oneAtATime = DiffusionEngine.Options()
    oneAtATime.runningLimit = 1
    let (drawings, arrival) = AsyncStream<Void>.makeStream()
    let studio = DiffusionService(
        DiffusionRevision(name: "tiny", numericsID: "fedcba9876543210", pipeline: try imageModel.get()),
        engine: try DiffusionEngine(options: oneAtATime, gauge: imageGauge))
    let imageServer = RPCServer(
        studio.description(capacity: 4), services: [studio],
        transports: [transport.server("ipc://\(directory)/diffusion-1.sock")], gauge: imageGauge,
        interceptors: [Arrival { arrival.yield() }])
    try textServer.start()
    try tokenizerServer.start()
    try imageServer.start()
    defer {
        imageServer.stop()
        textServer.stop()
        tokenizerServer.stop()
    }
    let text = try RPCClient(target: "ipc://\(directory)/text-model-*.sock")
    let tokenizer = try RPCClient(target: "ipc://\(directory)/tokenizer-*.sock")
    let diffusion = try RPCClient(target: "ipc://\(directory)/diffusion-*.sock")
    try await text.waitUntil { !$0.isEmpty }
    try await diffusion.waitUntil { !$0.isEmpty }
    try await tokenizer.waitUntil { !$0.isEmpty }
    let file = directory + "/routes.yaml"
    if let routes { try Data(routes.utf8).write(to: URL(fileURLWithPath: file)) }
    let policy = directory + "/filter.yaml"
    if let filter { try Data(filter.utf8).write(to: URL(fileURLWithPath: policy)) }
    let filters = try FilterSet(standard: filter == nil ? "default" : policy)
    try Data("a secret of some length\n".utf8).write(to: URL(fileURLWithPath: directory + "/watermark.key"))
    if let labels { try Data(labels.utf8).write(to: URL(fileURLWithPath: directory + "/labels.yaml")) }
    let routing = try RoutingSource(file: routes == nil ? nil : file)
    var gateway = Gateway(
        fleet: Fleet(tokenizer: tokenizer, textModel: text, diffusion: diffusion), routing: routing, filters: filters,
        labels: try LabelSource(labels: labels == nil ? "default" : directory + "/labels.yaml"), accounts: accounts,
        bodyLimit: 1 << 16)
    gateway.certificates = certificates
    gateway.refusesUnknownFields = refusesUnknownFields
    gateway.origins = Set(origins.compactMap { BrowserOrigin($0) })
    gateway.state = state
    let worker = gateway
    let work = Task { await worker.doWork() }
    defer { work.cancel() }
    try await withServed(gateway) { port in
        try await body(
            WholeGatewayClient(
                port: port, imageGauge: imageGauge, drawings: drawings, folder: directory, routing: routing))
    }
}

/// The text model with another chat template, or more room.
private func model(in folder: String, _ chatTemplate: String?, _ contextLength: Int?) throws -> LoadedModel {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for file in try FileManager.default.contentsOfDirectory(atPath: llama) where file != "config.json" {
        try FileManager.default.createSymbolicLink(
            atPath: folder + "/" + file, withDestinationPath: llama + "/" + file)
    }
    var configuration = try json(Data(contentsOf: URL(fileURLWithPath: llama + "/config.json")))
    if let contextLength { configuration["max_position_embeddings"] = contextLength }
    try JSONSerialization.data(withJSONObject: configuration)
        .write(to: URL(fileURLWithPath: folder + "/config.json"))
    if let chatTemplate { try Data(chatTemplate.utf8).write(to: URL(fileURLWithPath: folder + "/chat_template.jinja")) }
    return try LoadedModel(directory: folder, on: device)
}

/// A whole gateway that keeps responses and the like, in a file of its own.
func withKeepingGateway(
    accounts: AccountKeeper? = nil,
    _ body: @Sendable @escaping (WholeGatewayClient, StateStore) async throws -> Void
) async throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
    defer { for end in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: file + end) } }
    let store = try StateStore(file: file)
    try await withWholeGateway(accounts: accounts, state: store) { try await body($0, store) }
}

/// Tells of each drawing that arrives.
private struct Arrival: ServerInterceptor {
    let arrived: @Sendable () -> Void

    func admit(_ context: ServerContext) {
        if context.method == Wire.Diffusion.draw.path { arrived() }
    }
}

/// A plain HTTP client of one gateway.
struct WholeGatewayClient: Sendable {
    struct Answer: Sendable {
        var status: Int
        var body: Data
        var headers: [String: String] = [:]
    }

    var port: Int
    /// The diffusion service's own counter.
    var imageGauge: LoadGauge
    /// An element for each drawing that has reached its service.
    var drawings: AsyncStream<Void>
    /// Where the gateway's files are.
    var folder: String
    var routing: RoutingSource

    func execute(
        uri: String, method: String, body: Data? = nil, key: String? = nil, headers: [String: String] = [:]
    ) async throws -> Answer {
        var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)\(uri)")))
        request.httpMethod = method
        request.httpBody = body
        if let key { request.setValue("Bearer \(key)", forHTTPHeaderField: "Authorization") }
        for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
        let (data, response) = try await URLSession.shared.data(for: request)
        let fields = (response as? HTTPURLResponse)?.allHeaderFields ?? [:]
        let headers = fields.map { (($0 as? String ?? "").lowercased(), $1 as? String ?? "") }
        return Answer(
            status: (response as? HTTPURLResponse)?.statusCode ?? 0, body: data,
            headers: Dictionary(headers) { $1 })
    }
}

func json(_ data: Data) throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
}

func post(
    _ client: WholeGatewayClient, _ path: String, _ body: String, key: String? = nil
) async throws -> WholeGatewayClient.Answer {
    try await client.execute(uri: path, method: "POST", body: Data(body.utf8), key: key)
}
