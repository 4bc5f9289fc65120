import Messages

/// Every message of the bus: each input is read as each of them.
struct MessageTarget: FuzzTarget {
    let kind = SampleKind.protobuf
    let samples: [[UInt8]]
    private var headers = HeaderDecoder()

    private static let types: [any BusMessage.Type] = [
        FrameHeader.self, DescribeRequest.self, ServiceDescription.self, HealthRequest.self, HealthReply.self,
        Wire.EncodeRequest.self, Wire.RenderChatRequest.self, Wire.TokensReply.self, Wire.DecodeRequest.self,
        Wire.TextReply.self,
        Wire.GenerateRequest.self, Wire.GenerateDelta.self, Wire.SamplingDefaults.self, Wire.ForwardRequest.self,
        Wire.ForwardReply.self,
        Wire.ReleaseRequest.self, Wire.ReleaseReply.self, Wire.DrawRequest.self, Wire.DrawUpdate.self,
        Wire.LoadAdapterRequest.self,
        Wire.LoadAdapterReply.self, Wire.UnloadAdapterRequest.self, Wire.UnloadAdapterReply.self,
        Wire.ReloadRequest.self, Wire.ReloadReply.self,
        Wire.EmbedRequest.self, Wire.EmbedReply.self, Wire.EchoRequest.self, Wire.EchoReply.self,
        Wire.CountRequest.self, Wire.CountReply.self,
        Wire.FindAccountRequest.self, Wire.FindAccountReply.self, Wire.LeaseQuotaRequest.self,
        Wire.LeaseQuotaReply.self,
        Wire.ReturnQuotaRequest.self, Wire.AddUsageRequest.self, Wire.ReadUsageRequest.self, Wire.ReadUsageReply.self,
        Wire.RecordAnswerRequest.self, Wire.AddFeedbackRequest.self, Wire.AddFeedbackReply.self,
    ]

    init() { samples = Self.headers.map { $0.encoded() } + Self.messages.map { $0.encoded() } }

    mutating func run(_ input: [UInt8]) throws {
        for type in Self.types { try Self.decode(type, input) }
        // What is recognised by its bytes is what protobuf reads.
        let known = input.withSpan { try? headers.decode($0) }
        if known != (try? FrameHeader(decoding: input)) {
            throw FuzzFinding(description: "a header is read in two ways")
        }
    }

    private static func decode<Message: BusMessage>(_ type: Message.Type, _ input: [UInt8]) throws {
        guard let message = try? Message(decoding: input) else { return }
        let bytes = message.encoded()
        guard let again = try? Message(decoding: bytes), again.encoded() == bytes else {
            throw FuzzFinding(description: "a \(type) does not survive its encoding")
        }
    }

    static var headers: [FrameHeader] {
        var start = CallStart(method: "nephele.v1.Echo/EchoLater", creditMessages: 64, creditBytes: 1 << 22)
        let plain = start
        (start.timeout, start.metadata) = (.seconds(9), ["trace": "é"])
        (start.instanceID, start.numericsID, start.attachmentSizes) = ("abc", "def", [5, 0, 1 << 20])
        var end = CallEnd(code: 8)
        (end.message, end.reason, end.field, end.retryAfter) = ("busy", "queue_full", "prompt", .seconds(2))
        (end.notStarted, end.hasMessage, end.attachmentSizes) = (true, true, [3])
        var load = LoadReport()
        (load.outstanding, load.capacity, load.runningCalls, load.isDraining) = (5, 2, 3, true)
        (load.steps, load.stepAge, load.slowestStep, load.expectedWait) = (9, .seconds(1), .seconds(3), .seconds(4))
        var engine = EngineLoad()
        (engine.waiting, engine.cachePages, engine.prefixHits) = (1, 64, 416)
        load.engine = engine
        return [
            FrameHeader(call: 1, .call(start)), FrameHeader(call: 1, .call(plain)),
            FrameHeader(call: 1, sequence: 1, .message(attachmentSizes: [7])),
            FrameHeader(call: 1, sequence: 1, .message(attachmentSizes: [])),
            FrameHeader(call: 1, sequence: 1, .chunk(attachment: 0, offset: 2)), FrameHeader(call: 1, .end(end)),
            FrameHeader(call: 1, .end(CallEnd(code: 0))), FrameHeader(call: 1, .cancel(reason: "deadline")),
            FrameHeader(call: 1, .credit(messages: 3, bytes: 99)), FrameHeader(.ping(7)), FrameHeader(.pong(7, load)),
            FrameHeader(.goAway(reason: "later")),
        ]
    }

