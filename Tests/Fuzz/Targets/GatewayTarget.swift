import DiffusionModels
import DiffusionService
import Foundation
import Gateway
import Hummingbird
import Logging
import Messages
import RPC
import Tensors
import TextGeneration
import TextModelService
import TextModels
import TokenizerService

/// The gateway's routes, before services of tiny models in this process: bodies of every kind of request.
struct GatewayTarget: FuzzTarget {
    let kind = SampleKind.text
    let samples: [[UInt8]]
    private let services: Services
    private let port: UInt16

    /// Path, and what is sent there.
    private static let requests: [(path: String, body: String)] = [
        (
            "/v1/chat/completions",
            #"{"model":"llama","messages":[{"role":"system","content":"a"},{"role":"user","content":[{"type":"text","#
                + #""text":"é"}]}],"max_tokens":2,"n":2,"seed":1,"stream":true,"stream_options":{"include_usage":true}}"#
        ),
        (
            "/v1/chat/completions",
            #"{"model":"llama","messages":[{"role":"user","content":"b"}],"max_completion_tokens":2,"logprobs":true,"#
                + #""top_logprobs":2,"temperature":0.5,"top_p":0.9,"top_k":4,"min_p":0.1,"stop":["\n"]}"#
        ),
        (
            "/v1/completions",
            #"{"model":"llama","prompt":["abc","d"],"max_tokens":2,"logprobs":1,"echo":true,"presence_penalty":0.1,"#
                + #""frequency_penalty":0.2,"repetition_penalty":1.1,"logit_bias":{"5":-1.5},"stop":"x"}"#
        ),
        ("/v1/completions", #"{"model":"llama","prompt":[[1,2],[3]],"max_tokens":1,"stream":true,"ignore_eos":true}"#),
        (
            "/v1/images/generations",
            #"{"model":"tiny","prompt":"a","n":1,"seed":3,"steps":1,"size":"16x16","response_format":"b64_json","#
                + #""guidance_scale":2.5,"eta":0.5,"negative_prompt":"b","stream":true}"#
        ),
        (
            "/v1/images/generations",
            #"{"model":"tiny","prompt":"a","steps":3,"stream":true,"partial_images":2,"seed":-1}"#
        ),
        (
            "/v1/responses",
            #"{"model":"llama","input":[{"role":"developer","content":[{"type":"input_text","text":"é"}]}],"#
                + #""instructions":"b","max_output_tokens":2,"stream":true,"text":{"format":{"type":"text"}},"#
                + #""store":false,"tools":[],"reasoning":{"effort":null},"metadata":{"a":"b"},"truncation":"disabled"}"#
        ),
        ("/v1/embeddings", #"{"model":"llama","input":["a","é"],"encoding_format":"base64","dimensions":7}"#),
        ("/v1/embeddings", #"{"model":"llama","input":[[1,2,3],[4]],"encoding_format":"float","user":"u"}"#),
        ("/tokenize", #"{"model":"llama","prompt":"hello","add_special_tokens":true}"#),
        ("/tokenize", #"{"model":"llama","messages":[{"role":"user","content":"c"}],"add_generation_prompt":true}"#),
        ("/detokenize", #"{"model":"llama","tokens":[1,2,3]}"#),
        ("/v1/watermark/detect", #"{"model":"llama","input":["é","a text"],"z_threshold":3.5}"#),
        ("/v1/load_lora_adapter", #"{"lora_name":"a","lora_path":"b/c","base_model":"llama"}"#),
        ("/v1/unload_lora_adapter", #"{"lora_name":"a"}"#),
    ]

    init() async throws {
        services = try await Services()
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("nephele-" + UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let labels = "labels: {pictures: {parameters: prompt, mark: on}, text: {notice: on, watermark: {keys: w.key}}}"
        for (name, text) in [("labels.yaml", labels), ("w.key", "0123456789abcdef")] {
            try Data(text.utf8).write(to: folder.appendingPathComponent(name))
        }
        let gateway = Gateway(
            fleet: services.fleet, routing: try RoutingSource(file: nil), filters: try FilterSet(standard: "default"),
            labels: try LabelSource(labels: folder.appendingPathComponent("labels.yaml").path),
            bodyLimit: 1 << 18, allowsAdapterUpdates: true
        )
        samples = Self.requests.map { path, body in
            Array(
                ("POST \(path) HTTP/1.1\r\nHost: a\r\nX-Request-Timeout-Ms: 2000\r\nContent-Type: application/json\r\n\r\n"
                    + body).utf8)
        }
        var logger = Logger(label: "fuzz")
        logger.logLevel = .critical
        let (ports, running) = AsyncStream<Int>.makeStream()
        let application = try gateway.application(at: GatewayAddress(), logger: logger) {
            running.yield($0.localAddress?.port ?? 0)
        }
        Task { try await application.run() }
        var first = ports.makeAsyncIterator()
        port = UInt16(await first.next() ?? 0)
    }

    mutating func run(_ input: [UInt8]) async throws {
        let (port, request) = (port, Self.complete(input))
        let answer = await withCheckedContinuation { done in
            // Off the pool: the client's socket blocks.
            DispatchQueue.global().async { done.resume(returning: Self.send(request, to: port)) }
        }
        let status = String(decoding: answer.prefix(16), as: UTF8.self).split(separator: " ").dropFirst().first
        // Whoever sends nonsense is told so; the gateway itself never fails.
        if status == "500" || status == "502" {
            throw FuzzFinding(description: "the answer is \(status ?? "")")
        }
    }

    /// With the length that the body has, and a connection that ends; the rest is as it came.
    private static func complete(_ input: [UInt8]) -> [UInt8] {
        let end = input.indices.dropFirst(3).first { input[$0 - 3...$0].elementsEqual([13, 10, 13, 10]) }
        guard let end else { return input + [13, 10, 13, 10] }
        let count = input.count - end - 1
        return input[..<(end - 1)] + Array("Content-Length: \(count)\r\nConnection: close\r\n\r\n".utf8)
            + input[(end + 1)...]
    }

    private static func send(_ request: [UInt8], to port: UInt16) -> [UInt8] {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard socket >= 0 else { return [] }
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected, Glibc.send(socket, request, request.count, Int32(MSG_NOSIGNAL)) > 0 else {
            return []
        }
        // A body that is shorter than announced is waited for; not for ever.
        var patience = timeval(tv_sec: 0, tv_usec: 300_000)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { return answer }
            if answer.count < 1 << 20 { answer += buffer[..<count] }
        }
    }
}

/// A text and an image model in this process.
private struct Services {
    let fleet: Fleet
    private let servers: [RPCServer]

    init() async throws {
        let device = Device(threadCount: 1), network = try InProcessNetwork()
        let gauge = LoadGauge(capacity: 8), imageGauge = LoadGauge(capacity: 4)
        let loaded = try LoadedModel(directory: Corpus.path("TextModelsTests/Goldens/llama"), on: device)
        let engine = try TextEngine(loaded, options: .init(cachePositions: 4_096), on: device, gauge: gauge)
        let text = TextModelService(
            TextRevision(name: "llama", numericsID: "01", tokenizerHash: loaded.tokenizer.hash, engine: engine))
        let tokenizer = TokenizerService(tokenizers: ["llama": loaded.tokenizer])
        let pipeline = try DiffusionPipeline(
            directory: Corpus.path("DiffusionModelsTests/Goldens/tiny"), device: Device(threadCount: 1))
        let images = DiffusionService(
            DiffusionRevision(name: "tiny", numericsID: "02", pipeline: pipeline),
            engine: try DiffusionEngine(gauge: imageGauge))
        servers = [
            RPCServer(
                text.description(capacity: 8), services: [text], transports: [network.server("text")], gauge: gauge),
            RPCServer(
                tokenizer.description(capacity: 8), services: [tokenizer], transports: [network.server("tokenizer")]),
            RPCServer(
                images.description(capacity: 4), services: [images], transports: [network.server("images")],
                gauge: imageGauge),
        ]
        for server in servers { try server.start() }
        func client(_ name: String) async throws -> RPCClient {
            let client = try RPCClient(
                target: name, resolver: StaticResolver(addresses: [name]), transport: network.client)
            try await client.waitUntil { !$0.isEmpty }
            return client
        }
        fleet = Fleet(
            tokenizer: try await client("tokenizer"), textModel: try await client("text"),
            diffusion: try await client("images"))
    }
}