    private static var messages: [any BusMessage] {
        var model = ModelDescription(name: "nephele-verse")
        (model.contextLength, model.numericsID, model.modality) = (4_096, "abc", "text")
        (model.parent, model.tokenizerHash, model.sampling.topK) = ("base", "0123", 20)
        var description = ServiceDescription(service: "text-model")
        (description.models, description.layers, description.shardCount) = ([model, model], 2..<4, 2)
        var generate = Wire.GenerateRequest(model: "m", prompt: [1, 2, -1], maxTokens: 3, seed: 4)
        (generate.stop, generate.logprobs, generate.n) = (["\n", "詩"], 2, 3)
        generate.logitBias = [Wire.LogitBias(id: 5, bias: -1.5)]
        generate.resume = [Wire.ChoiceResume(choice: 1, ids: [5, -1, .max], textBytes: 9, logprobs: 3)]
        let logprob = Wire.TokenLogprob(
            id: 1, logprob: -0.5, bytes: [0xe4], alternatives: [.init(id: 2, logprob: -.infinity, bytes: [])])
        var defaults = Wire.SamplingDefaults()
        (defaults.temperature, defaults.topK, defaults.topP) = (0.7, 20, 0.9)
        var draw = Wire.DrawRequest(model: "m", prompt: "一本书", seeds: [1, .max])
        (draw.steps, draw.guidanceScale, draw.width, draw.height) = (9, 7.5, 64, 32)
        draw.partialImages = 3
        let picture = Wire.DrawnPicture(index: 1, seed: 2, width: 32, height: 32)
        var preview = Wire.DrawUpdate(step: 1, steps: 2)
        preview.preview = Wire.DrawPreview(picture: 1, index: 2, width: 32, height: 16)
        var embed = Wire.EmbedRequest(model: "m", inputs: [[1, 2, -1], [], [.max]])
        (embed.adapter, embed.tokenizerHash, embed.dimensions) = ("a", "0123", 8)
        return [
            DescribeRequest(), description, HealthRequest(), HealthReply(state: .stuck, load: LoadReport()),
            Wire.EncodeRequest(model: "m", text: "abc", addSpecialTokens: true),
            Wire.RenderChatRequest(model: "m", messages: [Wire.ChatMessage(role: "user", content: "hello")]),
            Wire.RenderChatRequest(
                model: "m", messages: [Wire.ChatMessage(role: "tool", content: "1", members: #"{"tool_call_id":"c"}"#)],
                tools: "[{}]", documents: "[]", variables: "{}", continueFinalMessage: true),
            Wire.ChatForm(source: "{{ tools }}", variables: ["tools"], takesTools: true),
            Wire.TokensReply(ids: [1, 2, 3], tokenizerHash: "0123"), Wire.DecodeRequest(model: "m", ids: [1, 2, 3]),
            Wire.TextReply(text: "明月"), generate,
            Wire.GenerateDelta(
                choice: 1, index: 2, tokens: [3], text: "a", textOffset: 7, logprob: logprob, promptLogprobs: [logprob],
                finishReason: "stop"), defaults,
            Wire.ForwardRequest(
                owner: "me",
                sequences: [Wire.ShardRows(sequence: 1, start: 2, count: 3, outputs: 1, tokens: [1, 2, 3], root: "r")]),
            Wire.ForwardReply(missing: [
                Wire.MissingRows(sequence: 1, have: 32), Wire.MissingRows(sequence: 2, have: nil),
            ]),
            Wire.ReleaseRequest(owner: "me", sequences: [1, 2]), Wire.ReleaseReply(), draw, preview, embed,
            Wire.EmbedReply(width: 5),
            Wire.DrawUpdate(step: 1, steps: 2, picture: picture),
            Wire.LoadAdapterRequest(model: "m", name: "a", path: "b/c"),
            Wire.LoadAdapterReply(model: "m", contentID: "01", size: 1 << 40, wasLoaded: true),
            Wire.UnloadAdapterRequest(model: "m", name: "a"), Wire.UnloadAdapterReply(), Wire.ReloadRequest(model: "m"),
            Wire.ReloadReply(revision: "a", previous: "b", duration: .seconds(1)), Wire.EchoRequest(payload: [1, 2]),
            Wire.EchoReply(payload: [3]), Wire.CountRequest(count: 2, payloadSize: 3),
            Wire.CountReply(index: 1, payload: [7]),
        ]
    }
}
